"""The one volume type of the library."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Volume:
    """A 3D scalar image and its place in the patient (ITK's conventions).

    Attributes
    ----------
    array : numpy.ndarray
        Voxels in k, j, i order: ``array[k, j, i]``, as SimpleITK's ``GetArrayFromImage`` gives them.
        HU for a CT, label values for a label map.
    spacing : tuple of float
        Millimetres between voxel centres along i, j, k.
    origin : tuple of float
        Centre of voxel (0, 0, 0) in patient coordinates, LPS, mm.
    direction : tuple of float
        3x3 matrix, row-major; its columns are the unit vectors of i, j, k in LPS.

    Examples
    --------
    >>> volume = Volume(np.zeros((3, 4, 5), np.int16), (0.8, 0.8, 2.5))
    >>> volume.size
    (5, 4, 3)
    >>> volume.voxel_ml
    0.0016
    """

    array: np.ndarray
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = IDENTITY

    @property
    def size(self) -> tuple[int, int, int]:
        """Number of voxels along i, j, k."""
        return tuple(reversed(self.array.shape))

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(np.prod(self.spacing)) / 1000.0

    @property
    def direction_matrix(self) -> np.ndarray:
        """Direction as a (3, 3) array; column a is the unit vector of axis a (0 i, 1 j, 2 k) in LPS."""
        return np.asarray(self.direction, dtype=float).reshape(3, 3)

    def with_array(self, array: np.ndarray) -> Volume:
        """Return another array of the same shape on this volume's grid."""
        if array.shape != self.array.shape:
            raise ValueError(f"array of shape {array.shape} on a grid of shape {self.array.shape}")
        return replace(self, array=array)

    def index_to_physical(self, index_ijk: ArrayLike) -> np.ndarray:
        """Patient coordinates (LPS, mm) of voxel indices of shape (..., 3) in i, j, k order."""
        scaled = np.asarray(index_ijk, dtype=float) * np.asarray(self.spacing)
        return scaled @ self.direction_matrix.T + np.asarray(self.origin)
