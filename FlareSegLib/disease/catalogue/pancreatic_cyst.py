"""Fluid in and beside the pancreas: mucinous cysts (IPMN) of the gland, and pseudocysts after inflammation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Floats
from ...shapes import Shape
from ..block import Block, Change, replace, soft_step
from ..bodies import lobulated, lump, random_direction
from ..case import LABEL_OF, Vector
from ..focal import (
    bulging_centre,
    finish,
    free_room,
    grown_into,
    make_room,
    noise_over,
    outward,
    settled,
    tissue_noise,
)
from ..operation import BACKGROUND, JOIN, KEEP, Disease, Operation
from ..parameters import quantity
from ..placing import draw_in_organ
from ..scene import Scene

#: Pseudocysts mostly lie in front of the gland: of so many points the one that faces forward most is taken.
FRONT_DRAWS = 8


@dataclass(frozen=True)
class PancreaticCyst:
    """Parameters of `pancreatic_cyst`."""

    diameter: float = quantity(30, 8, 100, "mm", "Diameter", usual=(10, 45), skewed=True)
    hu: float = quantity(10, -5, 30, "HU", "Density of the fluid", usual=(3, 18))
    lobes: int = quantity(4, 1, 7, "", "Lobes, as of a bunch of grapes", usual=(2, 6), whole=True)
    septa: int = quantity(2, 0, 5, "", "Septa", usual=(0, 4), whole=True)
    wall: float = quantity(0.8, 0, 3, "mm", "Thickness of the wall", usual=(0, 1.5), main=False)
    mass_effect: float = quantity(0.7, 0, 0.95, "", "Share that pushes tissue aside", usual=(0.5, 0.9), main=False)


@dataclass(frozen=True)
class Pseudocyst:
    """Parameters of `pancreatic_pseudocyst`."""

    diameter: float = quantity(60, 20, 150, "mm", "Diameter with its wall", usual=(25, 110), skewed=True)
    outside: float = quantity(0.8, 0, 1, "", "Share of the diameter outside the gland", usual=(0.5, 1))
    hu: float = quantity(10, -5, 35, "HU", "Density of the fluid", usual=(3, 22))
    septa: int = quantity(0, 0, 4, "", "Septa", usual=(0, 1), whole=True)
    wall: float = quantity(2, 0, 6, "mm", "Thickness of the wall", usual=(1, 3.5))
    mass_effect: float = quantity(0.85, 0, 0.95, "", "Share that pushes tissue aside", usual=(0.7, 0.95), main=False)


def edit_cyst(scene: Scene, operation: Operation) -> Change:
    """Put one mucinous cyst into the gland; it belongs to it."""
    p: PancreaticCyst = operation.parameters
    shape = lobulated(operation.place, p.diameter, operation.seed, p.lobes, irregularity=0.02)
    return _paint(scene, operation, shape, operation.place, 0.5, False)


def edit_pseudocyst(scene: Scene, operation: Operation) -> Change:
    """Put one pseudocyst beside the gland (or where its place says); it belongs to no organ."""
    p: Pseudocyst = operation.parameters
    centre: Vector = operation.place
    if scene.label_at(centre) == LABEL_OF[operation.organ]:
        centre = bulging_centre(scene, operation.organ, centre, p.diameter, p.outside)
        centre = settled(scene, operation.organ, centre, 0.9 * p.diameter / 2)
    shape = lump(centre, p.diameter, operation.seed, 0.05, elongation=1.25)
    return _paint(scene, operation, shape, centre, 0.7, p.outside > 0.5)


def _paint(scene: Scene, operation: Operation, shape: Shape, centre: Vector, wall_share: float, beside: bool) -> Change:
    """Fluid, septa and a wall, which takes up a share of the gland's contrast."""
    p = operation.parameters
    block = make_room(scene, shape, centre, (p.diameter / 2,) * 3, p.mass_effect)
    noise = tissue_noise(scene, block, operation.organ, operation.seed)
    room = free_room(scene, block, operation.organ)
    if beside:
        # The gland is pushed aside, not eaten up.
        room[block.labels == LABEL_OF[operation.organ]] = 0
    cover, inner = grown_into(block, shape, 0.0, room, (0.0, -p.wall))
    solid = wall_share * scene.organ(operation.organ).median + 15
    fluid = cover
    if p.wall > 0 or p.septa > 0:
        replace(block, cover, np.float32(solid), noise)
        fluid = inner * (1 - 0.6 * _septa(block, inner, centre, p.diameter, p.septa, operation.seed))
    replace(block, fluid, np.float32(p.hu), noise)
    return finish(block, operation, cover)


def _septa(block: Block, cavity: Floats, centre: Vector, diameter: float, count: int, seed: int) -> Floats:
    """Thin wavy walls across a cavity, 0 to 1, float32."""
    rng = np.random.default_rng((seed, 5))
    points = (block.points.x, block.points.y, block.points.z)
    wave = 0.12 * diameter * noise_over(block, cavity, seed + 3, 0.3 * diameter)
    walls = np.zeros(block.hu.shape, np.float32)
    for _ in range(count):
        normal = random_direction(rng)
        offset = rng.uniform(-0.25, 0.25) * diameter
        x, y, z = (np.float32(n) * (axis - np.float32(c)) for n, axis, c in zip(normal, points, centre))
        height = x + y + z + wave - offset
        walls = np.maximum(walls, soft_step(np.abs(height) - 0.7, 1.2))
    return walls


def place_cyst(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Anywhere in the gland."""
    return draw_in_organ(scene, operation.organ, rng, (2.0, 1e3))


def place_pseudocyst(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """At the gland's front, from where it grows into the lesser sac."""
    points = [draw_in_organ(scene, operation.organ, rng, (0.0, 6.0)) for _ in range(FRONT_DRAWS)]
    return points[int(np.argmin([outward(scene, operation.organ, point)[1][1] for point in points]))]


DISEASES = (Disease("pancreatic_cyst", "Pancreatic cyst (IPMN)",
                    "A lobulated cyst of the pancreas full of mucus, which may "
                    "turn into carcinoma.", ("pancreas",), PancreaticCyst, edit_cyst, (JOIN, KEEP), place_cyst),
            Disease("pancreatic_pseudocyst", "Pancreatic pseudocyst",
                    "Walled-off fluid beside the pancreas, weeks after an "
                    "inflammation.", ("pancreas",), Pseudocyst, edit_pseudocyst, (BACKGROUND, KEEP), place_pseudocyst,
                    may_lie_outside=True))
