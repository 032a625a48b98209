"""Augmentation of training slices: shape, contrast between organs, contrast phase, acquisition.

Left and right are never mirrored: the network has to learn on which side the liver lies. HU shifts an organ
at a time follow the FLARE21 winner's recipe; damping everything brighter than muscle, and now and
then taking all medium away, imitate scans without it, which the data have little of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..arrays import Floats, Labels
from ..disease.phase import phase_hu
from ..preprocessing.inplane import AIR_HU

MUSCLE_HU = 45.0
NATIVE_HU = 40.0  # parenchyma without contrast medium: kidney 30, pancreas 40, spleen 50, liver 55
#: Range of the factor on an organ's enhancement, by label; the kidneys' varies most over the phases.
ENHANCEMENT = {2: (0.3, 2.6)}
OTHER_ENHANCEMENT = (0.4, 1.6)
#: What organs measure without contrast medium, by label, and how much of what is brighter than muscle counts as medium.
NATIVE = {1: phase_hu("native", "liver"), 2: phase_hu("native", "renal cortex"), 3: phase_hu("native", "spleen"),
          4: phase_hu("native", "pancreas")}
MOST_MEDIUM_HU = 220.0


@dataclass(frozen=True)
class AugmentationSettings:
    """Ranges and probabilities; HU, pixels, degrees."""

    rotation_degrees: float = 20.0
    scale: tuple[float, float] = (0.78, 1.28)
    stretch: float = 0.08
    shift_pixels: float = 20.0
    elastic_pixels: float = 5.0
    spatial_probability: float = 0.8
    organ_shift_hu: float = 18.0
    organ_shift_probability: float = 0.5
    wide_organ_shift_hu: tuple[float, float] = (-80.0, 130.0)
    wide_organ_shift_fraction: float = 0.2
    enhancement_fraction: float = 0.5
    native_probability: float = 0.15
    native_left: float = 0.15
    native_spread_hu: float = 9.0
    damping_probability: float = 0.3
    damping: tuple[float, float] = (0.1, 1.0)
    boost_probability: float = 0.15
    boost: tuple[float, float] = (1.0, 1.4)
    global_shift_hu: float = 8.0
    global_scale: float = 0.08
    noise_hu: float = 30.0
    noise_probability: float = 0.4
    blur_probability: float = 0.2
    field_of_view_probability: float = 0.1


def augment(image: Floats, labels: Labels, grid: tuple[int, int], rng: np.random.Generator,
            settings: AugmentationSettings = AugmentationSettings()) -> tuple[torch.Tensor, torch.Tensor]:
    """Return one augmented slice, with its neighbours, on the network's grid.

    Parameters
    ----------
    image, labels : numpy.ndarray
        HU (float32) and label values (uint8), (slices, rows, columns), at the working spacing; all slices are changed
        alike but for noise.
    grid : tuple of int
        Rows and columns of the network's input; the slice is centred on it.

    Returns
    -------
    image : torch.Tensor
        HU, float32, (slices, *grid).
    labels : torch.Tensor
        Of the middle slice, int64, of shape `grid`.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))
    values = torch.from_numpy(np.ascontiguousarray(labels))
    pixels = shift_organs(pixels, values, rng, settings)
    if rng.random() < settings.native_probability:
        pixels = take_contrast_away(pixels, values, rng, settings)
    points = sampling_points(pixels.shape[1:], grid, rng, settings)
    warped = F.grid_sample(pixels[None] - AIR_HU, points, mode="bicubic", align_corners=False)[0] + AIR_HU
    middle = values[len(values) // 2]
    moved = F.grid_sample(middle[None, None].float(), points, mode="nearest", align_corners=False)[0, 0].long()
    warped = change_contrast(warped.clamp(AIR_HU, 3071.0), rng, settings)
    return change_acquisition(warped, rng, settings), moved


def sampling_points(shape: torch.Size, grid: tuple[int, int], rng: np.random.Generator,
                    settings: AugmentationSettings) -> torch.Tensor:
    """Affine and elastic sampling positions (1, rows, columns, 2) in grid_sample's convention."""
    rows = torch.arange(grid[0], dtype=torch.float32) - (grid[0] - 1) / 2
    columns = torch.arange(grid[1], dtype=torch.float32) - (grid[1] - 1) / 2
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    if rng.random() < settings.spatial_probability:
        angle = np.radians(rng.uniform(-1, 1) * settings.rotation_degrees)
        scale = np.exp(rng.uniform(*np.log(settings.scale)))
        stretch = 1 + rng.uniform(-1, 1) * settings.stretch
        cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
        y, x = (cosine * y - sine * x) * stretch, (sine * y + cosine * x) / stretch
        coarse = torch.from_numpy(rng.normal(size=(1, 2, 7, 7)).astype(np.float32))
        bend = F.interpolate(coarse, grid, mode="bicubic", align_corners=False)[0]
        bend = bend * float(rng.uniform(0, settings.elastic_pixels))
        y, x = y + bend[0], x + bend[1]
    y = y + float(rng.uniform(-1, 1) * settings.shift_pixels)
    x = x + float(rng.uniform(-1, 1) * settings.shift_pixels)
    return torch.stack((x * 2 / shape[1], y * 2 / shape[0]), dim=-1)[None]


def shift_organs(pixels: torch.Tensor, values: torch.Tensor, rng: np.random.Generator,
                 settings: AugmentationSettings) -> torch.Tensor:
    """Brighten or darken each organ by its own amount, with a soft edge.

    Some changes are wide, or scale the organ's enhancement: contrast phases that the training data lack, such as a
    bright nephrogram, which makes a kidney twice as bright as in the portal phase.
    """
    for label in torch.unique(values).tolist():
        if label in (0, 255) or rng.random() > settings.organ_shift_probability:
            continue
        mask = _soft_mask(values, label)
        draw = rng.random()
        if draw < settings.enhancement_fraction:
            pixels = scale_enhancement(pixels, mask, label, rng)
        elif draw < settings.enhancement_fraction + settings.wide_organ_shift_fraction:
            pixels = pixels + mask * float(rng.uniform(*settings.wide_organ_shift_hu))
        else:
            pixels = pixels + mask * float(rng.normal(0, settings.organ_shift_hu))
    return pixels


def take_contrast_away(pixels: torch.Tensor, values: torch.Tensor, rng: np.random.Generator,
                       settings: AugmentationSettings) -> torch.Tensor:
    """Leave little of the contrast medium, and give each organ what it measures without; noise stays as it was."""
    medium = (_blur(pixels, 1.0) - MUSCLE_HU).clamp(0.0, MOST_MEDIUM_HU)
    pixels = pixels - medium * (1.0 - float(rng.uniform(0.0, settings.native_left)))
    for label, hu in NATIVE.items():
        mask = _soft_mask(values, label)
        pixels = pixels + mask * (float(rng.normal(hu, settings.native_spread_hu)) - MUSCLE_HU)
    return pixels


def scale_enhancement(pixels: torch.Tensor, mask: torch.Tensor, label: int, rng: np.random.Generator) -> torch.Tensor:
    """Multiply what contrast medium adds to an organ; the smoothed image is scaled, so that noise stays as it was."""
    factor = float(np.exp(rng.uniform(*np.log(ENHANCEMENT.get(label, OTHER_ENHANCEMENT)))))
    added = _blur(pixels, 1.0) - NATIVE_HU
    return pixels + mask * (factor - 1) * added


def change_contrast(pixels: torch.Tensor, rng: np.random.Generator, settings: AugmentationSettings) -> torch.Tensor:
    """Damp or boost what is brighter than muscle (contrast medium), then scale and shift all HU a little."""
    excess = (pixels - MUSCLE_HU).clamp(min=0)
    draw = rng.random()
    if draw < settings.damping_probability:
        medium = excess.clamp(max=MOST_MEDIUM_HU)
        pixels = pixels - medium * (1 - float(rng.uniform(*settings.damping)))
    elif draw < settings.damping_probability + settings.boost_probability:
        pixels = pixels + excess * (float(rng.uniform(*settings.boost)) - 1)
    scale = 1 + float(rng.uniform(-1, 1)) * settings.global_scale
    return pixels * scale + float(rng.normal(0, settings.global_shift_hu))


def change_acquisition(pixels: torch.Tensor, rng: np.random.Generator, settings: AugmentationSettings) -> torch.Tensor:
    """Blur, correlated noise, and now and then a smaller circular field of view."""
    if rng.random() < settings.blur_probability:
        pixels = _blur(pixels, float(rng.uniform(0.4, 1.1)))
    if rng.random() < settings.noise_probability:
        noise = torch.from_numpy(rng.normal(size=tuple(pixels.shape)).astype(np.float32))
        if rng.random() < 0.6:
            noise = _blur(noise, 0.6) * 1.9  # keeps the standard deviation near 1
        pixels = pixels + noise * float(rng.uniform(0, settings.noise_hu))
    if rng.random() < settings.field_of_view_probability:
        pixels = _cut_field_of_view(pixels, rng)
    return pixels


def _soft_mask(values: torch.Tensor, label: int) -> torch.Tensor:
    """1 in an organ, 0 away from it, in between at its edge."""
    return F.avg_pool2d((values == label).float(), 3, 1, 1)


def _blur(pixels: torch.Tensor, sigma: float) -> torch.Tensor:
    offsets = torch.arange(-3, 4, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(pixels[:, None], (3, 3, 3, 3), mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, 7)), kernel.view(1, 1, 7, 1))[:, 0]


def _cut_field_of_view(pixels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    rows, columns = pixels.shape[-2:]
    y = torch.arange(rows)[:, None] - rows / 2
    x = torch.arange(columns)[None, :] - columns / 2
    radius = float(rng.uniform(0.38, 0.5)) * columns
    return torch.where(y**2 + x**2 < radius**2, pixels, torch.tensor(AIR_HU))
