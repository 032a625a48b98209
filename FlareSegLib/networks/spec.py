"""What fixes a network's graph, without torch: model descriptions are read and counted without loading it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UNet2DSpec:
    """Everything that fixes the network's graph.

    Attributes
    ----------
    features : tuple of int
        Channels of each resolution, finest first; each further one halves the resolution.
    in_channels, classes : int
        Input channels (1 for CT); output classes with background.
    head_bias, up_bias : bool
        Biases of the 1x1 heads and of the transposed convolutions (nnU-Net v2 has both, v1 none).
    """

    features: tuple[int, ...] = (32, 64, 128, 256, 480, 480, 480, 480)
    in_channels: int = 1
    classes: int = 5
    head_bias: bool = False
    up_bias: bool = False

    @property
    def divisor(self) -> int:
        """Rows and columns of the input must be multiples of this."""
        return 2 ** (len(self.features) - 1)


PAPER_NETWORK = UNet2DSpec()
