"""Abscesses: pus in an enhancing wall, with septa and sometimes gas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Floats
from ...shapes import Shape
from ..block import Block, Change, PatientPoints, add, coverage, replace, soft_step
from ..bodies import lobulated, random_direction
from ..coarse import coarse_steps, node_points, spread_out
from ..focal import finish, make_room, noise_over, organ_share, soft_tissue, tissue_noise
from ..operation import JOIN, KEEP, Disease, Operation
from ..parameters import quantity
from ..placing import draw_in_organ
from ..scene import Scene

GAS_HU = -750.0
#: Distances to both chambers' centres differ by less than this in a septum: it is half as far to either side.
SEPTUM_MM = 1.4
CHAMBER_DRAWS = 6
#: Oedema around the wall is a little darker than the organ.
OEDEMA_HU, OEDEMA_MM, HALO_NODE_MM = -18.0, 6.0, 2.0


@dataclass(frozen=True)
class Abscess:
    """Parameters of `abscess`."""

    diameter: float = quantity(50, 15, 120, "mm", "Diameter with its wall", usual=(20, 60), skewed=True)
    core: float = quantity(15, 0, 35, "HU", "Density of the pus", usual=(7, 25))
    rim: float = quantity(25, 0, 60, "HU", "How far the wall lies above the organ", usual=(12, 35))
    wall: float = quantity(3, 1, 8, "mm", "Thickness of the wall", usual=(2, 5))
    septa: int = quantity(2, 0, 5, "", "Septa", usual=(0, 4), whole=True)
    gas: float = quantity(0, 0, 0.1, "", "Share of gas, which rises to the front", usual=(0, 0.04), main=False)
    mass_effect: float = quantity(0.4, 0, 0.9, "", "Share that pushes tissue aside", usual=(0.2, 0.6), main=False)


def edit(scene: Scene, operation: Operation) -> Change:
    """Put one abscess into the scene."""
    p: Abscess = operation.parameters
    organ, seed = scene.organ(operation.organ), operation.seed
    shape = lobulated(operation.place, p.diameter, seed, lobes=4, irregularity=0.04)
    block = make_room(scene, shape.grown(OEDEMA_MM), operation.place, (p.diameter / 2,) * 3, p.mass_effect)
    noise = tissue_noise(scene, block, operation.organ, seed)
    inside, room = organ_share(block, operation.organ), soft_tissue(block)
    add(block, _halo(block, shape) * inside, np.float32(OEDEMA_HU * (organ.median > 60)), organ.median)
    confined = np.maximum(inside, room * (operation.label_rule == JOIN))
    cover, pus = coverage(block, shape, 1.0, grown=(0.0, -p.wall)) * confined
    bright = organ.median + (p.rim if scene.phase != "native" else 0.2 * p.rim)
    replace(block, cover, bright, noise)
    pus = pus * (1 - 0.6 * _septa(block, pus, operation))
    replace(block, pus, np.float32(p.core), noise)
    if p.gas > 0:
        replace(block, _gas(block, pus, p.gas, seed), np.float32(GAS_HU), noise)
    return finish(block, operation, cover)


def _halo(block: Block, shape: Shape) -> Floats:
    """Oedema: 1 in the abscess, falling to 0 over `OEDEMA_MM` around it; soft, so that coarse nodes tell it."""
    steps = coarse_steps(block.grid.spacing, HALO_NODE_MM)
    distance = shape.distance(PatientPoints(*node_points(block.grid, block.box, steps)))
    return soft_step(spread_out(distance, steps, block.hu.shape) - OEDEMA_MM / 2, OEDEMA_MM)


def _septa(block: Block, cavity: Floats, operation: Operation) -> Floats:
    """Thin walls between chambers of the cavity, 0 to 1: where two of their centres are equally far."""
    p: Abscess = operation.parameters
    walls = np.zeros(block.hu.shape, np.float32)
    if p.septa == 0:
        return walls
    rng = np.random.default_rng((operation.seed, 5))
    points = (block.points.x, block.points.y, block.points.z)
    # Walls are wavy: they are flat in points that are shifted here and there.
    wave = np.float32(0.05 * p.diameter) * noise_over(block, cavity, operation.seed + 3, 0.25 * p.diameter, octaves=1)
    points = (points[0] + wave, points[1] - wave, points[2])
    nearest = second = np.full(block.hu.shape, 1e6, np.float32)
    for centre in _chambers(operation, rng):
        # Chambers are of different size.
        far = np.sqrt(sum((axis - np.float32(c)) ** 2 for axis, c in zip(points, centre))) \
            - np.float32(rng.uniform(0, 0.15) * p.diameter)
        nearest, second = np.minimum(nearest, far), np.minimum(np.maximum(nearest, far), second)
    return soft_step(second - nearest - SEPTUM_MM, 1.2)


def _chambers(operation: Operation, rng: np.random.Generator) -> list[np.ndarray]:
    """Centres (LPS, mm) of one chamber more than there are septa, apart from each other."""
    p: Abscess = operation.parameters
    centres: list[np.ndarray] = []
    while len(centres) <= p.septa:
        drawn = [np.asarray(operation.place) + random_direction(rng) * p.diameter * rng.uniform(0.2, 0.4)
                 for _ in range(CHAMBER_DRAWS)]
        centres.append(max(drawn, key=lambda at: min((np.linalg.norm(at - other) for other in centres), default=0.0)))
    return centres


def _gas(block: Block, pus: Floats, share: float, seed: int) -> Floats:
    """Bubbles in the anterior part of the cavity: the patient lies on the back."""
    cavity = pus > 0.95
    if not cavity.any():
        return np.zeros_like(pus)
    height = block.points.y + 3 * noise_over(block, pus, seed + 4, 4.0)
    level = np.quantile(height[cavity], min(share, 0.5))
    return soft_step(height - np.float32(level), 1.5) * pus


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Deep enough to lie mostly in the organ."""
    return draw_in_organ(scene, operation.organ, rng, (0.35 * operation.parameters.diameter, 1e3))


DISEASES = (Disease("abscess", "Abscess", "A cavity of pus with a wall that takes up contrast, septa and sometimes "
                                          "gas.",
                    ("liver", "spleen", "kidney"), Abscess, edit, (KEEP, JOIN), place),)
