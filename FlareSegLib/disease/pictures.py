"""What an operation did, side by side: before, after, the difference, the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..organs import FLARE_ORGANS
from ..results.views import Cut, Views, body_box, draw_cut
from ..volumes.volume import Volume
from .block import Change
from .case import Case

if TYPE_CHECKING:
    from PIL.Image import Image

TILE_PIXELS = 340
GAP = 4
#: The difference's colours reach their full strength here.
FULL_DIFFERENCE_HU = 100.0
LESION_MARGIN_MM = 45.0


def telling_slice(before: Case, after: Case, changes: tuple[Change, ...]) -> int:
    """The axial slice (k) in which most was changed, lesions before what they push aside."""
    score = np.zeros(before.hu.shape[0])
    for change in changes:
        k = change.box[0]
        weight = (change.cover.sum(axis=(1, 2)) if change.cover is not None
                  else np.abs(after.hu[change.box].astype(np.float32) - before.hu[change.box]).sum(axis=(1, 2)))
        score[k] = np.maximum(score[k], weight / max(weight.max(), 1e-6) * np.prod(change.hu.shape[1:]))
    return int(np.argmax(score))


def draw_strip(before: Case, after: Case, k: int, title: str = "", close: bool = False,
               changes: Sequence[Change] = ()) -> Image:
    """Return a PIL image of one axial slice: before, after, difference (red brighter, blue darker), labels after.

    Parameters
    ----------
    close : bool
        Cut out what the changes reach, instead of the whole body.
    """
    from PIL import Image, ImageDraw, ImageFont

    rows, columns = _extent(before, k, changes if close else ())
    tiles = [_grey(before, k, rows, columns, False), _grey(after, k, rows, columns, False),
             _difference(before, after, k, rows, columns), _grey(after, k, rows, columns, True)]
    height = max(tile.height for tile in tiles)
    strip = Image.new("RGB", (4 * (TILE_PIXELS + GAP) + GAP, height + 2 * GAP), (12, 13, 15))
    for number, tile in enumerate(tiles):
        strip.paste(tile, (GAP + number * (TILE_PIXELS + GAP), GAP))
    words = ImageDraw.Draw(strip)
    for number, text in enumerate((title, "after", "difference", "labels after")):
        words.text((GAP + 6 + number * (TILE_PIXELS + GAP), GAP + 4), text, (240, 240, 240), ImageFont.load_default(15),
                   stroke_width=1, stroke_fill=(12, 13, 15))
    return strip


def _extent(case: Case, k: int, changes: Sequence[Change]) -> tuple[slice, slice]:
    """Rows and columns worth showing: about the changes of this slice, or the body."""
    near = [change.box for change in changes if change.box[0].start <= k < change.box[0].stop]
    if not near:
        return body_box(Volume(case.hu[k:k + 1], case.grid.spacing))
    margins = [round(LESION_MARGIN_MM / mm) for mm in case.grid.spacing[1::-1]]
    rows, columns = (slice(max(0, min(box[axis].start for box in near) - margin),
                           min(case.hu.shape[axis], max(box[axis].stop for box in near) + margin))
                     for axis, margin in zip((1, 2), margins))
    return rows, columns


def _cut(case: Case, k: int, rows: slice, columns: slice) -> Cut:
    return Views(Volume(case.hu[:, rows, columns], case.grid.spacing), case.labels[:, rows, columns]).axial(k)


def _scale(cut: Cut) -> float:
    return TILE_PIXELS / max(cut.size_mm)


def _grey(case: Case, k: int, rows: slice, columns: slice, outlined: bool) -> Image:
    cut = _cut(case, k, rows, columns)
    return draw_cut(cut, FLARE_ORGANS if outlined else (), _scale(cut))


def _difference(before: Case, after: Case, k: int, rows: slice, columns: slice) -> Image:
    from PIL import Image

    change = (after.hu[k, rows, columns].astype(np.float32) - before.hu[k, rows, columns]) / FULL_DIFFERENCE_HU
    strength = np.clip(change, -1, 1)
    colours = np.stack([np.clip(strength, 0, 1), 0.25 * np.abs(strength), np.clip(-strength, 0, 1)], axis=-1)
    cut = _cut(before, k, rows, columns)
    width, height = (max(1, round(mm * _scale(cut))) for mm in reversed(cut.size_mm))
    return Image.fromarray((colours * 255).astype(np.uint8)).resize((width, height), Image.Resampling.BILINEAR)
