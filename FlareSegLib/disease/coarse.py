"""Smooth fields on every n-th voxel: distances and displacements of whole organs at a fraction of the cost."""

from __future__ import annotations

import numpy as np

from .case import Box


def coarse_steps(spacing: tuple[float, float, float], node_mm: float) -> tuple[int, int, int]:
    """Voxels along k, j, i between nodes that are some `node_mm` apart."""
    return tuple(max(1, round(node_mm / mm)) for mm in reversed(spacing))


def node_count(shape: tuple[int, int, int], steps: tuple[int, int, int]) -> tuple[int, int, int]:
    """Nodes along k, j, i that cover a box: the first on its first voxel, the last on or behind its last."""
    return tuple(-(-(n - 1) // step) + 1 for n, step in zip(shape, steps))


def thin_out(array: np.ndarray, steps: tuple[int, int, int]) -> np.ndarray:
    """Means around each node of an array (k, j, i), float32; the border's voxels go on outside."""
    nodes = node_count(array.shape, steps)
    for axis, (step, count) in enumerate(zip(steps, nodes)):
        if step == 1:
            array = np.asarray(array, np.float32)
            continue
        before = step // 2
        after = (count - 1) * step + step - before - array.shape[axis]
        width = [(0, 0)] * 3
        width[axis] = (before, max(0, after))
        array = np.pad(array, width, mode="edge")
        shape = array.shape
        cut = array[tuple(slice(0, count * step) if a == axis else slice(None) for a in range(3))]
        array = cut.reshape(*shape[:axis], count, step, *shape[axis + 1:]).mean(axis=axis + 1, dtype=np.float32)
    return np.asarray(array, np.float32)


def spread_out(nodes: np.ndarray, steps: tuple[int, int, int], shape: tuple[int, int, int]) -> np.ndarray:
    """Values between the nodes (linear) on every voxel of a box of this shape, float32."""
    import torch

    if steps == (1, 1, 1):
        return nodes.astype(np.float32)
    full = tuple((n - 1) * step + 1 for n, step in zip(nodes.shape, steps))
    values = torch.from_numpy(np.ascontiguousarray(nodes, np.float32))[None, None]
    fine = torch.nn.functional.interpolate(values, full, mode="trilinear", align_corners=True)[0, 0]
    return fine[tuple(slice(0, n) for n in shape)].numpy()


def node_points(grid, box: Box, steps: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y, z (LPS, mm, float32) of a box's nodes."""
    counts = node_count(tuple(part.stop - part.start for part in box), steps)
    return grid_points(grid, [part.start + step * np.arange(n) for part, step, n in zip(box, steps, counts)])


def grid_points(grid, index_kji, shift_kji=(0.0, 0.0, 0.0)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y, z (LPS, mm, float32) of the grid of three index axes (k, j, i), shifted by parts of a voxel."""
    k, j, i = (np.asarray(axis, float) + shift for axis, shift in zip(index_kji, shift_kji))
    k, j, i = k[:, None, None], j[None, :, None], i[None, None, :]
    return tuple((grid.origin[a] + grid.matrix[a, 0] * i + grid.matrix[a, 1] * j + grid.matrix[a, 2] * k)
                 .astype(np.float32) for a in range(3))
