"""Bodies that lesions have: signed-distance shapes in the patient (LPS, mm), made irregular by fractal noise."""

from __future__ import annotations

import numpy as np

from ..arrays import Floats, Mask
from ..shapes import Shape, ellipsoid, tube, union
from .block import PatientPoints
from .case import Vector
from .fractal import fractal_noise

#: Fractal noise of SD 1 hardly ever leaves this range; boxes reckon with it.
NOISE_REACH = 3.0
#: Finer bumps than this no scan shows.
FINEST_MM = 3.0


def random_turn(rng: np.random.Generator) -> np.ndarray:
    """A rotation matrix, all orientations alike."""
    turn, r = np.linalg.qr(rng.standard_normal((3, 3)))
    turn = turn * np.sign(np.diag(r))
    return turn if np.linalg.det(turn) > 0 else -turn


def random_direction(rng: np.random.Generator) -> np.ndarray:
    """A unit vector, all directions alike."""
    vector = rng.standard_normal(3)
    return vector / np.linalg.norm(vector)


def irregular(shape: Shape, amount_mm: float, bump_mm: float, seed: int, octaves: int = 3) -> Shape:
    """A body whose surface wanders in and out; `amount_mm` is the SD, `bump_mm` half the width of a bump."""
    if amount_mm <= 0:
        return shape
    margin = NOISE_REACH * amount_mm
    octaves = min(octaves, 1 + int(np.log2(max(bump_mm / FINEST_MM, 1))))

    def distance(points: PatientPoints) -> Floats:
        # Only near the surface, where it tells; farther in and out it fades away.
        result = np.array(shape.distance(points), np.float32)
        near = np.abs(result) < 2 * margin
        noise = _noise_where(near, points, seed, bump_mm, octaves)
        fade = np.minimum(2 - np.abs(result[near]) / np.float32(margin), 1)
        result[near] -= np.float32(amount_mm) * fade * np.clip(noise, -NOISE_REACH, NOISE_REACH)
        return result

    return Shape(distance, tuple(v - margin for v in shape.lower), tuple(v + margin for v in shape.upper))


def _noise_where(mask: Mask, points: PatientPoints, seed: int, bump_mm: float, octaves: int) -> Floats:
    """Fractal noise at the points of a mask; where those are many, read on the whole grid, which is quicker there."""
    if points.x.ndim == 3 and np.count_nonzero(mask) > 0.05 * mask.size:
        return fractal_noise((points.x, points.y, points.z), seed, bump_mm, octaves)[mask]
    return fractal_noise((points.x[mask], points.y[mask], points.z[mask]), seed, bump_mm, octaves)


def lump(centre: Vector, diameter_mm: float, seed: int, irregularity: float = 0.1, elongation: float = 1.0,
         turn: np.ndarray | None = None) -> Shape:
    """An irregular ellipsoid of the volume of a ball of this diameter.

    Parameters
    ----------
    irregularity : float
        SD of the surface over the radius: 0 a cyst, 0.15 a tumour, 0.3 ragged.
    elongation : float
        Longest over shortest axis.
    turn : numpy.ndarray
        Rotation matrix; random where it is left out.
    """
    radius = diameter_mm / 2
    stretch = elongation ** np.array([2 / 3, -1 / 3, -1 / 3]) if elongation != 1 else np.ones(3)
    if turn is None:
        turn = random_turn(np.random.default_rng((seed, 1)))
    body = ellipsoid(centre, radius * stretch, turn)
    return irregular(body, irregularity * radius, max(0.7 * radius, 2.0), seed)


def lobulated(centre: Vector, diameter_mm: float, seed: int, lobes: int = 5, irregularity: float = 0.05) -> Shape:
    """A mass of several round lobes grown into one; about the volume of a ball of this diameter."""
    rng, radius = np.random.default_rng((seed, 2)), diameter_mm / 2
    middle = np.asarray(centre, float)
    balls = [ellipsoid(tuple(middle), (0.8 * radius,) * 3)]
    for _ in range(max(0, lobes - 1)):
        size = rng.uniform(0.4, 0.6) * radius
        balls.append(ellipsoid(tuple(middle + random_direction(rng) * (0.95 * radius - 0.55 * size)), (size,) * 3))
    return irregular(union(*balls, blend=0.35 * radius), irregularity * radius, 0.5 * radius, seed)


def wedge(apex: Vector, base: Vector, half_angle_degrees: float, seed: int, irregularity_mm: float = 0.7) -> Shape:
    """A cone from an apex (at the hilum) to a base (beyond the capsule), LPS mm, slightly wavy."""
    apex, base = np.asarray(apex, float), np.asarray(base, float)
    length = float(np.linalg.norm(base - apex))
    axis = ((base - apex) / max(length, 1e-6)).astype(np.float32)
    sine, cosine = (np.float32(f(np.radians(half_angle_degrees))) for f in (np.sin, np.cos))

    def distance(points: PatientPoints) -> Floats:
        dx, dy, dz = (c - np.float32(a) for c, a in zip((points.x, points.y, points.z), apex))
        along = axis[0] * dx + axis[1] * dy + axis[2] * dz
        aside = np.sqrt(np.maximum(dx * dx + dy * dy + dz * dz - along * along, 0))
        return np.maximum(np.maximum(aside * cosine - along * sine, along - np.float32(length)), -along)

    spread = length * np.tan(np.radians(half_angle_degrees))
    lower, upper = np.minimum(apex, base) - spread, np.maximum(apex, base) + spread
    return irregular(Shape(distance, tuple(lower), tuple(upper)), irregularity_mm, 4.0, seed)


def winding_tube(start: Vector, direction: Vector, length_mm: float, radius_mm: float, seed: int,
                 turn_degrees: float = 20.0, branches: int = 0, taper: float = 0.5) -> Shape:
    """A tube on a random walk, with side branches: a laceration, a clotted vessel, a dilated duct.

    Parameters
    ----------
    start : sequence of float
        LPS, mm.
    direction : sequence of float
        It sets out this way.
    turn_degrees : float
        SD of the turn at every fifth of its length.
    branches : int
        Side tubes, half as long and two thirds as thick.
    taper : float
        Radius at the end over that at the start.
    """
    rng = np.random.default_rng((seed, 3))
    points = [np.asarray(start, float)]
    heading = np.asarray(direction, float) / np.linalg.norm(direction)
    for _ in range(5):
        heading = heading + np.tan(np.radians(turn_degrees)) * rng.standard_normal(3) / np.sqrt(2)
        heading /= np.linalg.norm(heading)
        points.append(points[-1] + heading * length_mm / 5)
    tubes = [tube(points, np.linspace(1, taper, 6) * radius_mm)]
    for number in range(branches):
        root = points[1 + int(rng.integers(4))]
        aside = heading + 1.5 * random_direction(rng)
        tubes.append(winding_tube(root, aside, length_mm / 2, 0.67 * radius_mm, seed + 101 * (number + 1),
                                  turn_degrees))
    return union(*tubes, blend=0.5 * radius_mm) if len(tubes) > 1 else tubes[0]
