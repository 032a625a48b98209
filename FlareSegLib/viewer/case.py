"""What is looked at: a CT, a segmentation on its grid, and what the labels stand for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import FlareSegError
from ..evaluation.pairs import grid_difference
from ..organs import Organ
from ..volumes.checks import check_ct
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
    """Read a CT (file or DICOM folder) and its segmentation (a label map; `.seg.nrrd` with names).

    Raises
    ------
    FlareSegError
        As `read_volume`, `check_ct` and `read_label_map`; "invalid_geometry" for grids that differ, "empty" for a
        label map without a label, "unsupported_type" for values that are no labels and for a DICOM SEG.
    """
    if str(segmentation_path).lower().endswith(".dcm"):
        raise FlareSegError("unsupported_type", f"{segmentation_path}: a DICOM SEG cannot be shown here; give a "
                                                ".seg.nrrd or a label map (flareseg segment writes both with two -o).")
    label_map = read_label_map(segmentation_path)
    organs = organs_in(Path(segmentation_path), label_map.array)
    if not label_map.array.any():
        raise FlareSegError("empty", f"{segmentation_path} holds no label but 0; there is nothing to show.")
    ct = read_volume(ct_path, series)
    warnings = check_ct(ct)
    difference = grid_difference(ct, label_map)
    if difference:
        raise FlareSegError("invalid_geometry", f"The CT and the segmentation differ in {difference}; give a "
                                                "segmentation that was made on this CT.")
    limits = np.iinfo(np.int16)
    hu = np.clip(np.rint(ct.array), limits.min, limits.max).astype(np.int16)
    return ViewedCase(ct.with_array(hu), ct.with_array(label_map.array.astype(np.uint8)), organs, warnings)
