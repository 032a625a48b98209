"""Weights as 8-bit whole numbers: a quarter of the size, for bundles that have to be small.

Each channel (first axis) of a weight with two axes or more has one scale, so that its largest value becomes 127; what a
value loses is half a step of its own channel at most. Biases and norms stay float32: they are few. The network is
calculated with floating-point numbers as ever, the weights are converted when they are loaded. The loss has to be
measured on the network itself (`training.full` does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

#: A weight's scales have its name and this.
SCALE = ".int8_scale"
KIND, SCALE_KIND = "I8", "F32"
LARGEST = 127


def to_int8(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return finite float tensors as int8 with their scales; those with one axis stay as they are.

    Examples
    --------
    >>> import torch
    >>> stored = to_int8({"w": torch.tensor([[1.0, -0.5], [0.0, 0.0]])})
    >>> stored["w"].tolist()
    [[127, -64], [0, 0]]
    """
    import torch

    stored = {}
    for name, tensor in tensors.items():
        if tensor.ndim < 2:
            stored[name] = tensor
            continue
        scale = tensor.abs().flatten(1).amax(dim=1) / LARGEST
        steps = torch.where(scale > 0, scale, 1.0).view(-1, *[1] * (tensor.ndim - 1))
        stored[name], stored[name + SCALE] = (tensor / steps).round().to(torch.int8), scale
    return stored


def from_int8(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return what `to_int8` has made as float32 tensors; tensors of other types are converted to it."""
    tensors = {}
    for name, tensor in stored.items():
        if name.endswith(SCALE):
            continue
        scale = stored.get(name + SCALE)
        tensors[name] = tensor.float().clone() if scale is None else \
            tensor.float() * scale.view(-1, *[1] * (tensor.ndim - 1))
    return tensors


def without_scales(shapes: dict[str, tuple[int, ...]], kinds: dict[str, str]) -> dict[str, tuple[int, ...]] | None:
    """Return the shapes of the weights alone; None where weights and scales do not belong together.

    Parameters
    ----------
    shapes, kinds : dict
        Shape and stored type (safetensors' names: "I8", "F32", ...) of each tensor of a file.
    """
    scales = {name for name in shapes if name.endswith(SCALE)}
    whole = {name for name, kind in kinds.items() if kind == KIND}
    fit = scales == {name + SCALE for name in whole} and all(
        kinds[name + SCALE] == SCALE_KIND and shapes[name + SCALE] == shapes[name][:1] for name in whole)
    return {name: shape for name, shape in shapes.items() if name not in scales} if fit else None
