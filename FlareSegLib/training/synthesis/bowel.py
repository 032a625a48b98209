"""Loops of small bowel in the fat around the organs.

What few real CTs show of it is not enough: jejunum without oral contrast medium, whose folds take up as much medium as
a kidney or the pancreas, is what networks that have not seen it call by those names.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from ...arrays import Mask
from .anatomies import Anatomy
from .fields import Fields
from .tissues import Tissue, Tissues

#: A loop is about twice so wide, mm.
LOOP_MM = (9.0, 16.0)
#: Share of the room between loops: where a field of SD 1 is nearer to 0 than this there is fat.
BETWEEN = (0.15, 0.5)
#: Loops come in groups; more of them where this threshold is low.
GROUP_MM, GROUPS = 45.0, (-1.2, 0.6)
#: Bowel reaches so far above the pancreas, mm.
ABOVE_PANCREAS_MM = 20.0
_IN_PLANE = ndimage.generate_binary_structure(2, 1)[None]


def with_small_bowel(anatomy: Anatomy, rng: np.random.Generator) -> Anatomy:
    """Return an anatomy with loops of small bowel in fat, in groups, in front of the kidneys and below."""
    fields = Fields(anatomy.grid, rng)
    field = fields.wide(rng.uniform(*LOOP_MM))
    loops = (np.abs(field) > rng.uniform(*BETWEEN)) & (fields.wide(GROUP_MM) > rng.uniform(*GROUPS))
    loops &= _room(anatomy)
    loops = ndimage.binary_opening(loops, _IN_PLANE)
    tissues = np.where(loops, np.uint8(Tissue.SMALL_BOWEL), anatomy.tissues)
    detail = None if anatomy.detail is None else np.where(loops, np.float32(0), anatomy.detail)
    return replace(anatomy, tissues=tissues, detail=detail)


def _room(anatomy: Anatomy) -> Mask:
    """Fat inside of the abdominal wall, in front of the kidneys or below them, and not high above the pancreas."""
    tissues = anatomy.tissues
    room = visceral_fat(tissues)
    if anatomy.detail is None:  # a phantom's bowel is coarse, and told from other tissue
        room |= np.isin(tissues, (Tissue.BOWEL_WALL, Tissue.CONTENT))
    body = np.flatnonzero((tissues != Tissue.OUTSIDE).any(axis=(0, 1)))
    middle = (body[0] + body[-1]) // 2 if len(body) else 0
    for side, half in ((Tissue.RIGHT_KIDNEY, slice(None, middle)), (Tissue.LEFT_KIDNEY, slice(middle, None))):
        slices, rows, _ = np.nonzero(tissues == side)
        if len(slices):
            room[slices.min():, int(np.median(rows)):, half] = False
    slices = np.flatnonzero((tissues == Tissue.PANCREAS).any(axis=(1, 2)))
    if len(slices):
        room[slices[-1] + int(ABOVE_PANCREAS_MM / anatomy.grid.spacing[2]):] = False
    return room


def visceral_fat(tissues: Tissues) -> Mask:
    """Fat that is not reached from the skin through fat, slice by slice: what lies inside of muscle and bone.

    Parameters
    ----------
    tissues : numpy.ndarray
        uint8 `Tissue`, (k, j, i), voxels of 1 to 3 mm.
    """
    wall = np.isin(tissues, (Tissue.MUSCLE, Tissue.CORTICAL_BONE, Tissue.MARROW, Tissue.CARTILAGE))
    wall = ndimage.binary_dilation(wall, _IN_PLANE, iterations=2)  # it has gaps
    skin = tissues == Tissue.SKIN
    open_ = (np.isin(tissues, (Tissue.FAT, Tissue.OUTSIDE)) & ~wall) | skin
    outer = ndimage.binary_propagation(skin, _IN_PLANE, mask=open_)
    return (tissues == Tissue.FAT) & ~ndimage.binary_dilation(outer, _IN_PLANE, iterations=3)
