"""Parameters and operations of the 2D U-Net, counted from its description (no forward pass, no torch).

Three numbers describe the network of Witanto et al. (MICCAI FLARE21, 2021) on one 512x512 slice:

* 41,268,192 parameters, with all seven heads and without their biases;
* 61,307,143,168 "flops" (their Table 2). That is not what the arithmetic costs but what the operation counter of
  the time (fvcore of June 2021) printed for the network of the challenge's baseline: one "flop" is one
  multiply-accumulate (MAC) of a convolution, all heads are counted, every instance normalisation adds 5 a value,
  and a transposed convolution is counted at its output with Cout x Cout x 2 x 2 a pixel, where Cin x Cout is meant;
* 57.83 GMAC, thus 115.66 GFLOP: the true cost of the convolutions that inference needs (the finest head alone).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .spec import PAPER_NETWORK, UNet2DSpec

CONV_TAPS = 9  # 3x3
UP_TAPS = 4  # 2x2 with stride 2: each output pixel reads one input pixel, each input pixel writes four
NORM_FLOPS = 5  # what the counter charges for one normalised value


@dataclass(frozen=True)
class Layer:
    """One layer of the network.

    Attributes
    ----------
    kind : str
        "conv" (3x3 with bias, instance normalisation and leaky ReLU), "up" (transposed 2x2) or "head" (1x1).
    level : int
        Resolution of its output, 0 the finest; each further level has half the rows and columns.
    inputs, outputs : int
        Channels.
    """

    kind: str
    level: int
    inputs: int
    outputs: int

    def parameters(self, spec: UNet2DSpec) -> int:
        """Weights, biases and, for a "conv", the normalisation's scale and shift."""
        taps = {"conv": CONV_TAPS, "up": UP_TAPS, "head": 1}[self.kind]
        extras = {"conv": 3, "up": int(spec.up_bias), "head": int(spec.head_bias)}[self.kind]
        return taps * self.inputs * self.outputs + extras * self.outputs

    def macs(self, rows: int, columns: int) -> int:
        """True multiply-accumulates for an input slice of `rows` x `columns` pixels; biases are not counted."""
        taps = CONV_TAPS if self.kind == "conv" else 1
        return taps * self.inputs * self.outputs * self.pixels(rows, columns)

    def pixels(self, rows: int, columns: int) -> int:
        """Output pixels for an input slice of `rows` x `columns` pixels."""
        return (rows >> self.level) * (columns >> self.level)


def layers(spec: UNet2DSpec, heads: int | None = None) -> Iterator[Layer]:
    """Yield the network's layers.

    Parameters
    ----------
    spec : UNet2DSpec
        The network.
    heads : int or None
        How many heads to count, from the finest: 1 for inference, None for all that exist.
    """
    inputs = spec.in_channels
    for level, width in enumerate(spec.features):
        yield Layer("conv", level, inputs, width)
        yield Layer("conv", level, width, width)
        inputs = width
    decoder_levels = len(spec.features) - 1
    for level in reversed(range(decoder_levels)):
        width = spec.features[level]
        yield Layer("up", level, spec.features[level + 1], width)
        yield Layer("conv", level, 2 * width, width)
        yield Layer("conv", level, width, width)
    for level in range(decoder_levels if heads is None else heads):
        yield Layer("head", level, spec.features[level], spec.classes)


def parameter_count(spec: UNet2DSpec = PAPER_NETWORK, heads: int | None = None) -> int:
    """Number of trainable values, with the finest `heads` heads (None: all of them).

    Examples
    --------
    >>> parameter_count()
    41268192
    """
    return sum(layer.parameters(spec) for layer in layers(spec, heads))


def slice_macs(spec: UNet2DSpec = PAPER_NETWORK, rows: int = 512, columns: int = 512, heads: int | None = 1) -> int:
    """True multiply-accumulates of one slice, with the finest `heads` heads (default: the one inference needs).

    Parameters
    ----------
    spec : UNet2DSpec
        The network.
    rows, columns : int
        Pixels of the input slice, multiples of `spec.divisor`.

    Examples
    --------
    >>> slice_macs()
    57829654528
    """
    _check_grid(spec, rows, columns)
    return sum(layer.macs(rows, columns) for layer in layers(spec, heads))


def paper_flops(spec: UNet2DSpec = PAPER_NETWORK, rows: int = 512, columns: int = 512) -> int:
    """The paper's "flops" of one slice, by the counting rule in this module's description.

    Examples
    --------
    >>> paper_flops()
    61307143168
    """
    _check_grid(spec, rows, columns)
    return sum(_counted_flops(layer, rows, columns) for layer in layers(spec))


def _counted_flops(layer: Layer, rows: int, columns: int) -> int:
    values = layer.outputs * layer.pixels(rows, columns)
    if layer.kind == "up":
        return UP_TAPS * layer.outputs * values
    return layer.macs(rows, columns) + (NORM_FLOPS * values if layer.kind == "conv" else 0)


def _check_grid(spec: UNet2DSpec, rows: int, columns: int) -> None:
    if min(rows, columns) < 1 or rows % spec.divisor or columns % spec.divisor:
        raise ValueError(f"a slice of {rows} x {columns} pixels; both must be multiples of {spec.divisor}")
