"""Random textures fixed in the patient: the same bumps at the same millimetres, whatever grid reads them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import ndimage

from ..arrays import Floats
from .case import Grid
from .coarse import coarse_steps, node_count, node_points, spread_out

#: Nodes along each side of the noise's lattice; after so many wavelengths it repeats, farther than any organ reaches.
PERIOD = 32
#: Octaves are shifted against each other, so that their lattices do not coincide, by so many nodes each.
OCTAVE_SHIFT = 7.3
#: On a regular grid noise is read at nodes this share of a bump apart, where there are more points than `FEW_POINTS`.
NODES_OF_BUMP, FEW_POINTS = 0.3, 20_000
#: A grid's axes are the patient's where their unit vectors differ by less than this.
ALIGNED = 1e-4
#: Variance per axis that the cubic B-spline leaves of white noise on its nodes (mean over all phases).
_VARIANCE_PER_AXIS = 151.0 / 315.0


@lru_cache(maxsize=16)
def _lattice(seed: int, octave: int) -> Floats:
    values = np.random.default_rng((seed, octave)).standard_normal((PERIOD,) * 3, dtype=np.float32)
    return values / np.float32(_VARIANCE_PER_AXIS**1.5)


def fractal_noise(points: Sequence[np.ndarray], seed: int, bump_mm: float, octaves: int = 3,
                  gain: float = 0.5) -> Floats:
    """Fractional Brownian noise of mean 0 and SD 1.

    Parameters
    ----------
    points : sequence of three numpy.ndarray
        x, y, z in LPS, mm, of one shape.
    seed : int
        Not negative.
    bump_mm : float
        Distance of the coarsest lattice's nodes; a bump is about twice as wide.
    octaves : int
        Each is twice as fine and `gain` times as high as the one before.

    Returns
    -------
    numpy.ndarray
        float32, of the points' shape.
    """
    noise = np.zeros(points[0].shape, np.float32)
    frame = _frame(points) if noise.ndim == 3 else None
    power, height = 0.0, 1.0
    for octave in range(octaves):
        noise += np.float32(height) * _octave(points, frame, seed, octave, bump_mm / 2**octave)
        power += height * height
        height *= gain
    return noise / np.float32(np.sqrt(power))


def _octave(points: Sequence[np.ndarray], frame: Grid | None, seed: int, octave: int, bump_mm: float) -> Floats:
    """Noise of one size of bumps; on a regular grid only as densely as the bumps need, and linear between."""
    if frame is None:
        return _read(points, seed, octave, bump_mm)
    steps = coarse_steps(frame.spacing, bump_mm * NODES_OF_BUMP) if points[0].size > FEW_POINTS else (1, 1, 1)
    if np.abs(frame.direction - np.eye(3).ravel()).max() < ALIGNED:
        nodes = _read_aligned(frame, steps, seed, octave, bump_mm)
    else:
        nodes = _read(node_points(frame, frame.whole, steps), seed, octave, bump_mm)
    return spread_out(nodes, steps, frame.shape)


def _read(points: Sequence[np.ndarray], seed: int, octave: int, bump_mm: float) -> Floats:
    scale, shift = np.float32(1 / bump_mm), np.float32(octave * OCTAVE_SHIFT)
    places = np.stack([axis * scale + shift for axis in points])
    return ndimage.map_coordinates(_lattice(seed, octave), places, order=3, mode="grid-wrap", prefilter=False)


def _read_aligned(frame: Grid, steps: tuple[int, ...], seed: int, octave: int, bump_mm: float) -> Floats:
    """The same on the nodes of a grid whose axes are the patient's: one axis after the other, which is far quicker."""
    values = _lattice(seed, octave).T
    for axis, (count, step) in enumerate(zip(node_count(frame.shape, steps), steps)):
        xyz = 2 - axis
        place = (frame.origin[xyz] + frame.matrix[xyz, xyz] * step * np.arange(count)) / bump_mm + octave * OCTAVE_SHIFT
        low = np.floor(place).astype(int)
        t = place - low
        # The cubic B-spline's weights of the four nodes around a place.
        weights = (1 - t)**3 / 6, 2 / 3 - t * t * (2 - t) / 2, 2 / 3 - (1 - t)**2 * (1 + t) / 2, t**3 / 6
        shape = [-1 if a == axis else 1 for a in range(3)]
        values = sum(weight.astype(np.float32).reshape(shape) * values.take(low + n - 1, axis, mode="wrap")
                     for n, weight in enumerate(weights))
    return values


def _frame(points: Sequence[np.ndarray]) -> Grid | None:
    """The regular grid that points lie on; None where they lie otherwise."""
    corner = np.array([axis[0, 0, 0] for axis in points], float)
    last = np.array(points[0].shape) - 1
    if not last.all():
        return None
    ends = np.eye(3, dtype=int) * last
    steps = np.array([[axis[tuple(end)] for axis in points] for end in ends], float) - corner
    steps /= last[:, None]
    middle = last // 2
    for index in (last, middle):
        if not np.allclose(corner + index @ steps, [axis[tuple(index)] for axis in points], atol=0.02):
            return None
    spacing = np.maximum(np.linalg.norm(steps, axis=1), 1e-6)
    return Grid(points[0].shape, tuple(spacing[::-1]), tuple(corner), tuple((steps / spacing[:, None])[::-1].T.ravel()))
