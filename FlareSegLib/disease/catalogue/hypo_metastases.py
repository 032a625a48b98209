"""Liver (or splenic) metastases that take up less contrast than the organ, often with a target sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Floats
from ...shapes import Shape
from ..block import Block, Change, add, coverage, soft_step
from ..bodies import lump
from ..compositions import scattered
from ..focal import finish, make_room, organ_share, tissue_noise
from ..operation import JOIN, KEEP, Disease, Operation
from ..parameters import quantity
from ..placing import draw_in_organ
from ..scene import Scene


@dataclass(frozen=True)
class HypoMetastasis:
    """Parameters of `hypo_metastasis`."""

    diameter: float = quantity(18, 5, 80, "mm", "Diameter", usual=(8, 45), skewed=True)
    difference: float = quantity(-45, -75, -20, "HU", "Difference to the organ", usual=(-65, -25))
    core: float = quantity(-10, -40, 0, "HU", "Further difference of the core (target sign)", usual=(-20, 0))
    rim: float = quantity(0, 0, 30, "HU", "Difference of an enhancing rim", usual=(0, 15), main=False)
    edge: float = quantity(1.5, 0, 6, "mm", "Width of the edge", usual=(0.5, 3), main=False)
    irregularity: float = quantity(0.1, 0, 0.3, "", "Irregularity of the outline", usual=(0.04, 0.18))
    mass_effect: float = quantity(0.2, 0, 0.9, "", "Share that pushes tissue aside", usual=(0, 0.4), main=False)


def edit(scene: Scene, operation: Operation) -> Change:
    """Put one metastasis into the scene."""
    p: HypoMetastasis = operation.parameters
    median, radius = scene.organ(operation.organ).median, p.diameter / 2
    shape = lump(operation.place, p.diameter, operation.seed, p.irregularity, elongation=1.15)
    block = make_room(scene, shape.grown(3.0), operation.place, (radius,) * 3, p.mass_effect)
    cover = coverage(block, shape, p.edge) * organ_share(block, operation.organ)
    noise = tissue_noise(scene, block, operation.organ, operation.seed)
    add(block, cover, _difference(block, shape, p, radius), median, 0.1, noise)
    return finish(block, operation, cover)


def _difference(block: Block, shape: Shape, p: HypoMetastasis, radius: float) -> Floats:
    """HU that come on top: a darker core, and a brighter rim on the surface."""
    distance = shape.distance(block.points)
    core = soft_step(distance + 0.5 * radius, 0.5 * radius)
    rim = np.exp(-(distance / np.float32(1.5)) ** 2)
    return np.float32(p.difference) + np.float32(p.core) * core + np.float32(p.rim - p.difference * (p.rim > 0)) * rim


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Anywhere in the organ, but for its very edge."""
    return draw_in_organ(scene, operation.organ, rng, (0.3 * operation.parameters.diameter, 1e3))


SINGLE = Disease("hypo_metastasis", "Hypovascular metastasis",
                 "A round deposit of a tumour from elsewhere (bowel, pancreas, "
                 "breast) that takes up less contrast than the organ around it.", ("liver", "spleen"), HypoMetastasis,
                 edit, (KEEP, JOIN), place)


@dataclass(frozen=True)
class HypoMetastases:
    """Parameters of `hypo_metastases`."""

    count: int = quantity(5, 1, 30, "", "Number", usual=(2, 15), whole=True, skewed=True)


def parts(scene: Scene, operation: Operation) -> tuple[Operation, ...]:
    """Metastases of several sizes."""
    return scattered(scene, SINGLE, operation, operation.parameters.count)


DISEASES = (SINGLE, Disease("hypo_metastases", "Hypovascular metastases",
                            "Many deposits of a tumour from elsewhere in the "
                            "same organ.", SINGLE.organs, HypoMetastases, label_rules=SINGLE.label_rules, parts=parts))
