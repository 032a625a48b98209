"""nnU-Net v1's augmentation of 2D training slices: its transforms, ranges, probabilities and order.

The transforms are those of batchgeneratorsv2, nnU-Net's own library: other libraries name similar transforms but
resample, blur and keep statistics differently. Where v2 of nnU-Net has changed v1's defaults (`nnUNetTrainerV2`,
moreDA), v1's are used: one zoom factor drawn below or above 1 with equal chance, brightness drawn uniformly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

#: ``transform(image=…, segmentation=…)`` returns a dict of the same two.
Transform = Callable[..., "dict[str, torch.Tensor]"]


@dataclass(frozen=True)
class PaperAugmentation:
    """Ranges and probabilities (a slice at a time); intensities are normalised ones, after the z-score."""

    rotation_degrees: tuple[float, float] = (-180.0, 180.0)
    rotation_probability: float = 0.2
    zoom: tuple[float, float] = (0.7, 1.4)
    zoom_probability: float = 0.2
    noise_sd: tuple[float, float] = (0.0, 0.1)
    noise_probability: float = 0.1
    blur_sigma: tuple[float, float] = (0.5, 1.0)
    blur_probability: float = 0.2 * 0.5  # a fifth of the slices, half of the channels of each
    brightness: tuple[float, float] = (0.75, 1.25)
    brightness_probability: float = 0.15
    contrast: tuple[float, float] = (0.75, 1.25)
    contrast_probability: float = 0.15
    low_resolution: tuple[float, float] = (0.5, 1.0)
    low_resolution_probability: float = 0.25 * 0.5
    gamma: tuple[float, float] = (0.7, 1.5)
    inverted_gamma_probability: float = 0.1
    gamma_probability: float = 0.3
    mirror_axes: tuple[int, ...] = (0, 1)


def below_or_above_one(limits: tuple[float, float]) -> Callable[..., float]:
    """Return a sampler that draws between the lower limit and 1 or between 1 and the upper one, each half the time."""
    return partial(_draw_factor, limits)  # no closure: samplers travel to worker processes


def _draw_factor(limits: tuple[float, float], *_: object, **__: object) -> float:
    if np.random.random() < 0.5 and limits[0] < 1:
        return float(np.random.uniform(limits[0], 1))
    return float(np.random.uniform(max(limits[0], 1), limits[1]))


def transforms(grid: tuple[int, int], settings: PaperAugmentation = PaperAugmentation(),
               window: bool = False) -> list[Transform]:
    """Return batchgeneratorsv2's transforms in nnU-Net v1's order; `RandomTransform`s carry the probabilities.

    Parameters
    ----------
    window : bool
        For windows of slices instead of single ones: all slices are rotated and zoomed alike, in plane (nnU-Net does so
        with anisotropic volumes), blur and low resolution work in three dimensions, and z is mirrored, too.

    Raises
    ------
    FlareSegError
        "missing_package".
    """
    bg = _library()
    s, maybe = settings, bg.RandomTransform
    spatial = bg.SpatialTransform(
        grid, patch_center_dist_from_border=0, random_crop=False, p_elastic_deform=0,
        p_rotation=s.rotation_probability, rotation=tuple(np.deg2rad(s.rotation_degrees)),
        p_scaling=s.zoom_probability, scaling=below_or_above_one(s.zoom), p_synchronize_scaling_across_axes=1,
        border_mode_seg="constant", padding_value_seg=-1)
    return [
        partial(_in_plane, spatial) if window else spatial,
        maybe(bg.GaussianNoiseTransform(s.noise_sd, synchronize_channels=True), s.noise_probability),
        # without trying out which blur is faster: what is drawn must not depend on the machine
        maybe(bg.GaussianBlurTransform(s.blur_sigma, p_per_channel=1, benchmark=False), s.blur_probability),
        maybe(bg.MultiplicativeBrightnessTransform(s.brightness, False), s.brightness_probability),
        maybe(bg.ContrastTransform(below_or_above_one(s.contrast), True, False), s.contrast_probability),
        maybe(bg.SimulateLowResolutionTransform(s.low_resolution, False, True, None, None, 1),
              s.low_resolution_probability),
        maybe(bg.GammaTransform(below_or_above_one(s.gamma), 1, False, 1, 1), s.inverted_gamma_probability),
        maybe(bg.GammaTransform(below_or_above_one(s.gamma), 0, False, 1, 1), s.gamma_probability),
        bg.MirrorTransform((0, *(axis + 1 for axis in s.mirror_axes)) if window else s.mirror_axes),
        bg.RemoveLabelTansform(-1, 0),
    ]


def _in_plane(step: Transform, image: torch.Tensor, segmentation: torch.Tensor) -> dict[str, torch.Tensor]:
    """Apply a transform of slices to a window (1, slices, rows, columns): its slices are the channels."""
    moved = step(image=image[0], segmentation=segmentation[0])
    return {name: moved[name][None] for name in ("image", "segmentation")}


def augment_slice(image: torch.Tensor, labels: torch.Tensor, steps: list[Transform],
                  seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return an augmented slice; the same seed gives the same one.

    Parameters
    ----------
    image : torch.Tensor
        Normalised, float32, (1, rows, columns); of a window (1, slices, rows, columns).
    labels : torch.Tensor
        int16, of the same shape.
    steps : list
        From `transforms`.
    seed : int
        Below 2**32. NumPy's and torch's global generators are what the library draws from: both are seeded.
    """
    import torch

    np.random.seed(seed)
    torch.manual_seed(seed)
    sample = {"image": image, "segmentation": labels}
    for step in steps:
        sample = step(**sample)
    return sample["image"], sample["segmentation"]


def _library() -> SimpleNamespace:
    """batchgeneratorsv2's transforms in one namespace."""
    from ..errors import FlareSegError

    try:
        from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
        from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
        from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
        from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
        from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
        from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform
        from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
        from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
        from batchgeneratorsv2.transforms.utils.random import RandomTransform
        from batchgeneratorsv2.transforms.utils.remove_label import RemoveLabelTansform
    except ImportError as error:
        raise FlareSegError("missing_package", "Training needs batchgeneratorsv2; install it with: "
                                               "pip install batchgeneratorsv2 blosc2.") from error
    return SimpleNamespace(**locals())
