"""Parameters and operations of the networks, counted from their description (no forward pass, no torch).

Three numbers describe the 2D network of Witanto et al. (MICCAI FLARE21, 2021) on one 512x512 slice:

* 41,268,192 parameters, with all seven heads and without their biases;
* 61,307,143,168 "flops" (their Table 2). That is not what the arithmetic costs but what the operation counter of
  the time (fvcore of June 2021) printed for the network of the challenge's baseline: one "flop" is one
  multiply-accumulate (MAC) of a convolution, all heads are counted, every instance normalisation adds 5 a value,
  and a transposed convolution is counted at its output with Cout x Cout x 2 x 2 a pixel, where Cin x Cout is meant;
* 57.83 GMAC, thus 115.66 GFLOP: the true cost of the convolutions that inference needs (the finest head alone).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from .spec import PAPER_NETWORK, AttentionUNet2DSpec, UNetSpec

UP_TAPS = 4  # 2x2 with stride 2: each output pixel reads one input pixel, each input pixel writes four
NORM_FLOPS = 5  # what the counter charges for one normalised value


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    Attributes
    ----------
    kind : str
        "conv" (3x3 or 3x3x3 with bias, instance normalisation and leaky ReLU), "up" (transposed, as large as its
        stride), "gate" (1x1, of an attention gate) or "head" (1x1).
    level : int
        Resolution of its output, 0 the finest.
    inputs, outputs : int
        Channels.
    taps : int
        Weights for a pair of channels.
    extras : int
        Further values of each output: bias, scale and shift of a normalisation.
    """

    kind: str
    level: int
    inputs: int
    outputs: int
    taps: int = 1
    extras: int = 0

    @property
    def parameters(self) -> int:
        """Weights, biases and, for a "conv", the normalisation's scale and shift."""
        return (self.taps * self.inputs + self.extras) * self.outputs

    def macs(self, values: int) -> int:
        """True multiply-accumulates for `values` output pixels; biases are not counted."""
        return (1 if self.kind == "up" else self.taps) * self.inputs * self.outputs * values


def layers(spec: UNetSpec, heads: int | None = None) -> Iterator[Layer]:
    """Yield the network's layers.

    Parameters
    ----------
    spec : UNetSpec
        The network.
    heads : int or None
        How many heads to count, from the finest: 1 for inference, None for all that exist.
    """
    inputs, taps = spec.in_channels, 3 ** len(spec.strides[0])
    for level, width in enumerate(spec.features):
        yield Layer("conv", level, inputs, width, taps, 3)
        yield Layer("conv", level, width, width, taps, 3)
        inputs = width
    decoder_levels = len(spec.features) - 1
    for level in reversed(range(decoder_levels)):
        width, coarser = spec.features[level:level + 2]
        if level and isinstance(spec, AttentionUNet2DSpec):
            compared = spec.gate_width(level)  # an attention gate works at the gating signal's resolution
            yield Layer("gate", level + 1, width, compared)
            yield Layer("gate", level + 1, coarser, compared, 1, 1)
            yield Layer("gate", level + 1, compared, 1, 1, 1)
        yield Layer("up", level, coarser, width, math.prod(spec.strides[level + 1]), int(spec.up_bias))
        yield Layer("conv", level, 2 * width, width, taps, 3)
        yield Layer("conv", level, width, width, taps, 3)
    for level in range(decoder_levels if heads is None else heads):
        yield Layer("head", level, spec.features[level], spec.classes, 1, int(spec.head_bias))


def parameter_count(spec: UNetSpec = PAPER_NETWORK, heads: int | None = None) -> int:
    """Number of trainable values, with the finest `heads` heads (None: all of them).

    Examples
    --------
    >>> parameter_count()
    41268192
    """
    return sum(layer.parameters for layer in layers(spec, heads))


def slice_macs(spec: UNetSpec = PAPER_NETWORK, rows: int = 512, columns: int = 512, heads: int | None = 1) -> int:
    """True multiply-accumulates of one slice, with the finest `heads` heads (default: the one inference needs).

    Of a 3D network: of one window of slices.

    Parameters
    ----------
    spec : UNetSpec
        The network.
    rows, columns : int
        Pixels of the input slice, multiples of `spec.divisor`.

    Examples
    --------
    >>> slice_macs()
    57829654528
    """
    _check_grid(spec, rows, columns)
    return sum(layer.macs(_pixels(spec, layer.level, rows, columns)) for layer in layers(spec, heads))


def paper_flops(spec: UNetSpec = PAPER_NETWORK, rows: int = 512, columns: int = 512) -> int:
    """The paper's "flops" of one slice, by the counting rule in this module's description.

    Examples
    --------
    >>> paper_flops()
    61307143168
    """
    _check_grid(spec, rows, columns)
    return sum(_counted_flops(layer, _pixels(spec, layer.level, rows, columns)) for layer in layers(spec))


def _counted_flops(layer: Layer, pixels: int) -> int:
    if layer.kind == "up":
        return UP_TAPS * layer.outputs**2 * pixels
    return layer.macs(pixels) + (NORM_FLOPS * layer.outputs * pixels if layer.kind == "conv" else 0)


def _pixels(spec: UNetSpec, level: int, rows: int, columns: int) -> int:
    """Pixels (3D: voxels) of a level for an input of `rows` x `columns`."""
    finest = rows * columns * (spec.window or 1)
    return finest // math.prod(math.prod(stride) for stride in spec.strides[:level + 1])


def _check_grid(spec: UNetSpec, rows: int, columns: int) -> None:
    if min(rows, columns) < 1 or rows % spec.divisor or columns % spec.divisor:
        raise ValueError(f"a slice of {rows} x {columns} pixels; both must be multiples of {spec.divisor}")
