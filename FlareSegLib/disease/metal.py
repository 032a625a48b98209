"""Metal and the streaks that it throws over its slices."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

from ..arrays import Floats
from .block import Block, blurred_like_scan
from .case import UNKNOWN, Box

METAL_HU = 2800.0
#: The slices' streaks are worked out on at most so many pixels a side.
RESOLUTION = 160
#: Directions of the projections; less metal than this in a voxel throws no shadow.
VIEWS, LEAST_METAL = 120, 0.02
#: The nearest of so many samples between two of the detector's is read.
FINE = 8
#: HU that the darkest and brightest streaks reach at strength 1, near the metal.
STREAK_HU = 250.0


def clip_streaks(block: Block, metal: np.ndarray, strength: float, seed: int) -> None:
    """Put metal into a block, with streaks in the slices that it lies in.

    The metal's shadow in the slice's parallel projections is filled with noise and dips where the metal is thick
    (photon starvation, beam hardening); its filtered back-projection is what the scanner would add as streaks.

    Parameters
    ----------
    block : Block
        Changed in place. The streaks run through all of the block that it is a `part` of, or end at its own border
        (they fade there).
    metal : numpy.ndarray
        float32 0 to 1 or bool, of the block's shape: how much metal a voxel holds.
    strength : float
        0 no streaks, 1 strong ones.
    seed : int
        Of the noise.
    """
    metal = np.where(block.labels == UNKNOWN, 0, np.asarray(metal, np.float32))
    slices = np.flatnonzero(metal.max(axis=(1, 2)) > LEAST_METAL)
    if not len(slices):
        return
    if strength > 0:
        _add_streaks(block.outer or block, block.box, metal[slices], slices, strength, seed)
    cover = blurred_like_scan(block, metal[slices])
    # The smallest clips saturate a CT all the same: their core is kept as bright as metal is.
    cover = np.where(block.labels[slices] == UNKNOWN, 0, np.maximum(cover, metal[slices]))
    block.hu[slices] += cover * np.maximum(METAL_HU - block.hu[slices], 0)


def _add_streaks(block: Block, box: Box, metal: Floats, slices: np.ndarray, strength: float, seed: int) -> None:
    """Add the streaks of metal, which lies in a box of the case, to a block's slices."""
    numbers, (first, *corner) = slices + box[0].start, [inner.start - outer.start
                                                        for inner, outer in zip(box, block.box)]
    streaks = _streaks(metal, tuple(corner), block.hu.shape[1:], numbers, seed)
    streaks *= np.float32(strength * STREAK_HU) * _window(streaks.shape[1:])
    for k, own in zip(slices + first, streaks):
        tissue = np.clip(block.hu[k] * np.float32(1e-3) + 1, 0, 1)
        block.hu[k] += np.where(block.labels[k] == UNKNOWN, 0, _enlarged(own, block.hu.shape[1:]) * tissue)


def _streaks(metal: Floats, corner: tuple[int, ...], whole: tuple[int, ...], numbers: np.ndarray, seed: int) -> Floats:
    """Streaks of slices, some -1 to 1 near the thickest metal, on at most `RESOLUTION` pixels a side.

    Parameters
    ----------
    metal : numpy.ndarray
        float32 (slices, j, i).
    corner, whole : sequence of int
        Where that lies in the slices (j, i), and the slices' own shape.
    numbers : numpy.ndarray
        The slices' own, for their noise.
    """
    every = -(-max(whole) // RESOLUTION)
    shape = tuple(-(-n // every) for n in whole)
    reach = int(np.ceil(np.hypot(shape[0], shape[1]))) // 2 + 2
    angles = np.linspace(0, np.pi, VIEWS, endpoint=False)
    shadow = _shadow(metal, corner, every, shape, angles, reach)
    depth = shadow / max(float(shadow.max()), 1e-6)
    # Neighbouring projections err alike, so that streaks are few and broad.
    grain = np.stack([np.random.default_rng((seed, int(number))).standard_normal(shadow.shape[1:], np.float32)
                      for number in numbers])
    grain = ndimage.gaussian_filter(grain, (0, 1.0, 0), mode="wrap") * np.float32(1.9)
    back = _back_projection(_filtered(depth * grain * 2.5 - 1.5 * depth * depth), shape, angles, reach)
    back -= np.median(back, axis=(1, 2), keepdims=True)
    return np.clip(back / max(float(np.percentile(np.abs(back), 99.5)), 1e-6), -1.5, 1.5)


def _shadow(metal: Floats, corner: tuple[int, ...], every: int, shape: tuple[int, ...], angles: np.ndarray,
            reach: int) -> Floats:
    """Parallel projections (slices, views, detector pixels) of the few voxels that hold metal."""
    place = np.argwhere(metal > LEAST_METAL)
    share = metal[tuple(place.T)]
    j, i = ((place[:, axis + 1] + corner[axis] + 0.5) / every - 0.5 - (shape[axis] - 1) / 2 for axis in (0, 1))
    at = np.cos(angles)[:, None] * i + np.sin(angles)[:, None] * j + reach
    low = np.floor(at).astype(int)
    cells = (place[:, 0] * len(angles) + np.arange(len(angles))[:, None]) * (2 * reach + 1)
    count = metal.shape[0] * len(angles) * (2 * reach + 1)
    before, after = (np.bincount((cells + low + step).ravel(), (np.abs(1 - step - (at - low)) * share).ravel(), count)
                     for step in (0, 1))
    return (before + after).reshape(metal.shape[0], len(angles), -1).astype(np.float32)


def _filtered(projections: Floats) -> Floats:
    """The ramp of filtered back-projection, softened (Hann), along the detector."""
    size = fft.next_fast_len(2 * projections.shape[2], real=True)
    frequency = fft.rfftfreq(size)
    ramp = (2 * frequency * np.cos(np.pi * frequency) ** 2).astype(np.float32)
    return fft.irfft(fft.rfft(projections, size, axis=2) * ramp, size, axis=2)[:, :, :projections.shape[2]]


def _back_projection(projections: Floats, shape: tuple[int, ...], angles: np.ndarray, reach: int) -> Floats:
    """Each pixel's mean over the views of what was seen through it, float32 (slices, j, i)."""
    j, i = (np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in shape)
    back = np.zeros((shape[0] * shape[1], len(projections)), np.float32)
    parts = np.arange(FINE, dtype=np.float32)[:, None] / FINE
    # All slices' values lie side by side.
    for view, angle in zip(np.ascontiguousarray(projections.transpose(1, 2, 0)), angles):
        fine = (view[:-1, None] + parts * np.diff(view, axis=0)[:, None]).reshape(-1, view.shape[1])
        at = np.float32(FINE * np.cos(angle)) * i[None, :] + np.float32(FINE * np.sin(angle)) * j[:, None]
        back += fine.take((at + np.float32(FINE * reach + 0.5)).astype(np.intp).ravel(), 0)
    return back.T.reshape(len(projections), *shape) / np.float32(len(angles))


def _enlarged(small: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A slice's streaks on all of its pixels, linear between; float32, or float64 where they are fewer."""
    every = -(-max(shape) // RESOLUTION)
    if every == 1:
        return small
    places = [np.clip((np.arange(n, dtype=np.float32) + 0.5) / every - 0.5, 0, m - 1)
              for n, m in zip(shape, small.shape)]
    for axis, at in enumerate(places):
        low = at.astype(np.intp)
        part = (at - low).reshape((-1, 1) if axis == 0 else (1, -1))
        here = small.take(low, axis)
        small = here + part * (small.take(np.minimum(low + 1, small.shape[axis] - 1), axis) - here)
    return small


def _window(shape: tuple[int, ...]) -> Floats:
    """1 in the middle, 0 at the border."""
    parts = [np.clip(np.minimum(np.arange(n), np.arange(n)[::-1]) / max(1.0, 0.15 * n), 0, 1) for n in shape]
    return (parts[0][:, None] * parts[1][None, :]).astype(np.float32)
