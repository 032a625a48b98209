"""Smooth random fields that are fixed in the patient, whatever grid reads them."""

from __future__ import annotations

import numpy as np

#: Half-size of the region that a field covers, mm (x, y, z); beyond it the border's values go on.
HALF_EXTENT = (230.0, 170.0, 200.0)

#: Mean over all phases of the sum of squared cubic B-spline weights: white noise of SD 1 on the lattice comes out
#: with this variance per axis.
_VARIANCE_PER_AXIS = 151.0 / 315.0


class SmoothField:
    """Gaussian noise of mean 0, SD 1 and a given bump width: a random lattice read through cubic B-splines.

    Being separable, it costs three small matrix products on a regular grid.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the lattice's values.
    width : float
        Distance of the lattice's nodes, mm; a bump is about twice as wide.
    half_extent : tuple of float
        Half-size of the region that it covers, mm (x, y, z).
    """

    def __init__(self, rng: np.random.Generator, width: float,
                 half_extent: tuple[float, float, float] = HALF_EXTENT):
        self.width, self._half_extent = width, half_extent
        shape = [int(2 * half / width) + 5 for half in reversed(half_extent)]
        self._lattice = rng.standard_normal(shape, dtype=np.float32) / np.float32(_VARIANCE_PER_AXIS**1.5)

    def on(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the field on the grid of three axes (mm), float32, (len(z), len(y), len(x))."""
        wz, wy, wx = (self._weights(axis, a) for a, axis in ((2, z), (1, y), (0, x)))
        values = np.tensordot(wz, self._lattice, axes=1)
        return np.matmul(np.matmul(wy, values), wx.T)

    def _weights(self, axis: np.ndarray, a: int) -> np.ndarray:
        """(len(axis), nodes) matrix of cubic B-spline weights."""
        nodes = self._lattice.shape[2 - a]
        half = self._half_extent[a]
        position = (np.clip(axis, -half, half) + half) / self.width + 1
        t = np.abs(position[:, None] - np.arange(nodes)[None])
        near = 2 / 3 - t * t + t**3 / 2
        far = np.clip(2 - t, 0, None) ** 3 / 6
        return np.where(t < 1, near, far).astype(np.float32)
