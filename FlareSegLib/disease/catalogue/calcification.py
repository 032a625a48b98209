"""Stones and calcifications: small, very dense, blooming."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..block import Change, coverage, replace
from ..bodies import lump
from ..compositions import scattered
from ..focal import finish, make_room, tissue_noise
from ..operation import KEEP, Disease, Operation
from ..parameters import quantity
from ..placing import draw_in_organ
from ..scene import Scene


@dataclass(frozen=True)
class Stone:
    """Parameters of `stone`: 320 HU uric acid, 730 to 1130 calcium oxalate, to 1365 calcium phosphate."""

    diameter: float = quantity(7, 2, 30, "mm", "Diameter", usual=(2.5, 15), skewed=True)
    hu: float = quantity(850, 300, 1400, "HU", "Density", usual=(350, 1200))
    elongation: float = quantity(1.3, 1, 2, "", "Longest over shortest axis", usual=(1, 1.7), main=False)


@dataclass(frozen=True)
class Calcification:
    """Parameters of `calcification`."""

    diameter: float = quantity(4, 2, 30, "mm", "Diameter", usual=(2, 10), skewed=True)
    hu: float = quantity(350, 150, 800, "HU", "Density", usual=(200, 650))
    elongation: float = quantity(1.3, 1, 2, "", "Longest over shortest axis", usual=(1, 1.7), main=False)


def edit(scene: Scene, operation: Operation) -> Change:
    """Put one stone or calcification into the scene; blooming comes with the scan's own blur."""
    p = operation.parameters
    shape = lump(operation.centre, p.diameter, operation.seed, 0.12, p.elongation)
    block = make_room(scene, shape)
    cover = coverage(block, shape)
    replace(block, cover, np.float32(p.hu), tissue_noise(scene, block, operation.organ, operation.seed))
    return finish(block, operation, cover)


def place_stone(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, float, float]:
    """Deep in the kidney, where the calyces are."""
    return draw_in_organ(scene, operation.organ, rng, (9.0, 1e3))


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, float, float]:
    """Anywhere in the organ."""
    return draw_in_organ(scene, operation.organ, rng, (2.0, 1e3))


STONE = Disease("stone", "Kidney stone", "A stone in the kidney's calyces, denser than anything else but bone.", ("kidney",),
                Stone, edit, (KEEP,), place_stone)
SINGLE = Disease("calcification", "Calcification", "Chalk in an old scar, a granuloma or an inflamed pancreas.",
                 ("pancreas", "liver", "spleen", "kidney"), Calcification, edit, (KEEP,), place)


@dataclass(frozen=True)
class Calcifications:
    """Parameters of `calcifications`."""

    count: int = quantity(12, 2, 40, "", "Number", usual=(4, 30), whole=True, skewed=True)


def parts(scene: Scene, operation: Operation) -> tuple[Operation, ...]:
    """Calcifications of several sizes."""
    return scattered(scene, SINGLE, operation, operation.parameters.count)


DISEASES = (STONE, SINGLE, Disease("calcifications", "Calcifications", "Many calcifications, as in chronic pancreatitis.",
                                   SINGLE.organs, Calcifications, label_rules=(KEEP,), parts=parts))
