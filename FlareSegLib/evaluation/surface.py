"""Normalised surface distance (NSD, "surface Dice") as FLARE scores it.

It is the share of two surfaces that lies close to the other one.

The definition is that of Nikolov et al. (arXiv:1809.04430) and of the code that DeepMind published with it
(google-deepmind/surface-distance), which FLARE's evaluation uses. The surface of a mask lies on the corners of its
voxels: a corner whose eight voxels are partly inside is a surface element. It has the area that marching cubes gives
those eight voxels, and the distance to the nearest surface element of the other mask. Measures that count border
voxels instead of weighing them by area (nnU-Net, MetricsReloaded, MONAI) have the same name and other values.

The areas are worked out here from the classic marching cubes of scikit-image rather than read from a table. Where more
than four of the eight voxels are inside, the surface is that of the complement; so it is in DeepMind's table.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..arrays import Doubles, Mask

#: Voxels around a corner, in the order of the bits of a corner's code.
CORNER_VOXELS = tuple(np.ndindex(2, 2, 2))
WHOLE = 255


def surface_distance(found: Mask, truth: Mask, spacing: tuple[float, float, float],
                     tolerance_mm: float) -> float:
    """Return the normalised surface distance of two masks, 0 to 1.

    Parameters
    ----------
    found, truth : numpy.ndarray
        Boolean masks [k, j, i] of one shape.
    spacing : tuple of float
        Millimetres along i, j, k (as `Volume.spacing`).
    tolerance_mm : float
        Surface elements up to this distance (inclusive) from the other surface count as agreeing; 1 mm in FLARE21.

    Notes
    -----
    Both empty gives 1, one of them empty 0.

    Examples
    --------
    >>> box = np.zeros((9, 9, 9), bool)
    >>> box[2:6, 2:6, 2:6] = True
    >>> surface_distance(box, box, (1.0, 1.0, 1.0), 1.0)
    1.0
    """
    box = bounding_box(found | truth)
    if box is None:
        return 1.0
    steps = tuple(float(mm) for mm in reversed(spacing))
    areas = surfel_areas(steps)
    codes = corner_codes(found[box]), corner_codes(truth[box])
    surfaces = [(code != 0) & (code != WHOLE) for code in codes]
    total = agreeing = 0.0
    for code, here, there in zip(codes, surfaces, reversed(surfaces)):
        area = areas[code[here]]
        total += area.sum()
        agreeing += area[is_near(here, there, steps, tolerance_mm)].sum()
    return float(agreeing / total)


def bounding_box(mask: Mask) -> tuple[slice, ...] | None:
    """Return the slices that hold all of a mask, None for an empty one."""
    box = []
    for axis in range(mask.ndim):
        filled = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        if not filled.size:
            return None
        box.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return tuple(box)


def corner_codes(mask: Mask) -> np.ndarray:
    """Return for each voxel corner which of the eight voxels around it are inside (bits as `CORNER_VOXELS`).

    Outside of the array there is nothing, so the shape is one larger along each axis.
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    shape = tuple(n + 1 for n in mask.shape)
    codes = np.zeros(shape, np.uint8)
    for bit, corner in enumerate(CORNER_VOXELS):
        codes |= padded[tuple(slice(start, start + n) for start, n in zip(corner, shape))] << bit
    return codes


@lru_cache(maxsize=64)
def surfel_areas(steps: tuple[float, float, float]) -> Doubles:
    """Return the area of the surface at a corner for each of the 256 codes, mm², for voxels of `steps` mm (k, j, i)."""
    return np.array([_surfel_area(code, np.array(steps)) for code in range(256)])


def _surfel_area(code: int, steps: Doubles) -> float:
    from skimage.measure import marching_cubes

    if code.bit_count() > 4:
        code = WHOLE - code
    if code == 0:
        return 0.0
    block = np.array([code >> bit & 1 for bit in range(8)], np.float32).reshape(2, 2, 2)
    vertices, triangles, *_ = marching_cubes(block, 0.5, method="lorensen")
    a, b, c = np.moveaxis(vertices.astype(float)[triangles] * steps, 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def is_near(points: Mask, others: Mask, steps: tuple[float, ...], tolerance_mm: float) -> Mask:
    """Tell of each True of `points` (in C order) whether a True of `others` lies within the tolerance.

    Nearby offsets are tried first, and what has a neighbour is not looked at again: much faster than a distance
    transform for tolerances of a few voxels, and exact.
    """
    reach = [int(np.ceil(tolerance_mm / mm)) for mm in steps]
    margin = [(r, r) for r in reach]
    target = np.pad(others, margin)
    offsets = _offsets_within(reach, steps, tolerance_mm) @ (np.array(target.strides) // target.itemsize)
    target = target.ravel()
    places = np.flatnonzero(np.pad(points, margin))
    open_ones = np.arange(len(places))
    near = np.ones(len(places), bool)
    for offset in offsets:
        open_ones = open_ones[~target[places[open_ones] + offset]]
        if not open_ones.size:
            break
    near[open_ones] = False
    return near


def _offsets_within(reach: list[int], steps: tuple[float, ...], tolerance_mm: float) -> np.ndarray:
    """Index offsets (n, 3) no longer than the tolerance, shortest first."""
    grid = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), -1).reshape(-1, len(steps))
    length = np.sqrt(((grid * np.array(steps)) ** 2).sum(axis=1))
    order = np.argsort(length, kind="stable")
    return grid[order][length[order] <= tolerance_mm]
