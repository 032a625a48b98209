"""Lymphoma of the spleen (and of liver and kidneys): soft nodules of little contrast in an enlarged organ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..block import Change, add, coverage
from ..bodies import lump
from ..compositions import part, scattered
from ..focal import finish, make_room, organ_share, tissue_noise
from ..operation import JOIN, KEEP, Disease, Operation
from ..parameters import quantity
from ..placing import draw_in_organ
from ..scene import Scene


@dataclass(frozen=True)
class LymphomaNodule:
    """Parameters of `lymphoma_nodule`."""

    diameter: float = quantity(22, 6, 80, "mm", "Diameter", usual=(10, 45), skewed=True)
    difference: float = quantity(-40, -60, -15, "HU", "Difference to the organ", usual=(-55, -25))
    edge: float = quantity(2.5, 0.5, 6, "mm", "Width of the edge", usual=(1.5, 4), main=False)
    mass_effect: float = quantity(0.2, 0, 0.9, "", "Share that pushes tissue aside", usual=(0.1, 0.3), main=False)


def edit(scene: Scene, operation: Operation) -> Change:
    """Put one nodule into the scene: homogeneous, without a rim; vessels run on through it, thinned."""
    p: LymphomaNodule = operation.parameters
    shape = lump(operation.place, p.diameter, operation.seed, 0.06, elongation=1.1)
    block = make_room(scene, shape.grown(3.0), operation.place, (p.diameter / 2,) * 3, p.mass_effect)
    cover = coverage(block, shape, p.edge) * organ_share(block, operation.organ)
    noise = tissue_noise(scene, block, operation.organ, operation.seed)
    add(block, cover, np.float32(p.difference), scene.organ(operation.organ).median, 0.3, noise)
    return finish(block, operation, cover)


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Anywhere in the organ, but for its very edge."""
    return draw_in_organ(scene, operation.organ, rng, (0.3 * operation.parameters.diameter, 1e3))


NODULE = Disease("lymphoma_nodule", "Lymphoma, nodule", "A soft, homogeneous nodule of lymphoma.",
                 ("spleen", "liver", "kidney"), LymphomaNodule, edit, (KEEP, JOIN), place)


@dataclass(frozen=True)
class Lymphoma:
    """Parameters of `lymphoma`."""

    count: int = quantity(4, 1, 10, "", "Number of nodules", usual=(1, 8), whole=True)
    enlargement: float = quantity(1.5, 1, 3, "", "Volume of the spleen over the one before", usual=(1, 2.2))


def parts(scene: Scene, operation: Operation) -> tuple[Operation, ...]:
    """The nodules, then an enlarged spleen, where the spleen is concerned."""
    p: Lymphoma = operation.parameters
    nodules = scattered(scene, NODULE, operation, p.count)
    if operation.organ != "spleen" or p.enlargement < 1.05:
        return nodules
    from .organomegaly import SPLENOMEGALY, Splenomegaly

    larger = part(scene, SPLENOMEGALY, "spleen", np.random.default_rng((operation.seed, 999)),
                  Splenomegaly(factor=max(1.2, p.enlargement)))
    return nodules if larger is None else (*nodules, larger)


DISEASES = (NODULE, Disease("lymphoma", "Lymphoma", "Nodules of lymphoma in an organ; the spleen is usually enlarged "
                            "as well.", NODULE.organs, Lymphoma, label_rules=NODULE.label_rules, parts=parts,
                            whole_organ=True))
