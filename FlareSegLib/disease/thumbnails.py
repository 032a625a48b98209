"""A small picture of each disease, drawn on a synthetic patient: what the editor and the documentation show."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FlareSegError
from ..organs import FLARE_ORGANS
from ..phantom.phantom import make_phantom
from ..results.views import Views, body_box, draw_cut
from ..volumes.volume import Volume
from . import catalogue
from .block import Change
from .case import Case, make_case
from .operation import Disease, draw, perform
from .pictures import telling_slice
from .scene import Scene

if TYPE_CHECKING:
    from PIL.Image import Image

PHANTOM_SEED, PHANTOM_SIZE, PHANTOM_SPACING = 1, (272, 216, 84), (1.4, 1.4, 2.5)
#: A lesion's picture shows so much around it.
CLOSE_MM = 110.0
#: Seeds that are tried until a place is found.
ATTEMPTS = 5


def thumbnail(disease: Disease, pixels: int = 128, organ: str = "", outlined: bool = False) -> Image:
    """Draw a disease with its default parameters; the same picture every time.

    Parameters
    ----------
    pixels : int
        Width and height.
    organ : str
        One of the disease's; "" for its first.
    outlined : bool
        With the organs' outlines, as they are afterwards.

    Returns
    -------
    PIL.Image.Image
        RGB. The first call makes the synthetic patient, which takes seconds; the others mostly less than one. Keeping
        the pictures is the caller's business.

    Raises
    ------
    FlareSegError
        "bad_disease_parameter" for an organ that the disease does not have.

    Examples
    --------
    >>> from FlareSegLib.disease.catalogue import find
    >>> thumbnail(find("renal_cyst"), 64).size
    (64, 64)
    """
    if organ and organ not in disease.organs:
        raise FlareSegError("bad_disease_parameter", f"{disease.name}: organ is {organ!r}; choose "
                                                     f"{', '.join(disease.organs)}.")
    before = _patient()
    after, changes = _example(before, disease, organ or (disease.organs or ("",))[0])
    k = telling_slice(before.case, after, changes)
    rows, columns = _extent(after, k, () if disease.whole_organ else changes)
    return _square(after, k, rows, columns, pixels, outlined)


@lru_cache(maxsize=1)
def _patient() -> Scene:
    phantom = make_phantom(PHANTOM_SEED, PHANTOM_SIZE, PHANTOM_SPACING)
    scene = Scene(make_case(phantom.ct, phantom.label_map)[0])
    scene.measure_what_lasts()
    return scene


def _example(scene: Scene, disease: Disease, organ: str) -> tuple[Case, tuple[Change, ...]]:
    """A case with the disease, and what was changed."""
    for seed in range(ATTEMPTS):
        try:
            operation = draw(disease, scene, organ, np.random.default_rng(seed), disease.parameters())
            after, done = perform(catalogue.find, scene, operation)
        except FlareSegError as error:
            if error.code != "disease_not_placed" or seed == ATTEMPTS - 1:
                raise
            continue
        return after.case, tuple(change for _, change in done)
    raise AssertionError("the last attempt returns or raises")


def _extent(case: Case, k: int, changes: tuple[Change, ...]) -> tuple[slice, slice]:
    """Rows and columns of a square: about the lesions of a slice, or about the body."""
    near = [change for change in changes if change.box[0].start <= k < change.box[0].stop]
    if not near:
        boxes, smallest = [body_box(Volume(case.hu[k:k + 1], case.grid.spacing))], 0.0
    else:
        boxes, smallest = [_lesion_box(change, k) for change in near], CLOSE_MM
    middles = [(min(box[axis].start for box in boxes) + max(box[axis].stop for box in boxes)) / 2 for axis in (0, 1)]
    mm = case.grid.spacing[1::-1]
    side = max(smallest, *((max(box[axis].stop for box in boxes) - min(box[axis].start for box in boxes)) * mm[axis]
                           for axis in (0, 1)))
    found = []
    for axis, middle in enumerate(middles):
        length = min(round(side / mm[axis]), case.hu.shape[axis + 1])
        first = int(np.clip(round(middle - length / 2), 0, case.hu.shape[axis + 1] - length))
        found.append(slice(first, first + length))
    return found[0], found[1]


def _lesion_box(change: Change, k: int) -> tuple[slice, slice]:
    """Rows and columns of a lesion in a slice; of the whole change where nothing of it is a lesion."""
    cover = None if change.cover is None else change.cover[k - change.box[0].start] > 0.5
    if cover is None or not cover.any():
        return change.box[1], change.box[2]
    rows, columns = (np.flatnonzero(cover.any(axis=axis)) for axis in (1, 0))
    return (slice(change.box[1].start + int(rows[0]), change.box[1].start + int(rows[-1]) + 1),
            slice(change.box[2].start + int(columns[0]), change.box[2].start + int(columns[-1]) + 1))


def _square(case: Case, k: int, rows: slice, columns: slice, pixels: int, outlined: bool) -> Image:
    from PIL import Image

    cut = Views(Volume(case.hu[:, rows, columns], case.grid.spacing), case.labels[:, rows, columns]).axial(k)
    picture = draw_cut(cut, FLARE_ORGANS if outlined else (), pixels / max(cut.size_mm))
    square = Image.new("RGB", (pixels, pixels))
    square.paste(picture, ((pixels - picture.width) // 2, (pixels - picture.height) // 2))
    return square
