"""Slicer's coordinates (RAS) and the library's (LPS), both of the CT itself, below its transform."""

from __future__ import annotations

import numpy as np


def to_lps(ras) -> tuple[float, float, float]:
    """RAS to LPS, mm."""
    return (-float(ras[0]), -float(ras[1]), float(ras[2]))


#: The way back is the same.
to_ras = to_lps


def index_to_ras(grid, box) -> np.ndarray:
    """(4, 4): from the (i, j, k) index within a box of a case's grid to RAS, mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = grid.matrix
    matrix[:3, 3] = grid.point_of([part.start for part in box])
    matrix[:2] *= -1.0
    return matrix
