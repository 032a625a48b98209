"""Cuts through a CT as a radiologist sees them, with the outlines of the organs.

Radiological convention: the patient's right is on the image's left; anterior is up in axial cuts, superior is up
in coronal and sagittal ones, where a sagittal cut has anterior on its left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..organs import Organ
from ..volumes.volume import Volume

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

WINDOW_LEVEL = 50.0
WINDOW_WIDTH = 400.0
BODY_HU = -300.0
BODY_MARGIN_MM = 8.0
LINE_PIXELS = 2.0
SUPERSAMPLING = 3


@dataclass(frozen=True)
class Cut:
    """One plane of the CT with its labels.

    Attributes
    ----------
    hu, labels : numpy.ndarray
        (rows, columns), as they are shown.
    pixel_mm : tuple of float
        Height and width of a pixel, mm.
    """

    hu: np.ndarray
    labels: np.ndarray
    pixel_mm: tuple[float, float]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Height and width, mm."""
        return tuple(n * mm for n, mm in zip(self.hu.shape, self.pixel_mm))


@dataclass(frozen=True)
class Views:
    """CT and labels in axial orientation (superior, posterior, left), cropped to what is worth showing."""

    ct: Volume
    labels: np.ndarray

    def axial(self, k: int) -> Cut:
        """Axial cut; anterior is up, the patient's right is on the left."""
        i_mm, j_mm, _ = self.ct.spacing
        return Cut(self.ct.array[k], self.labels[k], (j_mm, i_mm))

    def coronal(self, j: int) -> Cut:
        """Coronal cut; superior is up, the patient's right is on the left."""
        i_mm, _, k_mm = self.ct.spacing
        return Cut(self.ct.array[::-1, j], self.labels[::-1, j], (k_mm, i_mm))

    def sagittal(self, i: int) -> Cut:
        """Sagittal cut; superior is up, anterior is on the left."""
        _, j_mm, k_mm = self.ct.spacing
        return Cut(self.ct.array[::-1, :, i], self.labels[::-1, :, i], (k_mm, j_mm))


def body_box(ct: Volume) -> tuple[slice, slice]:
    """Rows and columns of an axial CT that hold the body: the largest region denser than fat, with a margin.

    A coarse grid is enough, and keeps the table out where it does not touch the body.
    """
    step = [max(1, n // 128) for n in ct.array.shape]
    coarse = ct.array[::step[0], ::step[1], ::step[2]] > BODY_HU
    regions, count = ndimage.label(coarse)
    if count == 0:
        return slice(0, ct.array.shape[1]), slice(0, ct.array.shape[2])
    largest = 1 + int(np.argmax(np.bincount(regions.ravel())[1:]))
    box = ndimage.find_objects(regions)[largest - 1]
    rows, columns = (_widened(box[a], step[a], ct.array.shape[a], ct.spacing[2 - a]) for a in (1, 2))
    return rows, columns


def most_telling_plane(labels: np.ndarray, organs: tuple[Organ, ...], axis: int) -> int:
    """Index of the plane across `axis` that shows most of all organs, each counted relative to its best plane."""
    others = tuple(a for a in range(3) if a != axis)
    score = np.zeros(labels.shape[axis])
    for organ in organs:
        area = np.count_nonzero(labels == organ.label, axis=others)
        score += area / max(1, area.max())
    return int(np.argmax(score)) if score.any() else labels.shape[axis] // 2


def draw_cut(cut: Cut, organs: tuple[Organ, ...], pixels_per_mm: float) -> Picture:
    """Return a PIL image of the cut with square pixels, its organs outlined in their colours."""
    from PIL import Image

    height, width = (max(1, round(mm * pixels_per_mm)) for mm in cut.size_mm)
    grey = Image.fromarray(windowed(cut.hu)).resize((width, height), Image.Resampling.BICUBIC).convert("RGB")
    for organ in organs:
        mask = cut.labels == organ.label
        if mask.any():
            grey.paste(organ.colour, mask=_outline(mask, (width, height)))
    return grey


def windowed(hu: np.ndarray) -> np.ndarray:
    """HU to grey levels 0 to 255 in the abdominal window (level 50, width 400)."""
    level = (hu.astype(np.float32) - (WINDOW_LEVEL - WINDOW_WIDTH / 2)) / WINDOW_WIDTH
    return (np.clip(level, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _outline(mask: np.ndarray, size: tuple[int, int]) -> Picture:
    """Opacity of a thin line along the border of the mask, at `size` (width, height)."""
    from PIL import Image, ImageDraw
    from skimage.measure import find_contours

    fine = Image.new("L", (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING))
    scale = np.array(fine.size) / mask.shape[::-1]
    draw = ImageDraw.Draw(fine)
    for contour in find_contours(np.pad(mask, 1).astype(np.float32), 0.5):
        # From the centres of padded pixels (row, column) to the corners of drawn ones (x, y).
        points = (contour[:, ::-1] - 0.5) * scale
        draw.line([tuple(point) for point in points], 255, round(LINE_PIXELS * SUPERSAMPLING), joint="curve")
    return fine.resize(size, Image.Resampling.BOX)


def _widened(extent: slice, step: int, size: int, mm: float) -> slice:
    margin = round(BODY_MARGIN_MM / mm)
    return slice(max(0, extent.start * step - margin), min(size, extent.stop * step + margin))
