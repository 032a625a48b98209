"""The paper's network, and lighter ones of the same class."""

from __future__ import annotations

from .spec import PAPER_NETWORK, UNet2DSpec
from .unet import LEAKY_SLOPE, NORM_EPS, UNet

__all__ = ["LEAKY_SLOPE", "NORM_EPS", "PAPER_NETWORK", "UNet2D", "UNet2DSpec"]


class UNet2D(UNet):
    """2D U-Net; the default is the paper's."""

    def __init__(self, spec: UNet2DSpec = PAPER_NETWORK):
        super().__init__(spec)
