"""What a voxel of a whole-body label map is made of."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from ...arrays import Labels
from ...organs import FLARE_ORGANS


class Tissue(IntEnum):
    """Values of a tissue map (uint8). The first ones fill the body, the others are organs with a shape of their own."""

    OUTSIDE = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    CORTICAL_BONE = 4
    MARROW = 5
    CARTILAGE = 6
    LUNG = 7
    GAS = 8
    FLUID = 9          # soft tissue darker than muscle: bowel content, bile, urine
    BOWEL_WALL = 10    # soft tissue brighter than muscle
    BLOOD = 11         # bright vessels
    CONTENT = 12       # of the bowel, where it is known
    HEART = 13
    SMALL_BOWEL = 14   # loops that `bowel` has put there

    LIVER = 20
    RIGHT_KIDNEY = 21
    LEFT_KIDNEY = 22
    SPLEEN = 23
    PANCREAS = 24
    GALLBLADDER = 25
    STOMACH = 26
    AORTA = 27
    VENA_CAVA = 28
    OESOPHAGUS = 29
    DUODENUM = 30
    ADRENAL = 31
    BLADDER = 32


#: A tissue map (k, j, i): values of `Tissue`.
Tissues = npt.NDArray[np.uint8]

#: Organs that two anatomies are registered by.
LANDMARKS = (Tissue.LIVER, Tissue.RIGHT_KIDNEY, Tissue.LEFT_KIDNEY, Tissue.SPLEEN, Tissue.PANCREAS)
#: What a real CT's four labels make known; the rest of a host is told by its HU.
FIRST_ORGAN = Tissue.LIVER

_FLARE = {"liver": (Tissue.LIVER,), "kidney": (Tissue.RIGHT_KIDNEY, Tissue.LEFT_KIDNEY), "spleen": (Tissue.SPLEEN,),
          "pancreas": (Tissue.PANCREAS,)}
#: uint8 (256,): FLARE21's label of each tissue.
FLARE_LABEL = np.zeros(256, np.uint8)
for _organ in FLARE_ORGANS:
    FLARE_LABEL[list(_FLARE[_organ.name])] = _organ.label


def split_kidneys(labels: Labels) -> Tissues:
    """Return FLARE21's labels (k, j, i), axial, as tissues: the kidneys' pieces by the side that they lie on.

    The sides meet at the middle of the kidneys' extent, or of the body where all of it lies on one side.
    """
    tissues = np.zeros(labels.shape, np.uint8)
    for organ in FLARE_ORGANS:
        if organ.name != "kidney":
            tissues[labels == organ.label] = _FLARE[organ.name][0]
    kidney = labels == next(organ.label for organ in FLARE_ORGANS if organ.name == "kidney")
    columns = np.flatnonzero(kidney.any(axis=(0, 1)))
    if not len(columns):
        return tissues
    middle = (columns[0] + columns[-1]) // 2
    if not kidney[..., max(middle - 3, 0):middle + 4].sum() <= 0.02 * kidney.sum():
        middle = labels.shape[2] // 2
    tissues[..., :middle][kidney[..., :middle]] = Tissue.RIGHT_KIDNEY
    tissues[..., middle:][kidney[..., middle:]] = Tissue.LEFT_KIDNEY
    return tissues
