"""From a network's description to the network."""

from __future__ import annotations

from .attention import AttentionUNet2D
from .spec import AttentionUNet2DSpec, UNet2DSpec, UNet3DSpec, UNetSpec
from .unet import UNet
from .unet2d import UNet2D

_CLASSES = {UNet2DSpec: UNet2D, AttentionUNet2DSpec: AttentionUNet2D, UNet3DSpec: UNet}


def build_network(spec: UNetSpec) -> UNet:
    """Return the network with fresh weights."""
    return _CLASSES[type(spec)](spec)
