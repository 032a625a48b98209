"""Haemangiomas: benign tangles of vessels that fill with contrast from their rim inwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..block import Block, Change, coverage, replace, soft_step
from ..bodies import lobulated
from ..focal import finish, make_room, organ_share, tissue_noise
from ..fractal import fractal_noise
from ..operation import JOIN, KEEP, Disease, Operation
from ..parameters import quantity
from ..placing import draw_in_organ
from ..scan import phase_hu
from ..scene import Scene

#: Share of the radius that has filled by then: nothing without contrast, nodules at the rim first, nearly all at last.
FILLED = {"native": 0.0, "arterial": 0.25, "portal": 0.5, "excretory": 1.0}
#: What has not filled yet lies so far below the organ, HU; without contrast the whole lesion does.
BELOW_ORGAN, BELOW_NATIVE = {"arterial": -10.0, "portal": -45.0, "excretory": -5.0}, -15.0


@dataclass(frozen=True)
class Haemangioma:
    """Parameters of `haemangioma`."""

    diameter: float = quantity(30, 5, 100, "mm", "Diameter", usual=(8, 60), skewed=True)
    filled: float | None = quantity(None, 0, 1, "", "Share of the radius that has filled; left open: by the phase")
    nodularity: float = quantity(0.6, 0, 1, "", "How much the filled rim is broken into nodules", usual=(0.4, 0.9))
    mass_effect: float = quantity(0.1, 0, 0.9, "", "Share that pushes tissue aside", usual=(0, 0.3), main=False)


def edit(scene: Scene, operation: Operation) -> Change:
    """Put one haemangioma into the scene."""
    p: Haemangioma = operation.parameters
    shape = lobulated(operation.centre, p.diameter, operation.seed, lobes=4, irregularity=0.03)
    block = make_room(scene, shape, operation.centre, (p.diameter / 2,) * 3, p.mass_effect)
    cover = coverage(block, shape, 1.0) * organ_share(block, operation.organ)
    noise = tissue_noise(scene, block, operation.organ, operation.seed)
    replace(block, cover, _target(scene, block, shape, operation), noise)
    return finish(block, operation, cover)


def _target(scene: Scene, block: Block, shape, operation: Operation) -> np.ndarray:
    """HU: filled nodules as bright as blood, the rest below the organ."""
    p: Haemangioma = operation.parameters
    median = scene.organ(operation.organ).median
    if scene.phase == "native":
        return np.full(block.hu.shape, median + BELOW_NATIVE, np.float32)
    filled = FILLED[scene.phase] if p.filled is None else p.filled
    blood = max(median + 15, 0.9 * phase_hu(scene.phase, "aorta"))
    points, radius = (block.points.x, block.points.y, block.points.z), p.diameter / 2
    bumps = fractal_noise(points, operation.seed + 1, max(0.3 * radius, 2.0), octaves=2)
    depth = -shape.distance(block.points)
    front = filled * radius * (1 + p.nodularity * bumps) if filled < 1 else np.full_like(depth, 2 * radius)
    bright = soft_step(depth - front, max(0.2 * radius, 1.5))
    inside = median + BELOW_ORGAN[scene.phase]
    return (inside + (blood - inside) * bright).astype(np.float32)


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, float, float]:
    """Mostly near the surface."""
    radius = operation.parameters.diameter / 2
    return draw_in_organ(scene, operation.organ, rng, (0.8 * radius, 1.5 * radius + 15))


DISEASES = (Disease("haemangioma", "Haemangioma", "A benign tangle of vessels that fills with contrast slowly, in nodules "
                    "from its rim inwards.", ("liver", "spleen"), Haemangioma, edit, (KEEP, JOIN), place),)
