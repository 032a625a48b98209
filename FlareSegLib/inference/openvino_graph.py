"""The 2D U-Net as a graph of OpenVINO, built from the weights in memory; its output are labels.

https://docs.openvino.ai/2025/documentation/openvino-ir-format/operation-sets.html, opset 13. Weights are shared, not
copied: the network must live until the graph is compiled.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ..networks.unet import LEAKY_SLOPE, NORM_EPS, ConvBlock, UNet
from ..preprocessing.inplane import InPlanePlan
from .runtime import load_openvino

if TYPE_CHECKING:
    from openvino import Model, Node

ROWS_AND_COLUMNS = (2, 3)
CLASSES = 1


def label_graph(network: UNet, plan: InPlanePlan) -> Model:
    """Return the graph of a 2D U-Net on one slice.

    Parameters
    ----------
    network : UNet
        With its weights, float32, on the CPU.
    plan : InPlanePlan
        Its grid is the input (1, channels, rows, columns), float32, normalised; the output (rows, columns), uint8, are
        labels on the slice's own pixels.
    """
    openvino = load_openvino()
    from openvino import opset13 as ops

    slices = ops.parameter([1, network.spec.in_channels, *plan.grid], np.float32, name="slice")
    labels = _labels(ops, _resampled(ops, _logits(ops, network, slices), plan))
    return openvino.Model([labels.output(0)], [slices], "FlareSeg")


def _logits(ops: ModuleType, network: UNet, features: Node) -> Node:
    """The network itself, as `UNet.forward`."""
    skips = []
    for stage in network.encoder:
        features = _blocks(ops, features, stage)
        skips.append(features)
    features = skips.pop()
    for level in reversed(range(len(network.decoder))):
        features = ops.concat([_up(ops, features, network.up[level]), skips[level]], CLASSES)
        features = _blocks(ops, features, network.decoder[level])
    return _convolution(ops, features, network.heads[0])


def _blocks(ops: ModuleType, features: Node, stage: nn.Module) -> Node:
    """The blocks of one level, one after the other."""
    for block in stage.children():
        assert isinstance(block, ConvBlock)
        features = _block(ops, features, block)
    return features


def _block(ops: ModuleType, features: Node, block: ConvBlock) -> Node:
    features = _convolution(ops, features, block.conv)
    features = ops.mvn(features, ops.constant(np.array(ROWS_AND_COLUMNS)), True, NORM_EPS, "INSIDE_SQRT")
    features = ops.add(ops.multiply(features, _channels(ops, block.norm.weight)), _channels(ops, block.norm.bias))
    return ops.prelu(features, ops.constant(np.array([LEAKY_SLOPE], np.float32)))


def _convolution(ops: ModuleType, features: Node, layer: nn.Module) -> Node:
    assert isinstance(layer, nn.Conv2d)
    padding = list(layer.padding)
    features = ops.convolution(features, _values(ops, layer.weight), list(layer.stride), padding, padding, [1, 1])
    return features if layer.bias is None else ops.add(features, _channels(ops, layer.bias))


def _up(ops: ModuleType, features: Node, layer: nn.Module) -> Node:
    assert isinstance(layer, nn.ConvTranspose2d)
    features = ops.convolution_backprop_data(features, _values(ops, layer.weight), list(layer.stride))
    return features if layer.bias is None else ops.add(features, _channels(ops, layer.bias))


def _resampled(ops: ModuleType, logits: Node, plan: InPlanePlan) -> Node:
    """As `inplane.from_grid`: the slice's part of the grid, linearly on its own pixels."""
    axes = ops.constant(np.array(ROWS_AND_COLUMNS))
    if plan.resampled_shape != plan.grid:
        first = np.array(plan.corner)
        logits = ops.slice(logits, ops.constant(first), ops.constant(first + plan.resampled_shape),
                           ops.constant(np.array([1, 1])), axes)
    if plan.resampled_shape == plan.slice_shape:
        return logits
    return ops.interpolate(logits, ops.constant(np.array(plan.slice_shape)), "linear_onnx", "sizes",
                           coordinate_transformation_mode="half_pixel", axes=axes)


def _labels(ops: ModuleType, logits: Node) -> Node:
    """The class of the largest logit, the first of equal ones."""
    best = ops.topk(logits, ops.constant(np.int64(1)), CLASSES, "max", "none", index_element_type="i32").output(1)
    return ops.convert(ops.squeeze(best, ops.constant(np.array([0, CLASSES]))), "u8")


def _values(ops: ModuleType, weights: torch.Tensor) -> Node:
    return ops.constant(weights.detach().numpy(), shared_memory=True)


def _channels(ops: ModuleType, weights: torch.Tensor) -> Node:
    return ops.constant(weights.detach().numpy().reshape(1, -1, 1, 1))
