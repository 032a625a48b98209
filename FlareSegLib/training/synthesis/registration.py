"""Laying one anatomy's organs on another's: one affine map, then a smooth displacement that never folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...arrays import Doubles, Floats
from ...disease.case import Grid, Vector
from ...disease.coarse import coarse_steps, grid_points, node_count
from ...disease.warping import determinant
from ...errors import FlareSegError
from .tissues import LANDMARKS, Tissues

#: x, y, z: arrays of one shape, LPS, mm.
Points = tuple[Floats, Floats, Floats]

#: Distance maps and displacements have nodes some so many mm apart.
NODE_MM = 5.0
#: Distances count up to here, mm.
REACH_MM = 32.0
#: How much the affine map is held to the plain shift, mm of leverage.
STIFFNESS_MM = 60.0
#: (nodes left out, iterations, smoothing of each step, of the whole; mm) from coarse to fine.
LEVELS = ((2, 40, 14.0, 4.0), (1, 20, 9.0, 2.5))
#: A step's length in nodes.
LONGEST_STEP = 0.6
LOWEST_DETERMINANT, RELAXED_DETERMINANT = 0.15, 0.35
#: The affine map stretches and shrinks no more than so.
SMALLEST_SCALE, LARGEST_SCALE = 0.78, 1.3


@dataclass(frozen=True)
class Transform:
    """Where a point of the target lies in the host: ``matrix @ (x + u(x)) + shift``, LPS, mm.

    Attributes
    ----------
    matrix, shift : numpy.ndarray
        (3, 3) and (3,), for x, y, z.
    displacement : numpy.ndarray
        float32 (3, nodes along k, j, i): u along z, y, x, mm.
    nodes : Grid
        The nodes in the target.
    """

    matrix: Doubles
    shift: Doubles
    displacement: Floats
    nodes: Grid

    def apply(self, points: Points) -> Points:
        """Map x, y, z (arrays of one shape, mm) of the target to the host's, float32."""
        x, y, z = (p + u for p, u in zip(points, sampled(self.displacement, index_at(self.nodes, points))[::-1]))
        return affine(self.matrix, self.shift, (x, y, z))


def register(target: Tissues, target_grid: Grid, host: Tissues, host_grid: Grid,
             left_out: frozenset[int] = frozenset()) -> Transform:
    """Find the map that brings a host's organs to where a target's lie.

    Each organ's signed distance is an image of its own; all pull at one displacement. The steps are those of Thirion's
    demons (1998), smoothed and composed, so that they stay one to one.

    Parameters
    ----------
    target, host : numpy.ndarray
        uint8 `Tissue` values, (k, j, i), on axis-aligned grids.
    left_out : frozenset of int
        Organs that either shows only in part.

    Raises
    ------
    FlareSegError
        "bad_training_data" where fewer than two organs are common to both.
    """
    organs = tuple(int(value) for value in LANDMARKS if value not in left_out
                   and (target == value).any() and (host == value).any())
    if len(organs) < 2:
        raise FlareSegError("bad_training_data", "Two anatomies have fewer than two whole organs in common; give "
                                                 "others.")
    matrix, shift = _affine(target, target_grid, host, host_grid, organs)
    fixed, nodes = _distances(target, target_grid, organs)
    moving, host_nodes = _distances(host, host_grid, organs)
    u = np.zeros((3, *nodes.shape), np.float32)
    for every, iterations, step_mm, whole_mm in LEVELS:
        level = _every(nodes, every)
        u = _resized(u, level.shape)
        coarse = np.stack([part[::every, ::every, ::every] for part in fixed])
        u = _demons(u, coarse, level, moving, host_nodes, (matrix, shift), iterations, step_mm, whole_mm)
    u = _unfolded(_resized(u, nodes.shape), nodes.spacing[::-1])
    return Transform(matrix, shift, u, nodes)


def affine(matrix: Doubles, shift: Doubles, points: Points) -> Points:
    """Map x, y, z (arrays of one shape) by a matrix and a shift, float32."""
    m, t = np.asarray(matrix, np.float32), np.asarray(shift, np.float32)
    x, y, z = (m[a, 0] * points[0] + m[a, 1] * points[1] + m[a, 2] * points[2] + t[a] for a in range(3))
    return x, y, z


def index_at(grid: Grid, points: Points) -> Floats:
    """Continuous (k, j, i) index, float32 (3, ...), of x, y, z on an axis-aligned grid."""
    return np.stack([(points[a] - np.float32(grid.origin[a])) * np.float32(1 / grid.spacing[a]) for a in (2, 1, 0)])


def sampled(array: np.ndarray, at: np.ndarray, nearest: bool = False) -> Floats:
    """Linear (or nearest) samples of an array at indices (3, ...), its border going on; float32.

    An array (k, j, i) gives samples (...), several ones (c, k, j, i) give (c, ...).
    """
    import torch

    scale = np.array([2 / max(n - 1, 1) for n in array.shape[:-4:-1]], np.float32)
    grid = at[::-1].reshape(3, -1).T * scale - 1
    image = torch.from_numpy(np.ascontiguousarray(array, np.float32)).reshape(1, -1, *array.shape[-3:])
    values = torch.nn.functional.grid_sample(image, torch.from_numpy(np.ascontiguousarray(grid))[None, None, None],
                                             mode="nearest" if nearest else "bilinear", padding_mode="border",
                                             align_corners=True)
    return values.numpy().reshape(*array.shape[:-3], *at.shape[1:])


def node_grid(grid: Grid, mm: float) -> Grid:
    """Nodes some `mm` apart that cover an axis-aligned grid."""
    steps = coarse_steps(grid.spacing, mm)
    x, y, z = (mm * step for mm, step in zip(grid.spacing, reversed(steps)))
    return Grid(node_count(grid.shape, steps), (x, y, z), grid.origin, grid.direction)


def points_of(grid: Grid) -> Points:
    """x, y, z (LPS, mm, float32) of all of a grid's voxels."""
    return grid_points(grid, [np.arange(n) for n in grid.shape])


def _affine(target: Tissues, target_grid: Grid, host: Tissues, host_grid: Grid,
            organs: tuple[int, ...]) -> tuple[Doubles, Doubles]:
    """Least squares over seven points an organ, held to a plain shift of the whole."""
    here = np.concatenate([_points_in(target, target_grid, value) for value in organs])
    there = np.concatenate([_points_in(host, host_grid, value) for value in organs])
    middle, other = here.mean(axis=0), there.mean(axis=0)
    p, q = here - middle, there - other
    hold = len(p) * STIFFNESS_MM**2 / 3 * np.eye(3)
    matrix = np.linalg.solve(p.T @ p + hold, p.T @ q + hold).T
    left, scales, right = np.linalg.svd(matrix)
    matrix = left @ np.diag(np.clip(scales, SMALLEST_SCALE, LARGEST_SCALE)) @ right
    return matrix, other - matrix @ middle


def _points_in(tissues: Tissues, grid: Grid, value: int) -> Doubles:
    """(7, 3) LPS mm: an organ's centre, and the centres of its outer sixths along each axis."""
    index = np.argwhere(tissues == value)
    found = [index.mean(axis=0)]
    for axis in range(3):
        low, high = np.percentile(index[:, axis], (17, 83))
        found += [index[index[:, axis] <= low].mean(axis=0), index[index[:, axis] >= high].mean(axis=0)]
    return grid.point_of(np.array(found))


def _distances(tissues: Tissues, grid: Grid, organs: tuple[int, ...]) -> tuple[Floats, Grid]:
    """Signed distances (organs, nodes), mm, negative inside, up to `REACH_MM`."""
    nodes = node_grid(grid, NODE_MM)
    steps = coarse_steps(grid.spacing, NODE_MM)
    result = np.empty((len(organs), *nodes.shape), np.float32)
    places = [np.minimum(np.arange(n) * step, size - 1) for n, step, size in zip(nodes.shape, steps, grid.shape)]
    for number, value in enumerate(organs):
        mask = tissues == value
        every = (slice(None, None, 2),) * 3 if min(steps) >= 2 else (slice(None),) * 3
        part, mm = mask[every], np.array(grid.spacing[::-1]) * (2 if min(steps) >= 2 else 1)
        distance = (ndimage.distance_transform_edt(~part, mm)
                    - ndimage.distance_transform_edt(part, mm)).astype(np.float32)
        distance = ndimage.gaussian_filter(np.clip(distance, -REACH_MM, REACH_MM), 0.7)
        scale = 0.5 if min(steps) >= 2 else 1.0
        at = np.stack(np.meshgrid(*[(place * scale).astype(np.float32) for place in places], indexing="ij"))
        result[number] = sampled(distance, at)
    return result, nodes


def _every(nodes: Grid, every: int) -> Grid:
    shape = tuple(-(-n // every) for n in nodes.shape)
    x, y, z = (mm * every for mm in nodes.spacing)
    return Grid(shape, (x, y, z), nodes.origin, nodes.direction)


def _resized(u: Floats, shape: tuple[int, ...]) -> Floats:
    """A displacement on a grid of other nodes that begins at the same place."""
    if u.shape[1:] == tuple(shape):
        return u
    import torch

    return torch.nn.functional.interpolate(torch.from_numpy(u)[None], tuple(shape), mode="trilinear",
                                           align_corners=True)[0].numpy()


def _demons(u: Floats, fixed: Floats, nodes: Grid, moving: Floats, host_nodes: Grid,
            map_to_host: tuple[Doubles, Doubles], iterations: int, step_mm: float, whole_mm: float) -> Floats:
    mm = np.array(nodes.spacing[::-1], np.float32)
    x = points_of(nodes)
    base = np.indices(nodes.shape).astype(np.float32)
    longest = LONGEST_STEP * mm.min()
    for _ in range(iterations):
        moved = (x[0] + u[2], x[1] + u[1], x[2] + u[0])
        at = index_at(host_nodes, affine(*map_to_host, moved))
        force, power = np.zeros_like(u), np.zeros(nodes.shape, np.float32)
        for one, warped in zip(fixed, sampled(moving, at)):
            apart = warped - one
            # Far from both surfaces distances say little.
            weight = np.exp(-np.minimum(np.abs(one), np.abs(warped)) / np.float32(10))
            slope = np.stack(np.gradient(warped, *mm))
            force -= weight * apart * slope
            power += weight * (slope * slope).sum(axis=0)
        step = force / (power + np.float32(0.3))
        step = np.stack([ndimage.gaussian_filter(part, step_mm / mm, mode="nearest") for part in step])
        length = float(np.sqrt((step * step).sum(axis=0)).max())
        if length < 0.02 * longest:
            break
        step *= np.float32(min(2.0, longest / length))
        carried = base + step / mm[:, None, None, None]
        further = step + sampled(u, carried)
        further = np.stack([ndimage.gaussian_filter(part, whole_mm / mm, mode="nearest") for part in further])
        further = _relaxed(further, mm)
        if float(determinant(further, mm).min()) < LOWEST_DETERMINANT:
            break
        u = further
    return u


def _relaxed(u: Floats, node_mm: Vector) -> Floats:
    """The displacement, smoother where it presses tissue most."""
    tight = determinant(u, node_mm) < RELAXED_DETERMINANT
    if not tight.any():
        return u
    part = np.minimum(ndimage.gaussian_filter(tight.astype(np.float32), 2.0) * 6, 1)
    return u + part * (np.stack([ndimage.gaussian_filter(each, 1.2, mode="nearest") for each in u]) - u)


def _unfolded(u: Floats, node_mm: Vector) -> Floats:
    """The displacement, smoothed until it does not fold."""
    while float(determinant(u, node_mm).min()) < LOWEST_DETERMINANT:
        u = np.stack([ndimage.gaussian_filter(part, 1.5, mode="nearest") for part in u]) * np.float32(0.97)
    return u
