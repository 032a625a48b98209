"""What the values of a label map stand for: by the names in a `.seg.nrrd`, else by FLARE21's numbers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..errors import FlareSegError
from ..organs import FLARE_ORGANS, Organ, organs_of
from ..results.writing import SEG_NRRD
from ..volumes.sitk_bridge import quiet_itk

MOST_LABELS = 255
LONGEST_NAME = 200
#: Of other keys SimpleITK does not take back all that it gives: bytes that are no UTF-8.
_SEGMENT_KEY = re.compile(r"Segment[0-9]+_(LabelValue|Name)")


def organs_in(path: Path, labels: np.ndarray) -> tuple[Organ, ...]:
    """Return the organs of a label map, ascending by label; those that it names but does not hold, too.

    Parameters
    ----------
    path : Path
        The file. A `.seg.nrrd` names its segments (Slicer's developer guide, "Segmentation labelmap file format");
        in other files 1 to 4 are FLARE21's organs.
    labels : numpy.ndarray
        Its values. One that has no name is called by its number.

    Raises
    ------
    FlareSegError
        "unsupported_type" for values below 0 or above 255, "empty" without voxels.
    """
    if not labels.size:
        raise FlareSegError("empty", f"{path} holds no voxels; there is nothing to show.")
    if labels.min() < 0 or labels.max() > MOST_LABELS:
        raise FlareSegError("unsupported_type", f"The segmentation holds values from {labels.min()} to {labels.max()}; "
                                                f"give a label map of 0 to {MOST_LABELS}, and the CT first.")
    held = np.flatnonzero(np.bincount(labels.ravel(), minlength=1)).tolist()
    named = segment_names(path) if path.name.lower().endswith(SEG_NRRD) else {}
    named = named or {organ.label: organ.name for organ in FLARE_ORGANS}
    return organs_of({label: f"label {label}" for label in held if label} | named)


def segment_names(path: Path) -> dict[int, str]:
    """Label value and name of each segment in a `.seg.nrrd`'s header; empty where it tells none."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("NrrdImageIO")
    reader.SetFileName(str(path))
    with quiet_itk():
        reader.ReadImageInformation()
    fields = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys() if _SEGMENT_KEY.fullmatch(key)}
    numbers = filter(None, (re.fullmatch(r"Segment(\d+)_LabelValue", key) for key in fields))
    names = {fields[found[0]]: _printable(fields.get(f"Segment{found[1]}_Name", "")) for found in numbers}
    return {int(value): name for value, name in names.items() if _is_label(value) and name.strip()}


def _is_label(value: str) -> bool:
    return value.isdecimal() and len(value) <= 9 and 0 < int(value) <= MOST_LABELS  # of endless ones int() would raise


def _printable(name: str) -> str:
    """The name without control characters, bytes that are no UTF-8, and endless rests."""
    return "".join(letter for letter in name if letter.isprintable())[:LONGEST_NAME]
