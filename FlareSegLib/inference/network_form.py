"""The form of a network that a device runs fastest."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import nn

from ..networks.unet import UNet
from .device import Device


class OneSliceNorm(nn.Module):
    """Instance normalisation of a single slice as batch normalisation, which runs channels-last without copies.

    For a batch of one both are the same formula; the CPU kernels differ by rounding only.
    """

    def __init__(self, norm: nn.InstanceNorm2d | nn.InstanceNorm3d):
        super().__init__()
        self.weight, self.bias, self.eps = norm.weight, norm.bias, norm.eps

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return one slice's features (1, channels, …), normalised channel by channel."""
        return F.batch_norm(features, None, None, self.weight, self.bias, training=True, momentum=0.0, eps=self.eps)


def shape_for_device(network: UNet, device: Device) -> UNet:
    """Return the network on `device`, in the device's precision; the one that was given keeps its weights.

    The exact path runs the plain network (on the CPU itself, not a copy: 165 MB less for the paper's). Otherwise
    weights of 2D networks are channels-last, and on the CPU (one slice or window a forward pass) instance
    normalisation runs as batch normalisation.
    """
    if device.exact and device.name == "cpu":
        return network.eval()
    network = copy.deepcopy(network).eval().requires_grad_(False)
    if device.exact:
        return network.to(device.name)
    if device.name == "cpu":
        replace_norms(network)
    network = network.to(device.name, device.dtype)
    if network.spec.window:
        return network
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not declared by torch


def replace_norms(module: nn.Module) -> None:
    """Put `OneSliceNorm` in the place of every instance normalisation."""
    for name, child in module.named_children():
        if isinstance(child, (nn.InstanceNorm2d, nn.InstanceNorm3d)):
            setattr(module, name, OneSliceNorm(child))
        else:
            replace_norms(child)
