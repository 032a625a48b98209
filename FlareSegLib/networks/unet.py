"""nnU-Net's U-Net in two and three dimensions (Isensee et al., Nature Methods 2021; Çiçek et al., MICCAI 2016)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from .spec import UNetSpec

NORM_EPS = 1e-5
LEAKY_SLOPE = 0.01


class ConvBlock(nn.Sequential):
    """3x3(x3) convolution, instance normalisation, leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: tuple[int, ...]):
        super().__init__()
        flat = len(stride) == 2
        conv: Callable[..., nn.Module] = nn.Conv2d if flat else nn.Conv3d
        self.conv = conv(in_channels, out_channels, 3, stride, 1)
        self.norm = (nn.InstanceNorm2d if flat else nn.InstanceNorm3d)(out_channels, eps=NORM_EPS, affine=True)
        self.act = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)


class UNet(nn.Module):
    """U-Net with strided-convolution pooling and one segmentation head a decoder level.

    Parameters
    ----------
    spec : UNetSpec
        The graph.

    Notes
    -----
    `forward` takes (n, channels, rows, columns), in three dimensions (n, channels, slices, rows, columns), and returns
    logits with classes instead of channels; `forward_levels` returns one such tensor a decoder level, finest first, for
    deep supervision.
    """

    def __init__(self, spec: UNetSpec):
        super().__init__()
        self.spec = spec
        features, strides = spec.features, spec.strides
        flat = len(strides[0]) == 2
        conv: Callable[..., nn.Module] = nn.Conv2d if flat else nn.Conv3d
        up: Callable[..., nn.Module] = nn.ConvTranspose2d if flat else nn.ConvTranspose3d
        inputs, still = (spec.in_channels, *features[:-1]), strides[0]
        self.encoder = nn.ModuleList(
            nn.Sequential(ConvBlock(below, width, stride), ConvBlock(width, width, still))
            for below, width, stride in zip(inputs, features, strides)
        )
        # Index 0 is the finest level in all three lists, as in the encoder.
        self.up = nn.ModuleList(
            up(features[level + 1], features[level], strides[level + 1], strides[level + 1], bias=spec.up_bias)
            for level in range(len(features) - 1)
        )
        self.decoder = nn.ModuleList(
            nn.Sequential(ConvBlock(2 * width, width, still), ConvBlock(width, width, still)) for width in features[:-1]
        )
        self.heads = nn.ModuleList(conv(width, spec.classes, 1, bias=spec.head_bias) for width in features[:-1])
        self.apply(_he_initialise)

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        """Return the logits (n, classes, …) of slices or volumes (n, 1, …), on the same grid."""
        return self.heads[0](self._decode(slices)[0])

    def forward_levels(self, slices: torch.Tensor) -> list[torch.Tensor]:
        """Return the logits of every decoder level, finest first."""
        return [head(level) for head, level in zip(self.heads, self._decode(slices))]

    def _decode(self, slices: torch.Tensor) -> list[torch.Tensor]:
        skips = []
        for stage in self.encoder:
            slices = stage(slices)
            skips.append(slices)
        levels: list[torch.Tensor] = []
        features = skips.pop()
        for level in reversed(range(len(self.decoder))):
            skip = self._skip(level, skips[level], features)
            features = self.decoder[level](torch.cat((self.up[level](features), skip), dim=1))
            levels.insert(0, features)
        return levels

    def _skip(self, level: int, skip: torch.Tensor, coarser: torch.Tensor) -> torch.Tensor:
        """What of the encoder's features the decoder gets; `coarser` are the decoder's of the level below."""
        return skip


def _he_initialise(module: nn.Module) -> None:
    """He initialisation for leaky ReLU, zero biases (nnU-Net's ``InitWeights_He(1e-2)``).

    Weights without values (meta device) stay so: drawing normal numbers there loads torch's compiler, for seconds.
    """
    if any(parameter.is_meta for parameter in module.parameters(recurse=False)):
        return
    if isinstance(module, (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
        nn.init.kaiming_normal_(module.weight, a=LEAKY_SLOPE)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
