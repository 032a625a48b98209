"""What is looked at: a CT, a segmentation on its grid, and what the labels stand for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import FlareSegError
from ..evaluation.pairs import grid_difference
from ..organs import Organ
from ..volumes.checks import check_ct
from ..volumes.dicom import find_series, is_dicom_file, read_series
from ..volumes.dicom_seg import check_frame_of_reference, frame_of_reference, is_dicom_seg, label_map_on, read_dicom_seg
from ..volumes.reading import read_label_map, read_volume
from ..volumes.volume import Volume
from .segments import organs_in


@dataclass(frozen=True)
class ViewedCase:
    """A CT with its labels.

    Attributes
    ----------
    ct : Volume
        int16 HU, array [k, j, i] in the stored order.
    label_map : Volume
        uint8, on the same grid.
    organs : tuple of Organ
        What the labels stand for.
    warnings : tuple of str
        What is unusual about the CT.
    """

    ct: Volume
    label_map: Volume
    organs: tuple[Organ, ...]
    warnings: tuple[str, ...]


def read_case(ct_path: str | Path, segmentation_path: str | Path, series: str | None = None) -> ViewedCase:
    """Read a CT (file or DICOM folder) and its segmentation (a label map; `.seg.nrrd` with names; DICOM SEG).

    Raises
    ------
    FlareSegError
        As `read_volume`, `check_ct`, `read_label_map`, `read_dicom_seg` and `label_map_on`; "invalid_geometry" for
        grids that differ, "empty" for a segmentation without a label, "unsupported_type" for values that are no labels.
    """
    read = _with_dicom_seg if is_dicom_seg(Path(segmentation_path)) else _with_label_map
    ct, label_map, organs = read(ct_path, Path(segmentation_path), series)
    warnings = check_ct(ct)
    difference = grid_difference(ct, label_map)
    if difference:
        raise FlareSegError("invalid_geometry", f"The CT and the segmentation differ in {difference}; give a "
                                                "segmentation that was made on this CT.")
    limits = np.iinfo(np.int16)
    hu = np.clip(np.rint(ct.array), limits.min, limits.max).astype(np.int16)
    return ViewedCase(ct.with_array(hu), ct.with_array(label_map.array.astype(np.uint8)), organs, warnings)


def _with_label_map(ct_path: str | Path, path: Path, series: str | None) -> tuple[Volume, Volume, tuple[Organ, ...]]:
    try:
        label_map = read_label_map(path)
    except FlareSegError as error:
        raise FlareSegError(error.code, f"The segmentation: {error}") from error
    organs = organs_in(path, label_map.array)
    _refuse_empty(label_map, path)
    return read_volume(ct_path, series), label_map, organs


def _with_dicom_seg(ct_path: str | Path, path: Path, series: str | None) -> tuple[Volume, Volume, tuple[Organ, ...]]:
    """The CT may be another kind of file, on the grid of the DICOM series; then positions alone tell that they fit."""
    segmentation = read_dicom_seg(path)
    if os.path.isdir(ct_path) or os.path.isfile(ct_path) and is_dicom_file(Path(ct_path)):
        found = find_series(ct_path, series)
        check_frame_of_reference(segmentation, frame_of_reference(found))
        ct = read_series(found)
    else:
        ct = read_volume(ct_path, series)
    label_map = label_map_on(ct, segmentation)
    _refuse_empty(label_map, path)
    organs = {organ.label: organ for organ in segmentation.organs.values()}  # both kidneys are one
    return ct, label_map, tuple(organs[label] for label in sorted(organs))


def _refuse_empty(label_map: Volume, path: Path) -> None:
    if not label_map.array.any():
        raise FlareSegError("empty", f"{path} holds no label but 0; there is nothing to show.")
