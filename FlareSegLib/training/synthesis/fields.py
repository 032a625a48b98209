"""Smooth random fields on a training case's grid."""

from __future__ import annotations

import numpy as np

from ...arrays import Floats
from ...disease.case import Box, Grid
from ...phantom.fields import SmoothField


class Fields:
    """Smooth random fields of mean 0 and SD 1 on a grid; each call draws a new one, of the grid or of a box of it."""

    def __init__(self, grid: Grid, rng: np.random.Generator) -> None:
        self._rng = rng
        self._axes = [mm * (np.arange(n) - (n - 1) / 2) for n, mm in zip(reversed(grid.shape), grid.spacing)]

    def wide(self, bump_mm: float, box: Box = (slice(None),) * 3) -> Floats:
        """A field with bumps about twice `bump_mm` wide, float32 (k, j, i)."""
        axes = [axis[part] for axis, part in zip(self._axes, reversed(box))]
        half_extent = tuple((axis[-1] - axis[0]) / 2 for axis in axes)
        return SmoothField(self._rng, bump_mm, half_extent).on(*(axis - axis.mean() for axis in axes))

    def threads(self, bump_mm: float, radius: float, box: Box = (slice(None),) * 3) -> Floats:
        """0 to 1: branching threads where two fields cross; `radius` in bumps."""
        one, other = self.wide(bump_mm, box), self.wide(bump_mm, box)
        return np.exp(-(one * one + other * other) / np.float32(radius * radius))
