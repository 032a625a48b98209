"""Another way of scanning the same patient: dose, reconstruction kernel, slice thickness, field of view.

Only the image changes. What would change the grid (other slice distances, missing slices, a cropped volume) is no part
of this: labels would have to be resampled with it, which is what the training's own augmentation does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...arrays import Floats
from ..block import Block, Change
from ..case import LABEL_OF, LOWEST_HU, UNKNOWN
from ..coarse import coarse_steps, spread_out, thin_out
from ..operation import Disease, Operation
from ..parameters import quantity
from ..scene import Scene

#: Sigma of the softest kernel; the sharpest one lifts what a Gaussian of the second takes out, by the third.
SOFTEST_MM, SHARP_MM, SHARPEST = 1.2, 0.7, 1.2
#: Noise has no border: a tile of so many columns goes on and on.
TILE = 256
#: Outside the body noise is so much weaker, and it rises towards the middle over so many mm.
OUTSIDE_NOISE, RISE_MM = 0.3, 25.0
BODY_HU, NODE_MM = -400.0, 6.0
#: Where the body is cut off, the image is too bright by so much, falling to 1 / e over so many mm.
TRUNCATION_HU, TRUNCATION_MM = 140.0, 7.0
#: The field of view reaches so far around the organs at least.
AROUND_ORGANS_MM = 8.0


@dataclass(frozen=True)
class Acquisition:
    """Parameters of `acquisition`."""

    noise: float = quantity(15, 2, 60, "HU", "SD of the noise that comes on top (less dose)", usual=(4, 30))
    kernel: float = quantity(0, -1, 1, "", "Reconstruction kernel: -1 sharp, 0 as it is, 1 soft", usual=(-0.7, 0.9))
    thickness: float = quantity(0, 0, 10, "mm", "Thickness of the slices, where they are thinner", usual=(0, 7))
    field_of_view: float = quantity(500, 200, 500, "mm", "Diameter of the field of view; it never cuts one of the "
                                                         "organs",
                                    usual=(330, 500))


def edit(scene: Scene, operation: Operation) -> Change:
    """Scan the patient again; labels stay."""
    p: Acquisition = operation.parameters
    block = scene.block_of(scene.case.grid.whole)
    unknown = block.labels == UNKNOWN
    kept = block.hu[unknown]
    weights = slice_profile(p.thickness, block.grid.spacing[2])
    _filter(block.hu, block.grid.spacing, p.kernel, weights)
    _add_noise(scene, block, p, weights, operation.seed)
    _cut_off(block, p.field_of_view)
    block.hu[unknown] = kept
    return block.change(contrast_changed=True)


def slice_profile(thickness_mm: float, spacing_mm: float) -> np.ndarray:
    """Weights of neighbouring slices (an odd number, sum 1) that make slices of this thickness out of thinner ones.

    The slices are taken to be as thick as they lie apart. A box of width w has the variance w² / 12, and variances of
    blurs add: the weights have what is missing.
    """
    missing = max((thickness_mm / spacing_mm) ** 2 - 1, 0) / 12
    reach = 0
    while reach * (reach + 1) / 3 < missing:
        reach += 1
    if reach == 0:
        return np.ones(1)
    # Equal weights of 2 n + 1 slices have the variance n (n + 1) / 3; between two of those, a mix of both.
    low, high = reach * (reach - 1) / 3, reach * (reach + 1) / 3
    share = (missing - low) / (high - low)
    weights = np.full(2 * reach + 1, share / (2 * reach + 1))
    weights[1:-1] += (1 - share) / (2 * reach - 1)
    return weights


def _filter(values: Floats, spacing: tuple[float, ...], kernel: float, weights: np.ndarray,
            mode: str = "nearest") -> None:
    """Blur or sharpen slices (k, j, i) in plane, then mix neighbouring ones; in place."""
    if kernel:
        sigma = [(kernel * SOFTEST_MM if kernel > 0 else SHARP_MM) / mm for mm in spacing[1::-1]]
        for plane in values:
            smooth = ndimage.gaussian_filter(plane, sigma, mode=mode, truncate=3.0)
            plane[:] = smooth if kernel > 0 else plane - np.float32(SHARPEST * kernel) * (plane - smooth)
    if len(weights) > 1:
        values[:] = ndimage.correlate1d(values, weights, axis=0, mode="nearest")


def _add_noise(scene: Scene, block: Block, p: Acquisition, weights: np.ndarray, seed: int) -> None:
    """Add noise of the scan's own grain, as kernel and slice thickness make it; its SD in the body is as asked for."""
    model = scene.noise(next(name for name in LABEL_OF if scene.has(name)))
    slices, *size = block.hu.shape
    # Thick slices at the ends are made of others, too.
    spare = len(weights) // 2
    tile = model.sample((slices + 2 * spare, *(min(n, TILE) for n in size)), seed)
    _filter(tile, block.grid.spacing, p.kernel, weights, mode="wrap")
    tile = tile[spare:spare + slices]
    tile *= np.float32(p.noise / max(float(tile.std(dtype=np.float64)), 1e-3))
    rows, columns = (np.arange(n) % width for n, width in zip(size, tile.shape[1:]))
    steps = _steps(block)
    body = _smooth_in_plane(thin_out(block.hu > BODY_HU, steps), block, steps, RISE_MM)
    strength = OUTSIDE_NOISE + (1 - OUTSIDE_NOISE) * np.minimum(1.15 * body, 1)
    for k in range(slices):
        here = spread_out(strength[k:k + 1], steps, (1, *size))[0]
        block.hu[k] += here * tile[k][rows][:, columns]


def _steps(block: Block) -> tuple[int, ...]:
    return (1, *coarse_steps(block.grid.spacing, NODE_MM)[1:])


def _smooth_in_plane(nodes: Floats, block: Block, steps: tuple[int, ...], sigma_mm: float) -> Floats:
    sigma = [0.0, *(sigma_mm / (mm * step) for mm, step in zip(block.grid.spacing[1::-1], steps[1:]))]
    return ndimage.gaussian_filter(nodes, sigma, mode="nearest", truncate=3.0)


def _cut_off(block: Block, diameter: float) -> None:
    """Leave nothing outside a circle about the middle of the slices; the body's cut shows as a bright rim."""
    radii = _from_middle(block)
    organs = np.isin(block.labels, list(LABEL_OF.values())).any(axis=0)
    radius = max(diameter / 2, float(radii[organs].max(initial=0)) + AROUND_ORGANS_MM)
    outside = radii > radius
    if not outside.any():
        return
    steps = _steps(block)
    cut = _smooth_in_plane(thin_out((block.hu > BODY_HU) & outside, steps), block, steps, 2 * TRUNCATION_MM)
    rim = np.float32(TRUNCATION_HU) * np.exp(np.minimum(radii - radius, 0) / np.float32(TRUNCATION_MM))
    near = rim > 1
    for k, plane in enumerate(block.hu):
        if cut[k].any():
            share = spread_out(cut[k:k + 1], steps, (1, *plane.shape))[0]
            plane[near] += (np.minimum(3 * share, 1) * rim)[near]
        plane[outside] = LOWEST_HU


def _from_middle(block: Block) -> Floats:
    """Distance (mm) of each column of voxels from the middle of the slices, float32 (j, i)."""
    j, i = ((np.arange(n, dtype=np.float32) - (n - 1) / 2) * mm
            for n, mm in zip(block.hu.shape[1:], block.grid.spacing[1::-1]))
    return np.hypot(j[:, None], i[None, :]).astype(np.float32)


DISEASES = (Disease("acquisition", "Another acquisition", "The same patient scanned otherwise: more noise, another "
                    "kernel, thicker slices, a narrow field of view.", (), Acquisition, edit, whole_organ=True),)
