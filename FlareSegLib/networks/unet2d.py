"""The paper's network: nnU-Net's 2D U-Net for whole 512x512 slices.

Witanto et al. (MICCAI FLARE21, 2021), Table 2, give 41,268,192 parameters; they are those of nnU-Net v1's
``Generic_UNet(1, 32, 5, num_pool=7)`` with at most 480 channels (Isensee et al., Nature Methods 2021). Lighter
models are the same class with other features.
"""

from __future__ import annotations

import torch
from torch import nn

from .spec import PAPER_NETWORK, UNet2DSpec

__all__ = ["PAPER_NETWORK", "UNet2D", "UNet2DSpec"]

NORM_EPS = 1e-5
LEAKY_SLOPE = 0.01


class ConvBlock(nn.Sequential):
    """3x3 convolution, instance normalisation, leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, stride, 1)
        self.norm = nn.InstanceNorm2d(out_channels, eps=NORM_EPS, affine=True)
        self.act = nn.LeakyReLU(LEAKY_SLOPE, inplace=True)


class UNet2D(nn.Module):
    """2D U-Net with strided-convolution pooling and one segmentation head a decoder level.

    Parameters
    ----------
    spec : UNet2DSpec
        The graph; the default is the paper's.

    Notes
    -----
    `forward` takes (slices, channels, rows, columns) and returns logits (slices, classes, rows, columns);
    `forward_levels` returns one such tensor a decoder level, finest first, for deep supervision.
    """

    def __init__(self, spec: UNet2DSpec = PAPER_NETWORK):
        super().__init__()
        self.spec = spec
        features = spec.features
        inputs = (spec.in_channels, *features[:-1])
        self.encoder = nn.ModuleList(
            nn.Sequential(ConvBlock(below, width, stride=1 if level == 0 else 2), ConvBlock(width, width))
            for level, (below, width) in enumerate(zip(inputs, features))
        )
        # Index 0 is the finest level in all three lists, as in the encoder.
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(features[level + 1], features[level], 2, 2, bias=spec.up_bias)
            for level in range(len(features) - 1)
        )
        self.decoder = nn.ModuleList(
            nn.Sequential(ConvBlock(2 * width, width), ConvBlock(width, width)) for width in features[:-1]
        )
        self.heads = nn.ModuleList(
            nn.Conv2d(width, spec.classes, 1, bias=spec.head_bias) for width in features[:-1]
        )
        self.apply(_he_initialise)

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        return self.heads[0](self._decode(slices)[0])

    def forward_levels(self, slices: torch.Tensor) -> list[torch.Tensor]:
        """Return the logits of every decoder level, finest first."""
        return [head(level) for head, level in zip(self.heads, self._decode(slices))]

    def _decode(self, slices: torch.Tensor) -> list[torch.Tensor]:
        skips = []
        for stage in self.encoder:
            slices = stage(slices)
            skips.append(slices)
        levels = []
        features = skips.pop()
        for level in reversed(range(len(self.decoder))):
            features = self.decoder[level](torch.cat((self.up[level](features), skips[level]), dim=1))
            levels.insert(0, features)
        return levels


def _he_initialise(module: nn.Module) -> None:
    """He initialisation for leaky ReLU, zero biases (nnU-Net's ``InitWeights_He(1e-2)``)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.kaiming_normal_(module.weight, a=LEAKY_SLOPE)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
