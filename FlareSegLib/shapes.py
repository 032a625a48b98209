"""Signed distances of smooth bodies, in patient millimetres (x to left, y to posterior, z to superior).

A `Shape` is a function from points to distances (negative inside, zero on the surface) with a box that holds it.
Distances are exact for tubes and near the surface for the others, which is what blending an edge needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

#: Tubes and remembered bodies know distances up to this far outside, mm; farther points get this value.
REACH = 10.0
EVERYWHERE = (-1e4, -1e4, -1e4), (1e4, 1e4, 1e4)

Corner = tuple[float, ...]
Box = tuple[slice, ...]
Coordinates = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Points:
    """Where a block of voxels lies in the body.

    Attributes
    ----------
    x, y, z : numpy.ndarray
        Anatomical coordinates, mm, float32, (k, j, i): the patient's own, bent by a smooth warp.
    lumps, grain : numpy.ndarray
        Smooth noise of mean 0 and SD 1, same shape; its bumps are some 12 mm and 4 mm wide.
    axes : tuple of numpy.ndarray
        Anatomical coordinates along i, j, k without the warp, for finding boxes.
    margin : float
        The warp moves no point farther than this, mm.
    block, window : Points or None, tuple of slice or None
        The whole block that these points were cut from, and where.
    memory : dict
        Distances that shapes keep for the whole block, see `remembered`.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    lumps: np.ndarray
    grain: np.ndarray
    axes: tuple[np.ndarray, np.ndarray, np.ndarray]
    margin: float
    block: Points | None = None
    window: Box | None = None
    memory: dict[object, np.ndarray] = field(default_factory=dict)

    def box(self, lower: Coordinates, upper: Coordinates) -> Box | None:
        """Return the k, j, i slices of the voxels in a box (mm, x y z order), or None where it holds none."""
        slices = []
        for a in (2, 1, 0):
            first = int(self.axes[a].searchsorted(lower[a] - self.margin))
            last = int(self.axes[a].searchsorted(upper[a] + self.margin, side="right"))
            if first >= last:
                return None
            slices.append(slice(first, last))
        k, j, i = slices
        return k, j, i

    def __getitem__(self, box: Box) -> Points:
        x, y, z = (axis[part] for axis, part in zip(self.axes, reversed(box)))
        k, j, i = box if self.window is None else (
            slice(outer.start + part.start, outer.start + part.stop) for outer, part in zip(self.window, box))
        return Points(self.x[box], self.y[box], self.z[box], self.lumps[box], self.grain[box], (x, y, z), self.margin,
                      self.block or self, (k, j, i))


#: Of points with x, y, z, `box` and parts: `Points` of the phantom, `disease.block.PatientPoints` of a scan.
Distance = Callable[[Any], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Shape:
    """A body: its signed distance and the box (mm, x y z) outside which it is empty."""

    distance: Distance
    lower: Corner
    upper: Corner

    def grown(self, mm: float) -> Shape:
        """The same body, thicker by `mm` on every side (thinner where negative)."""
        margin = max(mm, 0.0)
        return Shape(lambda p: self.distance(p) - np.float32(mm),
                     _moved(self.lower, -margin), _moved(self.upper, margin))

    def roughened(self, lumps: float = 0.0, grain: float = 0.0) -> Shape:
        """The same body with a bumpy surface; the arguments are the bumps' SD in mm."""
        margin = 3.0 * (lumps + grain)

        def distance(p: Points) -> np.ndarray:
            bumps: np.ndarray = np.float32(lumps) * p.lumps
            if grain:
                bumps = bumps + np.float32(grain) * p.grain
            return self.distance(p) + bumps

        return Shape(distance, _moved(self.lower, -margin), _moved(self.upper, margin))

    def mirrored(self) -> Shape:
        """The same body on the other side of the midline."""
        def distance(p: Points) -> np.ndarray:
            return self.distance(Points(-p.x[..., ::-1], p.y[..., ::-1], p.z[..., ::-1], p.lumps[..., ::-1],
                                        p.grain[..., ::-1], (-p.axes[0][::-1], *p.axes[1:]), p.margin))[..., ::-1]

        return Shape(distance, (-self.upper[0], *self.lower[1:]), (-self.lower[0], *self.upper[1:]))


def _moved(corner: Corner, mm: float) -> Corner:
    x, y, z = corner
    return x + mm, y + mm, z + mm


def remembered(shape: Shape) -> Shape:
    """The same body, for one that many others are fitted to: its distances are worked out once a block."""
    key = object()

    def distance(p: Points) -> np.ndarray:
        block = p.block or p
        if key not in block.memory:
            block.memory[key] = known = np.full(block.x.shape, REACH, np.float32)
            box = block.box(np.subtract(shape.lower, REACH), np.add(shape.upper, REACH))
            if box is not None:
                known[box] = shape.distance(block[box])
        known = block.memory[key]
        return known if p.window is None else known[p.window]

    return Shape(distance, shape.lower, shape.upper)


def smooth_minimum(a: np.ndarray, b: np.ndarray, blend: float) -> np.ndarray:
    """Minimum whose crease is rounded over `blend` mm (quadratic)."""
    lower = np.minimum(a, b)
    if blend <= 0.0:
        return lower
    overlap = np.maximum(np.float32(blend) - np.abs(a - b), np.float32(0))
    return lower - overlap * overlap * np.float32(0.25 / blend)


def union(*shapes: Shape, blend: float = 0.0) -> Shape:
    """All bodies together; `blend` fills the creases between them, mm."""
    def distance(p: Points) -> np.ndarray:
        nearest = shapes[0].distance(p)
        for shape in shapes[1:]:
            nearest = smooth_minimum(nearest, shape.distance(p), blend)
        return nearest

    return Shape(distance, tuple(np.min([s.lower for s in shapes], axis=0) - blend / 4),
                 tuple(np.max([s.upper for s in shapes], axis=0) + blend / 4))


def intersection(*shapes: Shape, blend: float = 0.0) -> Shape:
    """What all bodies share; `blend` rounds its edges, mm."""
    def distance(p: Points) -> np.ndarray:
        farthest = -shapes[0].distance(p)
        for shape in shapes[1:]:
            farthest = smooth_minimum(farthest, -shape.distance(p), blend)
        return -farthest

    return Shape(distance, tuple(np.max([s.lower for s in shapes], axis=0)),
                 tuple(np.min([s.upper for s in shapes], axis=0)))


def without(body: Shape, *others: Shape, blend: float = 0.0) -> Shape:
    """The body less the others, its new edges rounded over `blend` mm."""
    def distance(p: Points) -> np.ndarray:
        inside = -body.distance(p)
        for other in others:
            box = p.box(np.subtract(other.lower, blend), np.add(other.upper, blend))
            if box is not None:
                inside[box] = smooth_minimum(inside[box], other.distance(p[box]), blend)
        return -inside

    return Shape(distance, body.lower, body.upper)


def half_space(point: Coordinates, normal: Coordinates) -> Shape:
    """Everything on the side of a plane that its normal points away from."""
    n = np.asarray(normal, dtype=float)
    n = n / np.linalg.norm(n)
    offset = np.float32(n @ np.asarray(point, dtype=float))
    a, b, c = (np.float32(v) for v in n)
    return Shape(lambda p: a * p.x + b * p.y + c * p.z - offset, *EVERYWHERE)


def rotation(about_z: float = 0.0, about_y: float = 0.0, about_x: float = 0.0) -> np.ndarray:
    """Rotation matrix, degrees; about x first, then y, then z."""
    matrix = np.eye(3)
    for (row, column), degrees in (((1, 2), about_x), ((2, 0), about_y), ((0, 1), about_z)):
        c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        step = np.eye(3)
        step[row, row] = step[column, column] = c
        step[row, column], step[column, row] = -s, s
        matrix = step @ matrix
    return matrix


def ellipsoid(centre: Coordinates, radii: Coordinates, turn: np.ndarray | None = None) -> Shape:
    """Ellipsoid with half-axes `radii` along the columns of the rotation matrix `turn`.

    The distance is the value over the gradient's length of |p / r|, good near the surface.
    """
    upright = turn is None
    turn = np.eye(3) if turn is None else turn
    radii = np.asarray(radii, dtype=float)
    to_ball = (turn / radii).T.astype(np.float32)
    cx, cy, cz = (np.float32(v) for v in centre)

    def distance(p: Points) -> np.ndarray:
        dx, dy, dz = p.x - cx, p.y - cy, p.z - cz
        squared: np.float32 | np.ndarray = np.float32(1e-9)
        slope: np.float32 | np.ndarray = np.float32(1e-12)
        for row, radius, own in zip(to_ball, radii, (dx, dy, dz)):
            part = own * np.float32(1 / radius) if upright else row[0] * dx + row[1] * dy + row[2] * dz
            part *= part
            squared = squared + part
            slope = slope + part * np.float32(1 / radius**2)
        scaled = np.sqrt(squared)
        return scaled * (scaled - 1) / np.sqrt(slope)

    reach = np.sqrt((turn**2 * radii**2).sum(axis=1))
    return Shape(distance, tuple(np.asarray(centre) - reach), tuple(np.asarray(centre) + reach))


def column(centre_xy: Coordinates, half_axes: Coordinates, squareness: float = 0.0,
           taper: Callable[[np.ndarray], np.ndarray] | None = None,
           z_range: tuple[float, float] = (-1e4, 1e4)) -> Shape:
    """Upright column with an elliptic (squareness 0) to squarish (1) cross-section, the distance taken radially.

    `taper` maps z (array, mm) to a factor of the cross-section.
    """
    cx, cy = (np.float32(v) for v in centre_xy)
    a, b = (np.float32(v) for v in half_axes)
    square = np.float32(squareness)
    bottom, top = (np.float32(v) for v in z_range)

    def distance(p: Points) -> np.ndarray:
        x, y = p.x - cx, p.y - cy
        u, v = (x / a) ** 2, (y / b) ** 2
        level = np.sqrt(np.sqrt((u + v) ** 2 - 2 * square * u * v))
        if taper is not None:
            level = level / taper(p.z)
        radial = np.sqrt(x * x + y * y) * (1 - 1 / np.maximum(level, np.float32(1e-3)))
        # On the axis itself the direction is undefined: there the nearest wall is the shorter half-axis away.
        radial = np.maximum(radial, -np.float32(min(half_axes)))
        if z_range[0] <= -1e4 and z_range[1] >= 1e4:
            return radial
        return np.maximum(radial, np.maximum(p.z - top, bottom - p.z))

    widest = 1.3
    return Shape(distance, (centre_xy[0] - widest * half_axes[0], centre_xy[1] - widest * half_axes[1], z_range[0]),
                 (centre_xy[0] + widest * half_axes[0], centre_xy[1] + widest * half_axes[1], z_range[1]))


def smooth_path(points: Sequence[Coordinates] | np.ndarray, radii: float | Coordinates,
                steps: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Return a Catmull-Rom curve (n, 3) through the points (mm), `steps` pieces between two, and its radii (n,)."""
    values = np.column_stack((np.asarray(points, dtype=float), np.broadcast_to(radii, len(points))))
    padded = np.vstack((2 * values[0] - values[1], values, 2 * values[-1] - values[-2]))
    t = np.arange(steps)[:, None] / steps
    pieces = []
    for before, start, end, after in zip(padded, padded[1:], padded[2:], padded[3:]):
        pieces.append(start + 0.5 * t * ((end - before) + t * (
            2 * before - 5 * start + 4 * end - after + t * (3 * (start - end) + after - before))))
    curve = np.vstack((*pieces, values[-1:]))
    return curve[:, :3], np.maximum(curve[:, 3], 0.3)


def tube(points: Sequence[Coordinates] | np.ndarray, radii: float | Coordinates, steps: int = 4,
         flatten_z: float = 1.0) -> Shape:
    """Tube along a smooth curve through the points (mm), with rounded ends.

    Parameters
    ----------
    points : sequence of (x, y, z)
    radii : float or sequence of float
        Radius at each point, mm.
    flatten_z : float
        Height of the cross-section over its width.
    """
    curve, radius = smooth_path(points, radii, steps)
    height = max(flatten_z, 1.0)
    reach = (np.maximum(radius[:-1], radius[1:]) + REACH)[:, None] * (1.0, 1.0, height)
    lower = np.minimum(curve[:-1], curve[1:]) - reach
    upper = np.maximum(curve[:-1], curve[1:]) + reach
    pieces = list(zip(curve, curve[1:], radius, radius[1:], lower.tolist(), upper.tolist()))

    def distance(p: Points) -> np.ndarray:
        nearest = np.full(p.x.shape, REACH, np.float32)
        for start, end, r0, r1, lower, upper in pieces:
            box = p.box(lower, upper)
            if box is not None:
                part = nearest[box]
                np.minimum(part, _capsule(p.x[box], p.y[box], p.z[box], start, end, r0, r1, flatten_z), out=part)
        return nearest

    thickest = radius.max() * np.array([1.0, 1.0, height])
    return Shape(distance, tuple(curve.min(axis=0) - thickest), tuple(curve.max(axis=0) + thickest))


def _capsule(x: np.ndarray, y: np.ndarray, z: np.ndarray, start: np.ndarray, end: np.ndarray, r0: float, r1: float,
             flatten_z: float) -> np.ndarray:
    """Distance to a segment whose radius runs from r0 to r1."""
    start, along = start.astype(np.float32), (end - start).astype(np.float32)
    dx, dy, dz = x - start[0], y - start[1], (z - start[2]) / np.float32(flatten_z)
    along[2] /= np.float32(flatten_z)
    squared = max(float(along @ along), 1e-6)
    t = np.clip((dx * along[0] + dy * along[1] + dz * along[2]) / np.float32(squared), 0, 1)
    dx, dy, dz = dx - t * along[0], dy - t * along[1], dz - t * along[2]
    return np.sqrt(dx * dx + dy * dy + dz * dz) - (np.float32(r0) + t * np.float32(r1 - r0))
