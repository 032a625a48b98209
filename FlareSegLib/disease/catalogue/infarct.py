"""Infarcts of spleen and kidney: wedges without blood, their base on the capsule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .. import direction
from ...arrays import Floats
from ..block import Block, Change, coverage, replace
from ..bodies import wedge
from ..focal import draw_on_outside, finish, make_room, organ_share, outward, tissue_noise, to_middle
from ..fractal import fractal_noise
from ..operation import KEEP, Disease, Operation
from ..parameters import quantity
from ..scene import Scene

#: A cortex that collateral vessels keep alive: the "rim sign" of a kidney's infarct.
RIM_MM = 2.5


@dataclass(frozen=True)
class Infarct:
    """Parameters of `infarct`."""

    depth: float = quantity(28, 8, 70, "mm", "Depth below the capsule", usual=(15, 45))
    angle: float = quantity(40, 20, 70, "°", "Opening angle of the wedge", usual=(25, 60))
    hu: float = quantity(35, 15, 60, "HU", "Density of the tissue without blood", usual=(28, 45))
    edge: float = quantity(1.5, 0, 5, "mm", "Width of the edge", usual=(0.8, 3), main=False)
    rim: float = quantity(0, 0, 1, "", "How much of the outermost cortex stays perfused", usual=(0, 0.8), main=False)
    azimuth: float | None = direction.azimuth()
    elevation: float | None = direction.elevation()


def edit(scene: Scene, operation: Operation) -> Change:
    """Put one infarct into the scene; without contrast it hardly shows, as in patients."""
    p: Infarct = operation.parameters
    organ = scene.organ(operation.organ)
    surface, normal = outward(scene, operation.organ, operation.place)
    # Vessels come from the hilum, so wedges point to the organ's middle rather than straight down.
    inwards = to_middle(scene, operation.organ, surface) - normal
    inwards = direction.aimed_inwards(inwards / max(np.linalg.norm(inwards), 1e-6), normal, operation)
    tip = surface + inwards * p.depth
    shape = wedge(tip, surface - inwards * (0.4 * p.depth + 3), p.angle / 2, operation.seed)
    block = make_room(scene, shape)
    block.axis = tuple(surface), tuple(tip)
    inside = organ_share(block, operation.organ)
    cover = coverage(block, shape, p.edge) * inside
    if p.rim > 0:
        cover *= 1 - p.rim * _rim(scene, operation.organ, block)
    points = (block.points.x, block.points.y, block.points.z)
    target = min(p.hu, organ.median - 3) + 4 * fractal_noise(points, operation.seed + 1, 7.0, octaves=1)
    replace(block, cover, target.astype(np.float32), tissue_noise(scene, block, operation.organ, operation.seed))
    return finish(block, operation, cover)


def _rim(scene: Scene, organ: str, block: Block) -> Floats:
    """1 within `RIM_MM` of the organ's surface."""
    inside = block.labels == scene.organ(organ).label
    distance = ndimage.distance_transform_edt(inside, block.grid.spacing[::-1]) - 0.5 * min(block.grid.spacing)
    return np.clip((RIM_MM + 0.5 - distance), 0, 1).astype(np.float32)


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Just below the capsule, away from the hilum."""
    return draw_on_outside(scene, operation.organ, rng, (1.0, 8.0))


DISEASES = (Disease("infarct", "Infarct", "A wedge of tissue that has lost its blood supply; its base lies on the "
                    "capsule, its tip points to the hilum.", ("spleen", "kidney"), Infarct, edit, (KEEP,), place),)
