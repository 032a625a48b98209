"""HU to network input: clip to the training foreground's percentiles, then z-score (nnU-Net's CT scheme)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Normalisation:
    """Constants of a model's training data, in HU.

    Attributes
    ----------
    lower, upper : float
        0.5 and 99.5 percentile of the foreground voxels; HU are clipped to them.
    mean, sd : float
        Global mean and standard deviation of the foreground voxels.

    Examples
    --------
    >>> float(FLARE21_NORMALISATION.apply(np.float32(116.62895)))
    0.0
    """

    lower: float
    upper: float
    mean: float
    sd: float

    def apply(self, hu: np.ndarray) -> np.ndarray:
        """Return normalised values (float32, any shape)."""
        clipped = np.clip(hu, self.lower, self.upper).astype(np.float32, copy=False)
        return (clipped - np.float32(self.mean)) / np.float32(self.sd)


#: The 361 training cases of FLARE21 (plans of FLARE21nnUNetBaseline by the challenge's organisers).
FLARE21_NORMALISATION = Normalisation(-16.0, 270.0, 116.62895, 47.89974)
