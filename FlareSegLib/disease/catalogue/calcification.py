"""Stones and calcifications: small, very dense, blooming."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as replace_fields

import numpy as np

from .. import direction
from ..block import Change, coverage, replace
from ..bodies import lump, random_turn
from ..focal import finish, make_room, tissue_noise
from ..operation import KEEP, Disease, Operation
from ..parameters import quantity, sample
from ..placing import draw_in_organ
from ..scene import Scene

#: Points that a place is chosen from.
STONE_DRAWS, REGION_DRAWS = 8, 4


@dataclass(frozen=True)
class Stone:
    """Parameters of `stone`: 320 HU uric acid, 730 to 1130 calcium oxalate, to 1365 calcium phosphate."""

    diameter: float = quantity(7, 2, 30, "mm", "Diameter", usual=(2.5, 15), skewed=True)
    hu: float = quantity(850, 300, 1400, "HU", "Density", usual=(350, 1200))
    elongation: float = quantity(1.3, 1, 2, "", "Longest over shortest axis", usual=(1, 1.7), main=False)
    azimuth: float | None = direction.azimuth()
    elevation: float | None = direction.elevation()


@dataclass(frozen=True)
class Calcification:
    """Parameters of `calcification`."""

    diameter: float = quantity(4, 2, 30, "mm", "Diameter", usual=(2, 10), skewed=True)
    hu: float = quantity(350, 150, 800, "HU", "Density", usual=(200, 650))
    elongation: float = quantity(1.3, 1, 2, "", "Longest over shortest axis", usual=(1, 1.7), main=False)
    azimuth: float | None = direction.azimuth()
    elevation: float | None = direction.elevation()


def edit(scene: Scene, operation: Operation) -> Change:
    """Put one stone or calcification into the scene; blooming comes with the scan's own blur."""
    p = operation.parameters
    turn = random_turn(np.random.default_rng((operation.seed, 1)))
    along = direction.aimed(turn[:, 0], p)
    shape = lump(operation.place, p.diameter, operation.seed, 0.2, p.elongation,
                 direction.turn_between(turn[:, 0], along) @ turn)
    block = make_room(scene, shape)
    block.axis = operation.place, tuple(operation.place + along * p.diameter / 2 * p.elongation ** (2 / 3))
    cover = coverage(block, shape)
    replace(block, cover, np.float32(p.hu), tissue_noise(scene, block, operation.organ, operation.seed))
    return finish(block, operation, cover)


def place_stone(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Deep in the kidney and near its middle, where the calyces are."""
    points = [draw_in_organ(scene, operation.organ, rng, (4.0, 1e3)) for _ in range(STONE_DRAWS)]
    pieces = scene.pieces(operation.organ)
    if not pieces:
        return points[0]
    centres = np.array([piece.centre for piece in pieces])
    # Calyces lie one above the other: how high does not count.
    return min(points, key=lambda at: np.linalg.norm((centres - at)[:, :2], axis=1).min())


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Anywhere in the organ."""
    return draw_in_organ(scene, operation.organ, rng, (2.0, 1e3))


STONE = Disease("stone", "Kidney stone", "A stone in the kidney's calyces, denser than anything else but bone.",
                ("kidney",),
                Stone, edit, (KEEP,), place_stone)
SINGLE = Disease("calcification", "Calcification", "Chalk in an old scar, a granuloma or an inflamed pancreas.",
                 ("pancreas", "liver", "spleen", "kidney"), Calcification, edit, (KEEP,), place)


@dataclass(frozen=True)
class Calcifications:
    """Parameters of `calcifications`."""

    count: int = quantity(20, 2, 40, "", "Number", usual=(6, 40), whole=True, skewed=True)
    largest: float = quantity(6, 2, 15, "mm", "Largest diameter", usual=(3, 9))
    spread: float = quantity(40, 10, 150, "mm", "How far from a place of the organ they lie", usual=(20, 100))


def parts(scene: Scene, operation: Operation) -> tuple[Operation, ...]:
    """Calcifications of several sizes, small ones above all, in one region of the organ."""
    p: Calcifications = operation.parameters
    rng = np.random.default_rng((operation.seed, 13))
    middle, found = np.asarray(draw_in_organ(scene, operation.organ, rng, (2.0, 1e3))), []
    for _ in range(p.count):
        near = [draw_in_organ(scene, operation.organ, rng, (1.0, 1e3)) for _ in range(REGION_DRAWS)]
        within = [at for at in near if np.linalg.norm(at - middle) <= p.spread]
        centre = within[0] if within else min(near, key=lambda at: np.linalg.norm(at - middle))
        one = replace_fields(sample(Calcification, rng), diameter=2 * (p.largest / 2) ** float(rng.random() ** 1.5))
        found.append(Operation(SINGLE.name, operation.organ, one, centre, int(rng.integers(2**31)),
                               operation.label_rule))
    return tuple(found)


DISEASES = (STONE, SINGLE, Disease("calcifications", "Calcifications",
                                   "Many calcifications, as in chronic pancreatitis.",
                                   SINGLE.organs, Calcifications, label_rules=(KEEP,), parts=parts))
