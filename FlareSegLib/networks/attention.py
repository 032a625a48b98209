"""The attention U-Net: gates on the skip connections let through what the coarser level attends to.

Oktay et al., "Attention U-Net: learning where to look for the pancreas" (MIDL 2018): additive attention with the
decoder's features of the level below as gating signal, at the gating signal's resolution; one coefficient a position;
the finest skip connection has no gate. The rest of the network is nnU-Net's, so that nothing else differs from the
paper's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .spec import AttentionUNet2DSpec
from .unet2d import UNet2D

#: Gates begin open: a sigmoid of this, .95, everywhere.
OPEN = 3.0


class AttentionGate(nn.Module):
    """``features * sigmoid(psi(relu(W_x features + W_g gating + b_g)) + b_psi)``, all W and psi 1x1 convolutions.

    Parameters
    ----------
    features, gating, width : int
        Channels of the encoder's features, of the gating signal at half their resolution, and those in which the two
        are compared.
    """

    def __init__(self, features: int, gating: int, width: int):
        super().__init__()
        self.from_features = nn.Conv2d(features, width, 1, stride=2, bias=False)
        self.from_gating = nn.Conv2d(gating, width, 1)
        self.psi = nn.Conv2d(width, 1, 1)
        for layer in (self.from_features, self.from_gating):
            if not layer.weight.is_meta:  # see unet._he_initialise
                nn.init.kaiming_normal_(layer.weight)
        assert self.from_gating.bias is not None and self.psi.bias is not None, "as asked for above"
        nn.init.zeros_(self.from_gating.bias)
        nn.init.zeros_(self.psi.weight)
        nn.init.constant_(self.psi.bias, OPEN)

    def forward(self, features: torch.Tensor, gating: torch.Tensor) -> torch.Tensor:
        """Gated features (n, channels, rows, columns); the gating signal has half the rows and columns."""
        return features * self.coefficients(features, gating)

    def coefficients(self, features: torch.Tensor, gating: torch.Tensor) -> torch.Tensor:
        """Between 0 and 1, (n, 1, rows, columns), interpolated linearly to the features' resolution."""
        attended = torch.sigmoid(self.psi(F.relu(self.from_features(features) + self.from_gating(gating))))
        return F.interpolate(attended, features.shape[2:], mode="bilinear", align_corners=False)


class AttentionUNet2D(UNet2D):
    """The paper's U-Net with a gate on every skip connection but the finest."""

    def __init__(self, spec: AttentionUNet2DSpec = AttentionUNet2DSpec()):  # noqa: B008  frozen
        super().__init__(spec)
        features = spec.features
        self.gates = nn.ModuleList(AttentionGate(features[level], features[level + 1], spec.gate_width(level))
                                   for level in range(1, len(features) - 1))

    def _skip(self, level: int, skip: torch.Tensor, coarser: torch.Tensor) -> torch.Tensor:
        return skip if level == 0 else self.gates[level - 1](skip, coarser)
