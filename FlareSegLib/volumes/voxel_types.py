"""The smallest array type that keeps a file's voxels as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import FlareSegError


def hu_array(stored: np.ndarray) -> np.ndarray:
    """Return a copy as int16 or int32 where that keeps every integer, else as float32.

    int16 halves the memory of what SimpleITK makes of most DICOM series (int32 after the rescale slope).
    """
    if stored.dtype.kind in "iu":
        return stored.astype(_smallest_type(stored, (np.int16, np.int32), otherwise=np.float32))
    return stored.astype(np.float32)


def label_array(stored: np.ndarray) -> np.ndarray:
    """Return a copy of label values as uint8, int16 or int32, whichever is the first that holds them.

    Raises
    ------
    FlareSegError
        "unsupported_type" for values that are no integers or need more than 32 bits.
    """
    if stored.dtype.kind == "f" and not np.array_equal(stored, np.round(stored)):
        raise FlareSegError("unsupported_type", "The label map holds values that are no whole numbers; "
                                                "give a segmentation, not an image or a probability map.")
    kind = _smallest_type(stored, (np.uint8, np.int16, np.int32), otherwise=None)
    if kind is None:
        raise FlareSegError("unsupported_type", "The label map holds values beyond 32 bits; give a segmentation.")
    return stored.astype(kind)


def _smallest_type(array: np.ndarray, candidates: Sequence[type[np.integer]],
                   otherwise: type[np.float32] | None) -> type[np.number] | None:
    """First candidate that is, or whose range holds, the array's type and values; empty arrays fit the first."""
    low, high = (array.min(), array.max()) if array.size else (0, 0)
    for kind in candidates:
        limits = np.iinfo(kind)
        if array.dtype == kind or (limits.min <= low and high <= limits.max):
            return kind
    return otherwise
