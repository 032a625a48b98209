"""Taking tissue out: fat or fluid where an organ, a part of it or a lesion was."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..arrays import Floats, Mask
from .block import Block, blurred_like_scan
from .case import UNKNOWN
from .coarse import coarse_steps, grid_points, spread_out, thin_out
from .fractal import fractal_noise

NODE_MM = 3.0
FAT_HU, FAT_SD, FLUID_HU = -100.0, 15.0, 8.0
#: What counts as fat when the surroundings are asked for theirs.
FAT_RANGE = -140.0, -50.0


def remove(block: Block, mask: Mask, fill: str = "fat", seed: int = 0, noise: Floats | None = None) -> None:
    """Replace tissue by fat or fluid; its labels become 0.

    Parameters
    ----------
    block : Block
        Changed in place; some 15 mm larger than the mask, so that the surrounding fat is seen.
    mask : numpy.ndarray
        bool, of the block's shape; voxels of unknown organ stay.
    fill : str
        "fat": as the fat around it, with fine streaks; "fluid": 8 HU.
    seed : int
        Of the fat's texture.
    noise : numpy.ndarray or None
        Of the block's shape, from `Scene.noise`; None: the noise that the scan has at this very place, which is what
        was there less its own smooth part. That serves for tissue of one density; a kidney's cortex would show through.
    """
    if fill not in ("fat", "fluid"):
        raise ValueError('fill must be "fat" or "fluid"')
    mask = mask & (block.labels != UNKNOWN)
    found = ndimage.find_objects(mask.astype(np.uint8))
    if not found:
        return
    spacing = block.grid.spacing[::-1]
    # Partial volume: the organ's own blurred rim goes with it, or its outline would stay.
    grown = ndimage.binary_dilation(mask, np.ones((1, 3, 3)), iterations=max(1, round(1.2 / spacing[1])))
    grown &= (block.labels == 0) | mask
    cover = np.where(grown & (block.labels != UNKNOWN), blurred_like_scan(block, grown.astype(np.float32)), 0)
    target = _fat(block, grown, seed) if fill == "fat" else np.float32(FLUID_HU)
    if noise is None:
        noise = _own_noise(block.hu, grown, spacing)
    block.hu += cover * (target + noise - block.hu)
    block.labels[mask] = 0


def _fat(block: Block, grown: Mask, seed: int) -> Floats:
    """The surrounding fat's HU, carried in by normalised convolution, and a soft texture, HU."""
    steps = coarse_steps(block.grid.spacing, NODE_MM)
    node_mm = np.array([mm * step for mm, step in zip(reversed(block.grid.spacing), steps)])
    fat = (block.hu > FAT_RANGE[0]) & (block.hu < FAT_RANGE[1]) & (block.labels == 0) & ~grown
    weight, sums = thin_out(fat, steps), thin_out(np.where(fat, block.hu, 0), steps)
    # A little fat of the usual HU everywhere: where there is none around, it decides.
    near, total = np.float32(1e-3), np.float32(1e-3 * FAT_HU)
    for sigma in (4.0, 12.0):
        near = near + ndimage.gaussian_filter(weight, sigma / node_mm, mode="nearest")
        total = total + ndimage.gaussian_filter(sums, sigma / node_mm, mode="nearest")
    level = np.clip(total / near, FAT_HU - FAT_SD, FAT_HU + FAT_SD)
    index = [part.start + step * np.arange(n) for part, step, n in zip(block.box, steps, weight.shape)]
    texture = fractal_noise(grid_points(block.grid, index), seed, 9.0, octaves=2)
    return spread_out(level + np.float32(FAT_SD / 2) * texture, steps, block.hu.shape)


def _own_noise(hu: Floats, mask: Mask, spacing: tuple[float, ...]) -> Floats:
    """The residual of the tissue that goes; vessels and edges in it are cut down to what noise may be."""
    sigma = [0.0, *(3.0 / mm for mm in spacing[1:])]
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma, mode="nearest")
    smooth = ndimage.gaussian_filter(np.where(mask, hu, 0), sigma, mode="nearest") / np.maximum(weight, 1e-3)
    residual = np.where(mask, hu - smooth, 0)
    core = mask & (weight > 0.95)
    values = residual[core if core.any() else mask]
    middle = float(np.median(values))
    sd = 1.4826 * float(np.median(np.abs(values - middle)))
    kept = np.clip(residual - middle, -2.5 * sd, 2.5 * sd)
    return kept.astype(np.float32)
