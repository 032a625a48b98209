"""What is measured in a CT before a disease is put into it: organs, noise, point spread, contrast phase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Hu, Labels
from .case import LABEL_OF, Box, Grid
from .noise import NoiseModel, measure_noise, residual_sd
from .phase import PHASES, TISSUES, estimate_phase, phase_hu
from .psf import measure_psf

__all__ = ["NoiseModel", "OrganMeasure", "PHASES", "TISSUES", "estimate_phase", "measure_noise", "measure_organ",
           "measure_psf", "phase_hu", "residual_sd"]

MOST_VOXELS = 300_000


@dataclass(frozen=True)
class OrganMeasure:
    """An organ in one case.

    Attributes
    ----------
    name, label : str, int
    box : tuple of slice
        k, j, i of the case.
    volume_ml : float
        Of every voxel.
    median, p25, p75, p95 : float
        HU, of at most some 300 000 voxels spread evenly.
    """

    name: str
    label: int
    box: Box
    volume_ml: float
    median: float
    p25: float
    p75: float
    p95: float


def measure_organ(hu: Hu, labels: Labels, grid: Grid, label: int, box: Box) -> OrganMeasure:
    """Measure an organ whose box is known.

    Parameters
    ----------
    hu, labels : numpy.ndarray
        int16 and uint8, (k, j, i), whole.
    label : int
        1 to 4; at least one voxel of `box` must have it.
    """
    mask = labels[box] == label
    count = int(np.count_nonzero(mask))
    # An odd step runs through all columns; one that divides a row's length would keep to a few of them.
    step = count // MOST_VOXELS + 1
    values = hu[box][mask][::step + (step > 1 and step % 2 == 0)]
    p25, median, p75, p95 = (float(v) for v in np.percentile(values, (25, 50, 75, 95)))
    name = next(name for name, value in LABEL_OF.items() if value == label)
    return OrganMeasure(name, label, box, count * grid.voxel_ml, median, p25, p75, p95)
