"""Hepatocellular carcinoma and other large masses of the liver: a mosaic in a capsule, with satellites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Floats
from ...shapes import Shape, union
from ..block import Block, Change, coverage, replace
from ..bodies import lump, random_direction
from ..case import Vector
from ..focal import (
    bulging_centre,
    dead_core,
    finish,
    free_room,
    grown_into,
    make_room,
    noise_over,
    organ_share,
    settled,
    tissue_noise,
)
from ..operation import JOIN, KEEP, Disease, Operation
from ..parameters import quantity
from ..phase import PHASES
from ..placing import draw_in_organ
from ..scene import Scene

#: HU over the liver and their SD (native, arterial, portal, excretory): brighter in the arterial phase in 87 of 100
#: patients, washed out later. The shares are published, the HU are usual values of the field.
DIFFERENCE, SPREAD = (-12, 30, -20, -20), (4, 14, 9, 9)
HYPERVASCULAR, HYPOVASCULAR_ARTERIAL = 0.87, -12.0
#: The capsule takes up contrast late: HU over the liver by phase; None: it is not seen.
CAPSULE = {"native": None, "arterial": None, "portal": 15.0, "excretory": 15.0}
NECROSIS_HU = 28.0
#: SD of the mosaic's compartments at its strongest, HU.
MOSAIC_HU = 18.0


@dataclass(frozen=True)
class Hcc:
    """Parameters of `hcc`."""

    diameter: float = quantity(70, 20, 180, "mm", "Diameter", usual=(25, 150), skewed=True)
    difference: float | None = quantity(None, -60, 90, "HU", "Difference to the liver; left open: by the phase")
    exophytic: float = quantity(0.1, 0, 0.7, "", "Share of the diameter outside the liver", usual=(0, 0.4))
    mosaic: float = quantity(0.5, 0, 1, "", "How much its compartments differ", usual=(0.2, 0.9))
    capsule: float = quantity(1.5, 0, 3, "mm", "Thickness of the capsule", usual=(0, 2.5))
    necrosis: float = quantity(0.2, 0, 0.7, "", "Share of dead tissue", usual=(0, 0.5))
    satellites: int = quantity(2, 0, 5, "", "Satellite nodules", usual=(0, 4), whole=True)
    lobulation: float = quantity(0.08, 0, 0.25, "", "Lobulation of the outline", usual=(0.03, 0.15), main=False)
    mass_effect: float = quantity(0.5, 0, 0.95, "", "Share that pushes tissue aside", usual=(0.3, 0.7), main=False)


def edit(scene: Scene, operation: Operation) -> Change:
    """Put one mass and its satellites into the scene."""
    p: Hcc = operation.parameters
    centre = bulging_centre(scene, operation.organ, operation.place, p.diameter, p.exophytic)
    centre = settled(scene, operation.organ, centre, 0.9 * p.diameter / 2)
    shape = lump(centre, p.diameter, operation.seed, p.lobulation, elongation=1.1)
    satellites = _satellites(centre, operation)
    block = make_room(scene, union(shape, *satellites), centre, (p.diameter / 2,) * 3, p.mass_effect)
    level = scene.organ(operation.organ).median + requested_difference(scene, operation)
    noise = tissue_noise(scene, block, operation.organ, operation.seed)
    covers = [coverage(block, satellite, 1.5) * organ_share(block, operation.organ) for satellite in satellites]
    for cover in covers:
        replace(block, cover, np.float32(level), noise)
    main = _paint_mass(scene, block, shape, level, noise, operation)
    return finish(block, operation, np.maximum.reduce([main, *covers]))


def _paint_mass(scene: Scene, block: Block, shape: Shape, level: float, noise: Floats, operation: Operation) -> Floats:
    """The mass: capsule, mosaic, dead tissue. Returns its cover."""
    p: Hcc = operation.parameters
    room = free_room(scene, block, operation.organ)
    cover, inner = grown_into(block, shape, 1.0, room, (0.0, -p.capsule))
    tissue = np.float32(level) + _mosaic(block, cover, operation)
    late = CAPSULE[scene.phase]
    if p.capsule > 0 and late is not None:
        replace(block, cover, np.float32(scene.organ(operation.organ).median + late), noise)
        replace(block, inner, tissue, noise)
    else:
        replace(block, cover, tissue, noise)
    if p.necrosis > 0:
        dead = dead_core(block, shape, cover, p.diameter, p.necrosis, operation.seed + 3)
        replace(block, dead, np.float32(min(NECROSIS_HU, level - 8)), noise)
    return cover


def _mosaic(block: Block, cover: Floats, operation: Operation) -> Floats:
    """Compartments with their own HU, each rather even; mean 0 over the mass."""
    p: Hcc = operation.parameters
    cells = np.tanh(1.6 * noise_over(block, cover, operation.seed + 1, max(0.13 * p.diameter, 5.0)))
    inside = cover > 0.5
    return np.float32(MOSAIC_HU * p.mosaic) * (cells - (cells[inside].mean() if inside.any() else np.float32(0)))


def _satellites(centre: Vector, operation: Operation) -> list[Shape]:
    """Small nodules around the mass."""
    p: Hcc = operation.parameters
    rng = np.random.default_rng((operation.seed, 13))
    shapes = []
    for number in range(p.satellites):
        size = float(np.clip(p.diameter * rng.uniform(0.1, 0.22), 5.0, 22.0))
        far = p.diameter / 2 * rng.uniform(1.15, 1.5) + size / 2
        shapes.append(lump(np.asarray(centre) + far * random_direction(rng), size, operation.seed + 20 + number, 0.06))
    return shapes


def requested_difference(scene: Scene, operation: Operation) -> float:
    """HU over the liver's median: asked for, or usual in this phase."""
    p: Hcc = operation.parameters
    if p.difference is not None:
        return p.difference
    rng, phase = np.random.default_rng((operation.seed, 11)), PHASES.index(scene.phase)
    mean = float(DIFFERENCE[phase])
    if scene.phase == "arterial" and rng.random() > HYPERVASCULAR:
        mean = HYPOVASCULAR_ARTERIAL
    return float(mean + np.clip(rng.standard_normal(), -1.4, 1.4) * SPREAD[phase])


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Where it fits; one that bulges comes from below the surface."""
    p: Hcc = operation.parameters
    deepest = 1e3 if p.exophytic < 0.1 else 20.0
    return draw_in_organ(scene, operation.organ, rng, (min(0.25 * p.diameter, 15.0), deepest))


DISEASES = (Disease("hcc", "Hepatocellular carcinoma", "A large liver tumour in a cirrhotic or healthy liver, bright "
                    "early and washed out later, often with a capsule.", ("liver",), Hcc, edit, (JOIN, KEEP), place),)
