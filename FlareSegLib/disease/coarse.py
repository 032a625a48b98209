"""Smooth fields on every n-th voxel: distances and displacements of whole organs at a fraction of the cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import ndimage

from ..arrays import Floats, Mask
from .case import Box, Grid, Vector

#: Voxels that are spread at a time; they stay in the processor's cache.
SLAB = 50_000


def coarse_steps(spacing: tuple[float, ...], node_mm: float) -> tuple[int, ...]:
    """Voxels along k, j, i between nodes that are some `node_mm` apart."""
    return tuple(max(1, round(node_mm / mm)) for mm in reversed(spacing))


def node_count(shape: tuple[int, ...], steps: tuple[int, ...]) -> tuple[int, ...]:
    """Nodes along k, j, i that cover a box: the first on its first voxel, the last on or behind its last."""
    return tuple(-(-(n - 1) // step) + 1 for n, step in zip(shape, steps))


def thin_out(array: np.ndarray, steps: tuple[int, ...]) -> Floats:
    """Means around each node of an array (k, j, i), float32; the border's voxels go on outside."""
    for axis, (step, count) in enumerate(zip(steps, node_count(array.shape, steps))):
        if step == 1:
            continue
        first, last = np.arange(count) * step - step // 2, array.shape[axis] - 1
        sums = np.zeros([count if a == axis else n for a, n in enumerate(array.shape)], np.float32)
        for number in range(step):
            sums += array.take(np.clip(first + number, 0, last), axis)
        array = sums
    return np.asarray(array, np.float32) / np.float32(np.prod(steps))


def spread_out(nodes: np.ndarray, steps: tuple[int, ...], shape: tuple[int, ...]) -> Floats:
    """Values between the nodes (linear) on every voxel of a box of this shape, float32."""
    nodes = np.asarray(nodes, np.float32)
    wide = _between(nodes, -1, np.arange(shape[2]) / steps[2])
    result = np.empty(shape, np.float32)
    many = max(1, SLAB // (shape[1] * shape[2]))
    for first in range(0, shape[0], many):
        k = np.arange(first, min(first + many, shape[0]))
        slab = _between(_between(wide, -3, k / steps[0]), -2, np.arange(shape[1]) / steps[1])
        result[first:first + many] = slab
    return result


def spread_planes(nodes: np.ndarray, steps: tuple[int, ...], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """The same plane by plane, which stays in the processor's cache; of several fields (n, k, j, i), too."""
    wide = _between(np.asarray(nodes, np.float32), -1, np.arange(shape[2]) / steps[2])
    for k in range(shape[0]):
        below, part = divmod(k, steps[0])
        plane = wide[..., below, :, :]
        if part:
            plane = plane + np.float32(part / steps[0]) * (wide[..., below + 1, :, :] - plane)
        yield _between(plane, -2, np.arange(shape[1]) / steps[1])


def between(nodes: np.ndarray, axes: Sequence[np.ndarray]) -> Floats:
    """Values (linear) at three axes of positions, in nodes along k, j, i; beyond the border the nearest. float32."""
    values = np.asarray(nodes, np.float32)
    for axis in (-1, -2, -3):
        values = _between(values, axis, axes[axis])
    return values


def _between(values: Floats, axis: int, at: np.ndarray) -> Floats:
    """Linear at positions between the nodes along an axis (counted from the last)."""
    last = values.shape[axis] - 1
    at = np.clip(at, 0, last)
    below = at.astype(np.intp)
    low = values.take(below, axis)
    part = (at - below).astype(np.float32).reshape(-1, *(1,) * (-1 - axis))
    if not part.any():
        return low
    result = values.take(np.minimum(below + 1, last), axis)
    result -= low
    result *= part
    result += low
    return result


def box_around(mask: Mask, steps: tuple[int, ...], shape: tuple[int, ...], margin: int = 1) -> tuple[Box, Box] | None:
    """Where a mask of the nodes of a box (of this shape) is true, with a margin of so many nodes.

    Returns
    -------
    tuple of Box or None
        Of the nodes, and of the voxels that they cover; None where it is true nowhere.
    """
    found = ndimage.find_objects(mask.view(np.uint8))
    if not found:
        return None
    nodes = tuple(slice(max(part.start - margin, 0), min(part.stop + margin, n))
                  for part, n in zip(found[0], mask.shape))
    return nodes, tuple(slice(part.start * step, min((part.stop - 1) * step + 1, n))
                        for part, step, n in zip(nodes, steps, shape))


def node_points(grid: Grid, box: Box, steps: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y, z (LPS, mm, float32) of a box's nodes."""
    counts = node_count(tuple(part.stop - part.start for part in box), steps)
    return grid_points(grid, [part.start + step * np.arange(n) for part, step, n in zip(box, steps, counts)])


def grid_points(grid: Grid, index_kji: Sequence[np.ndarray],
                shift_kji: Vector = (0.0, 0.0, 0.0)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y, z (LPS, mm, float32) of the grid of three index axes (k, j, i), shifted by parts of a voxel."""
    k, j, i = (np.asarray(axis, float) + shift for axis, shift in zip(index_kji, shift_kji))
    points = np.empty((3, len(k), len(j), len(i)), np.float32)
    for values, start, (along_i, along_j, along_k) in zip(points, grid.origin, grid.matrix):
        np.add((start + along_k * k[:, None] + along_j * j)[..., None], along_i * i, out=values, casting="same_kind")
    x, y, z = points
    return x, y, z
