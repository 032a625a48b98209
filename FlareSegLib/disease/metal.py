"""Metal and the streaks that it throws over its slices."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .block import Block, blurred_like_scan
from .case import UNKNOWN

METAL_HU = 2800.0
#: The slices' streaks are worked out on at most so many pixels a side.
RESOLUTION = 160
#: HU that the darkest and brightest streaks reach at strength 1, near the metal.
STREAK_HU = 250.0


def clip_streaks(block: Block, metal: np.ndarray, strength: float, seed: int) -> None:
    """Put metal into a block, with streaks in the slices that it lies in.

    The metal's shadow in the slice's parallel projections is filled with noise and dips where the metal is thick
    (photon starvation, beam hardening); its filtered back-projection is what the scanner would add as streaks.

    Parameters
    ----------
    block : Block
        Changed in place: wide in plane, or the streaks end at its border (they fade there).
    metal : numpy.ndarray
        float32 0 to 1 or bool, of the block's shape: how much metal a voxel holds.
    strength : float
        0 no streaks, 1 strong ones.
    seed : int
        Of the noise.
    """
    metal = np.where(block.labels == UNKNOWN, 0, np.asarray(metal, np.float32))
    if not metal.any():
        return
    slices = np.flatnonzero(metal.max(axis=(1, 2)) > 0.02)
    if strength > 0:
        window = _window(block.hu.shape[1:])
        for k in slices:
            streaks = _streaks(metal[k], np.random.default_rng((seed, int(k) + block.box[0].start)))
            tissue = np.clip((block.hu[k] + 1000) / 1000, 0, 1)
            changed = np.float32(strength * STREAK_HU) * streaks * window * tissue
            block.hu[k] += np.where((np.abs(changed) < 0.5) | (block.labels[k] == UNKNOWN), 0, changed)
    cover = blurred_like_scan(block, metal[slices])
    # The smallest clips saturate a CT all the same: their core is kept as bright as metal is.
    cover = np.where(block.labels[slices] == UNKNOWN, 0, np.maximum(cover, metal[slices]))
    block.hu[slices] += cover * np.maximum(METAL_HU - block.hu[slices], 0)


def _streaks(metal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Streaks of a slice, some -1 to 1 near the metal, at reduced resolution and back."""
    from skimage.transform import iradon, radon, resize

    side = max(metal.shape)
    square = np.zeros((side, side), np.float32)
    square[:metal.shape[0], :metal.shape[1]] = metal
    small = min(side, RESOLUTION)
    image = resize(square, (small, small), order=1, anti_aliasing=True) if small < side else square
    angles = np.linspace(0, 180, int(1.6 * small), endpoint=False)
    shadow = radon(image, angles, circle=False)
    depth = shadow / max(float(shadow.max()), 1e-6)
    # Neighbouring projections err alike, so that streaks are few and broad.
    grain = ndimage.gaussian_filter(rng.standard_normal(shadow.shape), (0, 2), mode="wrap")
    error = depth * grain * 2.5 - 1.5 * depth * depth
    back = iradon(error, angles, filter_name="hann", circle=False, output_size=small)
    back -= np.median(back)
    back /= max(float(np.percentile(np.abs(back), 99.5)), 1e-6)
    streaks = resize(back, (side, side), order=1) if small < side else back
    return np.clip(streaks[:metal.shape[0], :metal.shape[1]], -1.5, 1.5).astype(np.float32)


def _window(shape) -> np.ndarray:
    """1 in the middle, 0 at the border."""
    parts = [np.clip(np.minimum(np.arange(n), np.arange(n)[::-1]) / max(1.0, 0.15 * n), 0, 1) for n in shape]
    return (parts[0][:, None] * parts[1][None, :]).astype(np.float32)
