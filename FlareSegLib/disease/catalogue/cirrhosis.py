"""Cirrhosis: a nodular liver, its right half shrunk and its left one grown; large spleen and ascites come along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..block import Change
from ..compositions import part
from ..growth import scale_organ
from ..operation import Disease, Operation
from ..parameters import quantity
from ..scene import Scene
from .ascites import DISEASES as FLUID
from .ascites import Ascites
from .atrophy import right_of
from .organomegaly import SPLENOMEGALY, Splenomegaly


@dataclass(frozen=True)
class CirrhoticLiver:
    """Parameters of `cirrhotic_liver`."""

    nodularity: float = quantity(2, 0, 4, "mm", "How far nodules rise and sink (SD)", usual=(1, 3))
    bump: float = quantity(12, 6, 25, "mm", "Half the width of a nodule", usual=(8, 16), main=False)
    right: float = quantity(0.8, 0.5, 0.95, "", "Right half: volume over the one before", usual=(0.65, 0.95))
    left: float = quantity(1.3, 1.05, 1.8, "", "Left half and caudate: volume over the one before", usual=(1.1, 1.5))


def edit(scene: Scene, operation: Operation) -> Change:
    """Redistribute the liver's volume and make its surface nodular."""
    p: CirrhoticLiver = operation.parameters
    right = right_of(scene)

    def weight(points: Sequence[np.ndarray]) -> np.ndarray:
        share = right(points)
        return share * np.log(p.right) + (1 - share) * np.log(p.left)

    return scale_organ(scene, "liver", None, weight, nodularity_mm=p.nodularity, bump_mm=p.bump,
                       seed=operation.seed).change()


LIVER = Disease("cirrhotic_liver", "Cirrhotic liver", "A scarred liver: nodular, the right half shrunk, the left one "
                "and the caudate grown.", ("liver",), CirrhoticLiver, edit, whole_organ=True)


@dataclass(frozen=True)
class Cirrhosis:
    """Parameters of `cirrhosis`."""

    nodularity: float = quantity(2, 0, 4, "mm", "How far nodules rise and sink (SD)", usual=(1, 3))
    right: float = quantity(0.8, 0.5, 0.95, "", "Right half of the liver: volume over the one before",
                            usual=(0.65, 0.95))
    left: float = quantity(1.3, 1.05, 1.8, "", "Left half: volume over the one before", usual=(1.1, 1.5))
    spleen: float = quantity(1.6, 1, 3, "", "Spleen: volume over the one before; 1 leaves it", usual=(1.2, 2.2))
    ascites: float = quantity(500, 0, 3000, "ml", "Ascites; below 100 none", usual=(0, 1000))


def parts(scene: Scene, operation: Operation) -> tuple[Operation, ...]:
    """The liver, then the spleen, then the fluid around both."""
    p: Cirrhosis = operation.parameters
    rng = np.random.default_rng((operation.seed, 7))
    drawn = [part(scene, LIVER, "liver", rng, CirrhoticLiver(p.nodularity, right=p.right, left=p.left))]
    if p.spleen >= 1.2:
        drawn.append(part(scene, SPLENOMEGALY, "spleen", rng, Splenomegaly(p.spleen)))
    if p.ascites >= 100:
        drawn.append(part(scene, FLUID[0], "", rng, Ascites(p.ascites)))
    return tuple(one for one in drawn if one is not None)


DISEASES = (LIVER, Disease("cirrhosis", "Cirrhosis", "The end of long liver disease: a nodular, misshapen liver, with "
                           "a large spleen and free fluid.", ("liver",), Cirrhosis, parts=parts, whole_organ=True))
