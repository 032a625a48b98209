"""Random textures fixed in the patient: the same bumps at the same millimetres, whatever grid reads them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage

#: Nodes along each side of the noise's lattice; after so many wavelengths it repeats, farther than any organ reaches.
PERIOD = 32
#: Variance per axis that the cubic B-spline leaves of white noise on its nodes (mean over all phases).
_VARIANCE_PER_AXIS = 151.0 / 315.0


@lru_cache(maxsize=16)
def _lattice(seed: int, octave: int) -> np.ndarray:
    values = np.random.default_rng((seed, octave)).standard_normal((PERIOD,) * 3, dtype=np.float32)
    return values / np.float32(_VARIANCE_PER_AXIS**1.5)


def fractal_noise(points: np.ndarray, seed: int, bump_mm: float, octaves: int = 3, gain: float = 0.5) -> np.ndarray:
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
    power, height = 0.0, 1.0
    for octave in range(octaves):
        scale = np.float32(2**octave / bump_mm)
        # Octaves turned against each other would hide the lattice still better; shifting them is enough at organ size.
        places = np.stack([axis * scale + np.float32(octave * 7.3) for axis in points])
        noise += np.float32(height) * ndimage.map_coordinates(_lattice(seed, octave), places, order=3,
                                                              mode="grid-wrap", prefilter=False)
        power += height * height
        height *= gain
    return noise / np.float32(np.sqrt(power))
