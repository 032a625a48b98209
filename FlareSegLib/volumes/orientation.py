"""Axial orientation: every storage order of a CT is worked on as one and the same array.

The network reads axial slices whose columns run to the patient's left, whose rows run to posterior and which
are stacked to superior (LPS, as DICOM stores them). Only axes are permuted and flipped, nothing is
interpolated, so that labels go back to the input's grid exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from .volume import Volume


@dataclass(frozen=True)
class AxisOrder:
    """How a stored volume's axes map to axial ones.

    Attributes
    ----------
    axes : tuple of int
        ``axes[a]`` is the stored axis (0 i, 1 j, 2 k) that runs along patient axis a (0 left, 1 posterior,
        2 superior).
    flips : tuple of bool
        ``flips[a]`` tells whether that stored axis runs the other way.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]


def axis_order(direction: np.ndarray) -> AxisOrder:
    """Return the permutation and flips that bring the axes nearest to left, posterior, superior.

    Parameters
    ----------
    direction : numpy.ndarray
        (3, 3) matrix whose columns are the stored axes' unit vectors in LPS.
    """
    direction = np.asarray(direction, dtype=float).reshape(3, 3)

    def alignment(axes: tuple[int, ...]) -> float:
        return float(sum(abs(direction[a, axes[a]]) for a in range(3)))

    x, y, z = max(permutations(range(3)), key=alignment)
    return AxisOrder((x, y, z), (bool(direction[0, x] < 0), bool(direction[1, y] < 0), bool(direction[2, z] < 0)))


def to_axial(volume: Volume) -> tuple[Volume, AxisOrder]:
    """Return the volume in axial orientation (a view, not a copy) and the way back.

    Examples
    --------
    >>> stored = Volume(np.arange(24).reshape(2, 3, 4), (1.0, 2.0, 3.0), direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1))
    >>> axial, order = to_axial(stored)
    >>> bool((from_axial(axial.array, order) == stored.array).all())
    True
    """
    order = axis_order(volume.direction_matrix)
    numpy_axes = [2 - order.axes[a] for a in (2, 1, 0)]  # patient axes S, P, L as array axes
    array = volume.array.transpose(numpy_axes)
    array = np.flip(array, _flipped_array_axes(order))
    corner = [0, 0, 0]
    direction = np.empty((3, 3))
    for a in range(3):
        stored = order.axes[a]
        sign = -1.0 if order.flips[a] else 1.0
        corner[stored] = volume.size[stored] - 1 if order.flips[a] else 0
        direction[:, a] = sign * volume.direction_matrix[:, stored]
    return Volume(
        array,
        (volume.spacing[order.axes[0]], volume.spacing[order.axes[1]], volume.spacing[order.axes[2]]),
        tuple(volume.index_to_physical(corner).tolist()),
        tuple(direction.ravel().tolist()),
    ), order


def from_axial(array: np.ndarray, order: AxisOrder) -> np.ndarray:
    """Return an axial array (superior, posterior, left) in the stored k, j, i order."""
    array = np.flip(array, _flipped_array_axes(order))
    numpy_axes = [2 - order.axes[a] for a in (2, 1, 0)]
    return array.transpose(np.argsort(numpy_axes))


def obliqueness_degrees(direction: np.ndarray) -> float:
    """Largest angle between a stored axis and the patient axis it is taken for, in degrees."""
    direction = np.asarray(direction, dtype=float).reshape(3, 3)
    order = axis_order(direction)
    cosines = [abs(direction[a, order.axes[a]]) for a in range(3)]
    return float(np.degrees(np.arccos(np.clip(min(cosines), -1.0, 1.0))))


def _flipped_array_axes(order: AxisOrder) -> tuple[int, ...]:
    return tuple(2 - a for a in range(3) if order.flips[a])
