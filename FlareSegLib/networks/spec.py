"""What fixes a network's graph, without torch: model descriptions are read and counted without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class UNetSpec:
    """What all networks have in common.

    Attributes
    ----------
    features : tuple of int
        Channels of each resolution, finest first; each further one halves rows and columns.
    in_channels, classes : int
        Input channels (1 for a single slice); output classes with background.
    head_bias, up_bias : bool
        Biases of the 1x1 heads and of the transposed convolutions (nnU-Net v2 has both, v1 none).
    """

    features: tuple[int, ...]
    in_channels: int = 1
    classes: int = 5
    head_bias: bool = False
    up_bias: bool = False

    #: Name in a bundle's description, and in words.
    kind: ClassVar[str]
    title: ClassVar[str]

    @property
    def divisor(self) -> int:
        """Rows and columns of the input must be multiples of this."""
        return 2 ** (len(self.features) - 1)

    @property
    def window(self) -> int | None:
        """Slices of one input; None for networks that see a single slice."""
        return None

    @property
    def strides(self) -> tuple[tuple[int, ...], ...]:
        """By how much each resolution is coarser than the one above it, along (slices,) rows and columns."""
        return ((1, 1), *((2, 2),) * (len(self.features) - 1))


@dataclass(frozen=True)
class UNet2DSpec(UNetSpec):
    """The 2D U-Net of nnU-Net.

    The paper's sees one slice. One with several input channels sees neighbours of the slice that it labels, too: the
    channels are isotropic slices, from below it to above it.

    Attributes
    ----------
    slice_step : int
        Isotropic slices from one channel to the next.
    """

    features: tuple[int, ...] = (32, 64, 128, 256, 480, 480, 480, 480)
    slice_step: int = 1
    kind: ClassVar[str] = "unet2d"
    title: ClassVar[str] = "2D U-Net"

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where each channel's slice lies, in isotropic slices from the one that is labelled; upwards.

        Examples
        --------
        >>> UNet2DSpec().offsets, UNet2DSpec(in_channels=5, slice_step=2).offsets
        ((0,), (-4, -2, 0, 2, 4))
        """
        middle = self.in_channels // 2
        return tuple((channel - middle) * self.slice_step for channel in range(self.in_channels))


@dataclass(frozen=True)
class AttentionUNet2DSpec(UNet2DSpec):
    """The same with attention gates on its skip connections (Oktay et al. 2018)."""

    kind: ClassVar[str] = "attention_unet2d"
    title: ClassVar[str] = "2D attention U-Net"

    def gate_width(self, level: int) -> int:
        """Channels in which a level's features and the gating signal are compared: half of the features'."""
        return max(1, self.features[level] // 2)


@dataclass(frozen=True)
class UNet3DSpec(UNetSpec):
    """The 3D U-Net of nnU-Net; its input is a window of neighbouring slices.

    Attributes
    ----------
    slices : int
        Of a window; a multiple of ``2 ** z_halvings``.
    z_halvings : int
        So many of the resolutions halve the slices, too, beginning with the first: a window is flatter than wide.
    """

    features: tuple[int, ...] = (32, 64, 128, 256, 320, 320)
    slices: int = 32
    z_halvings: int = 3
    kind: ClassVar[str] = "unet3d"
    title: ClassVar[str] = "3D U-Net"

    @property
    def window(self) -> int:
        """Slices of one input."""
        return self.slices

    @property
    def strides(self) -> tuple[tuple[int, ...], ...]:
        """Along slices, rows and columns."""
        levels = range(len(self.features))
        return tuple((1, 1, 1) if level == 0 else (2 if level <= self.z_halvings else 1, 2, 2) for level in levels)


NETWORK_KINDS: dict[str, type[UNetSpec]] = {
    spec.kind: spec for spec in (UNet2DSpec, AttentionUNet2DSpec, UNet3DSpec)}

PAPER_NETWORK = UNet2DSpec()
"""The paper's network: nnU-Net's 2D U-Net for whole 512x512 slices.

Witanto et al. (MICCAI FLARE21, 2021), Table 2, give 41,268,192 parameters; they are those of nnU-Net v1's
``Generic_UNet(1, 32, 5, num_pool=7)`` with at most 480 channels (Isensee et al., Nature Methods 2021). Lighter
models are the same class with other features.
"""
