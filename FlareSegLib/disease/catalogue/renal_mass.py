"""Solid masses of the kidney: the common kinds of carcinoma, oncocytoma, and angiomyolipoma with its fat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Floats
from ...shapes import Shape
from ..block import Block, Change, replace
from ..bodies import lump
from ..focal import (
    bulging_centre,
    dead_core,
    draw_on_outside,
    finish,
    free_room,
    grown_into,
    make_room,
    patches,
    settled,
    tissue_noise,
    uneven,
)
from ..operation import JOIN, KEEP, Disease, Operation
from ..parameters import choice, quantity
from ..phase import PHASES, phase_hu
from ..placing import draw_in_organ
from ..scene import Scene


@dataclass(frozen=True)
class Kind:
    """What one kind of mass looks like.

    Attributes
    ----------
    hu, spread : tuple of float
        Mean and SD between patients, HU, in the order of `PHASES`.
    texture : float
        SD within a mass, HU, with contrast medium.
    necrosis : float
        Usual share of dead tissue in a large one.
    """

    hu: tuple[float, float, float, float]
    spread: tuple[float, float, float, float]
    texture: float
    necrosis: float


#: Clear cell and oncocytoma: multiphase series (clear cell uj.5000256: 34.0 +- 7.1, 173.1 +- 45.2, 148.8 +- 34.3,
#: 98.2 +- 36.0); papillary: middles of published ranges, a quarter of their width as SD. Chromophobe and the stroma of
#: angiomyolipoma: usual values of the field without a source of their own.
KINDS = {
    "clear_cell": Kind((34, 173, 149, 98), (7, 45, 34, 36), 15, 0.25),
    "papillary": Kind((33, 66, 68, 46), (9, 17, 14, 14), 5, 0.1),
    "chromophobe": Kind((35, 90, 90, 70), (8, 20, 18, 15), 6, 0.05),
    "oncocytoma": Kind((31, 151, 137, 79), (8, 36, 34, 22), 6, 0.06),
    "angiomyolipoma": Kind((45, 110, 95, 75), (6, 20, 18, 15), 10, 0.0),
}
NECROSIS_HU, FAT_HU = 24.0, -98.0
#: Scaled to this patient's kidneys, contrast is at least and at most this share of the literature's.
LEAST_DOSE, MOST_DOSE = 0.5, 1.4


@dataclass(frozen=True)
class RenalMass:
    """Parameters of `renal_mass`."""

    kind: str = choice("clear_cell", tuple(KINDS), "Kind")
    diameter: float = quantity(40, 15, 120, "mm", "Diameter", usual=(17, 110), skewed=True)
    exophytic: float = quantity(0.5, 0, 0.9, "", "Share of the diameter outside the kidney", usual=(0.1, 0.8))
    difference: float | None = quantity(None, -170, 80, "HU", "Difference to the kidney; left open: by kind and phase")
    necrosis: float | None = quantity(None, 0, 0.7, "", "Share of dead tissue; left open: by kind and size")
    fat: float = quantity(0.45, 0.1, 0.9, "", "Share of fat in an angiomyolipoma", usual=(0.2, 0.8))
    capsule: float = quantity(0, 0, 3, "mm", "Thickness of a capsule that can be seen", usual=(0, 1.5), main=False)
    lobulation: float = quantity(0.08, 0, 0.25, "", "Lobulation of the outline", usual=(0.02, 0.15), main=False)
    mass_effect: float = quantity(0.5, 0, 0.95, "", "Share that pushes tissue aside", usual=(0.3, 0.8), main=False)


def edit(scene: Scene, operation: Operation) -> Change:
    """Put one mass into the scene."""
    p: RenalMass = operation.parameters
    centre = bulging_centre(scene, operation.organ, operation.place, p.diameter, p.exophytic)
    centre = settled(scene, operation.organ, centre, 0.9 * p.diameter / 2)
    shape = lump(centre, p.diameter, operation.seed, p.lobulation, elongation=1.12)
    block = make_room(scene, shape, centre, (p.diameter / 2,) * 3, p.mass_effect)
    noise = tissue_noise(scene, block, operation.organ, operation.seed)
    room = free_room(scene, block, operation.organ)
    cover = grown_into(block, shape, 1.0, room)
    level = scene.organ(operation.organ).median + requested_difference(scene, operation)
    tissue = _tissue(scene, block, cover, level, operation)
    if p.capsule > 0:
        replace(block, cover, np.float32(0.5 * level + 10), noise)
        replace(block, grown_into(block, shape.grown(-p.capsule), 1.0, room), tissue, noise)
    else:
        replace(block, cover, tissue, noise)
    _paint_core(block, shape, cover, level, noise, operation)
    return finish(block, operation, cover)


def requested_difference(scene: Scene, operation: Operation) -> float:
    """HU of the solid part over the kidney's median: asked for, or the kind's in this phase, brought to this patient.

    What contrast medium adds is scaled by what it adds to this patient's kidneys, relative to usual ones.
    """
    p: RenalMass = operation.parameters
    if p.difference is not None:
        return p.difference
    kind, phase, median = KINDS[p.kind], PHASES.index(scene.phase), scene.organ(operation.organ).median
    chance = np.clip(np.random.default_rng((operation.seed, 11)).standard_normal(), -1.5, 1.5) * kind.spread[phase]
    native, usual = (0.5 * (phase_hu(name, "renal cortex") + phase_hu(name, "renal medulla"))
                     for name in ("native", scene.phase))
    if scene.phase == "native":
        return kind.hu[0] + chance - native
    dose = np.clip((median - native) / (usual - native), LEAST_DOSE, MOST_DOSE)
    return float(kind.hu[0] + dose * (kind.hu[phase] + chance - kind.hu[0]) - median)


def _tissue(scene: Scene, block: Block, cover: Floats, level: float, operation: Operation) -> Floats:
    """HU of the solid part: uneven where contrast medium shows it."""
    p: RenalMass = operation.parameters
    texture = KINDS[p.kind].texture * (0.25 if scene.phase == "native" else min(1.0, max(0.2, level / 150)))
    return np.float32(level) + uneven(block, cover, texture, max(0.2 * p.diameter, 5.0), operation.seed + 1)


def _paint_core(block: Block, shape: Shape, cover: Floats, level: float, noise: Floats, operation: Operation) -> None:
    """Fat in an angiomyolipoma; dead tissue in the middle of the others."""
    p: RenalMass = operation.parameters
    if p.kind == "angiomyolipoma":
        fat = patches(block, cover, p.fat, max(0.14 * p.diameter, 3.5), operation.seed + 2)
        replace(block, fat, np.float32(FAT_HU), noise)
    share = necrotic_share(operation)
    if share > 0.01:
        dead = dead_core(block, shape, cover, p.diameter, share, operation.seed + 3)
        replace(block, dead, np.float32(min(NECROSIS_HU, level - 8)), noise)


def necrotic_share(operation: Operation) -> float:
    """Asked for, or by kind, size and chance: small masses are rarely necrotic."""
    p: RenalMass = operation.parameters
    if p.necrosis is not None:
        return p.necrosis
    chance = np.random.default_rng((operation.seed, 12)).uniform(0, 2)
    return float(KINDS[p.kind].necrosis * chance * min(1.0, p.diameter / 45))


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Anywhere in either kidney; those that bulge come from the cortex, away from the hilum."""
    if operation.parameters.exophytic < 0.2:
        return draw_in_organ(scene, operation.organ, rng, (4.0, 1e3))
    return draw_on_outside(scene, operation.organ, rng, (0.0, 10.0))


DISEASES = (Disease("renal_mass", "Renal mass", "A solid tumour of the kidney, mostly carcinoma; oncocytoma and "
                    "angiomyolipoma are benign.", ("kidney",), RenalMass, edit, (JOIN, KEEP), place),)
