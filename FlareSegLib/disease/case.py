"""A CT with its organ labels: what diseases are put into."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..arrays import Hu, Labels, Mask
from ..errors import FlareSegError
from ..evaluation.pairs import grid_difference
from ..organs import FLARE_ORGANS
from ..volumes.orientation import AxisOrder, from_axial, to_axial
from ..volumes.volume import Volume

#: k, j, i slices of a part of an axial array.
Box = tuple[slice, ...]
#: Three numbers: x, y, z in LPS mm, or along k, j, i.
Vector = Sequence[float] | np.ndarray

LABEL_OF = {organ.name: organ.label for organ in FLARE_ORGANS}
#: Voxels of which nobody knows the organ; no disease is put there and none changes them.
UNKNOWN = 255
LOWEST_HU, HIGHEST_HU = -1024, 3071


@dataclass(frozen=True)
class Grid:
    """An axial grid in the patient: index (k, j, i) is (inferior to superior, anterior to posterior, right to left).

    Attributes
    ----------
    shape : tuple of int
        Voxels along k, j, i.
    spacing : tuple of float
        Millimetres along i, j, k.
    origin : tuple of float
        Centre of voxel (0, 0, 0), LPS, mm.
    direction : tuple of float
        3x3, row-major; columns are the unit vectors of i, j, k in LPS. Nearly the identity; oblique scans differ.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, float, float]
    origin: tuple[float, ...]
    direction: tuple[float, ...]

    @cached_property
    def matrix(self) -> np.ndarray:
        """(3, 3): millimetres in LPS of one step along i, j, k (columns)."""
        return np.asarray(self.direction).reshape(3, 3) * np.asarray(self.spacing)

    @property
    def whole(self) -> Box:
        """The box of all voxels."""
        return tuple(slice(0, n) for n in self.shape)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel, millilitres."""
        return float(np.prod(self.spacing)) / 1000

    def index_of(self, point: Vector) -> np.ndarray:
        """Continuous (k, j, i) index of points (..., 3) in LPS mm."""
        offset = np.asarray(point, dtype=float) - np.asarray(self.origin)
        return (offset @ np.linalg.inv(self.matrix).T)[..., ::-1]

    def point_of(self, index_kji: Vector) -> np.ndarray:
        """LPS mm of (k, j, i) indices (..., 3)."""
        return np.asarray(index_kji, dtype=float)[..., ::-1] @ self.matrix.T + np.asarray(self.origin)

    def holds(self, point: Vector) -> bool:
        """Whether a point (LPS, mm) lies in one of the voxels."""
        index = np.rint(self.index_of(point))
        return bool((index >= 0).all() and (index < self.shape).all())

    def box(self, lower: Vector, upper: Vector, margin: float = 0.0) -> Box | None:
        """The voxels whose centres may lie between two corners (LPS, mm), grown by `margin`; None if there are none."""
        corners = np.array([[(lower, upper)[bit][axis] + (-margin, margin)[bit] for axis, bit in enumerate(bits)]
                            for bits in np.ndindex(2, 2, 2)])
        index = self.index_of(corners)
        first = np.maximum(np.floor(index.min(axis=0)), 0).astype(int)
        last = np.minimum(np.ceil(index.max(axis=0)) + 1, self.shape).astype(int)
        return tuple(slice(int(a), int(b)) for a, b in zip(first, last)) if (first < last).all() else None


def extent(mask: Mask) -> Box | None:
    """The smallest box (k, j, i) of all True voxels; None where there are none."""
    rows, columns = np.asarray(mask.any(axis=2)), np.asarray(mask.any(axis=1))
    planes = [np.flatnonzero(part) for part in (rows.any(axis=1), rows.any(axis=0), columns.any(axis=0))]
    return tuple(slice(int(part[0]), int(part[-1]) + 1) for part in planes) if len(planes[0]) else None


@dataclass(frozen=True)
class Case:
    """A CT and its label map on one axial grid; never changed in place.

    Attributes
    ----------
    hu : numpy.ndarray
        int16, (k, j, i).
    labels : numpy.ndarray
        uint8, same shape: 0 background, 1 liver, 2 kidney, 3 spleen, 4 pancreas, 255 unknown.
    grid : Grid
        Where the voxels are.
    """

    hu: Hu
    labels: Labels
    grid: Grid

    def with_arrays(self, hu: Hu, labels: Labels) -> Case:
        """Other voxels on the same grid."""
        return replace(self, hu=hu, labels=labels)

    def volumes(self, order: AxisOrder, ct: Volume) -> tuple[Volume, Volume]:
        """CT (int16) and label map (uint8) in the stored order of `ct`, the volume that the case was made from."""
        return ct.with_array(from_axial(self.hu, order)), ct.with_array(from_axial(self.labels, order))


def make_case(ct: Volume, label_map: Volume) -> tuple[Case, AxisOrder]:
    """Return a case, and the order of its CT's axes for the way back.

    Parameters
    ----------
    ct : Volume
        HU of any number type, any orientation.
    label_map : Volume
        On the same grid; FLARE21's label values, 255 for unknown.

    Raises
    ------
    FlareSegError
        "bad_disease_case" for grids that differ, strange label values or a label map without any organ.

    Examples
    --------
    >>> from FlareSegLib.phantom.phantom import make_phantom
    >>> phantom = make_phantom(0, (64, 64, 20), (5.0, 5.0, 10.0))
    >>> case, order = make_case(phantom.ct, phantom.label_map)
    >>> case.hu.dtype.name, case.grid.shape
    ('int16', (20, 64, 64))
    """
    difference = grid_difference(ct, label_map)
    if difference:
        raise FlareSegError("bad_disease_case", f"The CT and its labels do not lie on the same grid ({difference}); "
                                                "give labels that were drawn on this CT.")
    known = {0, UNKNOWN, *LABEL_OF.values()}
    strange = sorted(set(np.unique(label_map.array).tolist()) - known)
    if strange:
        raise FlareSegError("bad_disease_case", f"The labels hold the value {strange[0]}; only 0 to 4 (FLARE21's "
                                                "organs) and 255 (unknown) can be edited.")
    axial, order = to_axial(ct)
    labels = np.ascontiguousarray(to_axial(label_map)[0].array, np.uint8)
    if not np.isin(labels, list(LABEL_OF.values())).any():
        raise FlareSegError("bad_disease_case", "The label map holds no organ; segment the CT first.")
    # Not clipped to HU's range: what no disease touches stays as it is, the scanner's padding too.
    limits = np.iinfo(np.int16)
    hu = np.ascontiguousarray(np.clip(np.rint(axial.array), limits.min, limits.max), np.int16)
    return Case(hu, labels, Grid(hu.shape, axial.spacing, axial.origin, axial.direction)), order
