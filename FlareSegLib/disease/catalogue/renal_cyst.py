"""Renal cysts, one or many (polycystic kidney): sharp, round, without texture."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as replace_fields

import numpy as np

from ..block import Change, coverage, replace
from ..bodies import lump
from ..compositions import scattered
from ..focal import bulging_centre, finish, make_room, soft_tissue, tissue_noise
from ..operation import BACKGROUND, JOIN, KEEP, Disease, Operation
from ..parameters import quantity, sample
from ..placing import draw_in_organ
from ..scene import Scene


@dataclass(frozen=True)
class RenalCyst:
    """Parameters of `renal_cyst`."""

    diameter: float = quantity(25, 5, 120, "mm", "Diameter", usual=(8, 60), skewed=True)
    hu: float = quantity(5, -5, 90, "HU", "Density: simple cysts to 20 HU, bleeding or protein 60 to 90", usual=(0, 15))
    exophytic: float = quantity(0.5, 0, 0.9, "", "Share of the diameter outside the kidney", usual=(0, 0.8))
    wall: float = quantity(0, 0, 2, "mm", "Thickness of a wall that can be seen", usual=(0, 1), main=False)
    mass_effect: float = quantity(0.7, 0, 0.95, "", "Share of the cyst that pushes tissue aside", usual=(0.5, 0.9),
                                  main=False)


def edit(scene: Scene, operation: Operation) -> Change:
    """Put one cyst into the scene."""
    p: RenalCyst = operation.parameters
    centre = bulging_centre(scene, operation.organ, operation.place, p.diameter, p.exophytic)
    shape = lump(centre, p.diameter, operation.seed, irregularity=0.02)
    block = make_room(scene, shape, centre, (p.diameter / 2,) * 3, p.mass_effect)
    room = soft_tissue(block)
    noise = tissue_noise(scene, block, operation.organ, operation.seed)
    cover = coverage(block, shape) * room
    if p.wall > 0:
        median = scene.organ(operation.organ).median
        replace(block, coverage(block, shape.grown(p.wall)) * room, np.float32(0.4 * median + 15), noise)
    replace(block, cover, np.float32(p.hu), noise)
    return finish(block, operation, cover)


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Anywhere in either kidney; those that bulge come from the cortex."""
    deepest = 1e3 if operation.parameters.exophytic < 0.2 else 10.0
    return draw_in_organ(scene, operation.organ, rng, (0.0, deepest))


SINGLE = Disease("renal_cyst", "Renal cyst", "Round, sharply bounded fluid in a kidney; harmless and common with age.",
                 ("kidney",), RenalCyst, edit, (JOIN, KEEP, BACKGROUND), place)


@dataclass(frozen=True)
class PolycysticKidneys:
    """Parameters of `polycystic_kidneys`."""

    count: int = quantity(20, 3, 40, "", "Number of cysts in both kidneys", usual=(8, 40), whole=True)
    largest: float = quantity(40, 10, 80, "mm", "Largest diameter", usual=(20, 60))


def parts(scene: Scene, operation: Operation) -> tuple[Operation, ...]:
    """Cysts of all sizes, inside and bulging."""
    p: PolycysticKidneys = operation.parameters

    def drawn(rng: np.random.Generator) -> RenalCyst:
        return replace_fields(sample(RenalCyst, rng), diameter=float(rng.uniform(6, p.largest)), mass_effect=0.8)

    return scattered(scene, SINGLE, operation, p.count, drawn)


DISEASES = (SINGLE, Disease("polycystic_kidneys", "Polycystic kidneys", "Kidneys enlarged by many cysts, an inherited "
                            "disease.", ("kidney",), PolycysticKidneys, label_rules=(JOIN,), parts=parts))
