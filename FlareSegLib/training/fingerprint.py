"""The fingerprint of a training set: its spacings, and the HU statistics that become the model's normalisation.

nnU-Net v1 pools every tenth foreground voxel of each case (Isensee et al. 2021); here histograms of whole HU are
added up instead, which takes every voxel into account, needs no memory to speak of, and can be merged in any order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..preprocessing.normalisation import Normalisation

LOWER_PERCENTILE, UPPER_PERCENTILE = 0.5, 99.5
LOWEST_HU, HIGHEST_HU = -1024, 3071


@dataclass(frozen=True)
class HuHistogram:
    """How many voxels have each whole HU from `LOWEST_HU` to `HIGHEST_HU`; values beyond count as these."""

    counts: tuple[int, ...]

    def __add__(self, other: HuHistogram) -> HuHistogram:
        return HuHistogram(tuple(a + b for a, b in zip(self.counts, other.counts, strict=True)))

    def normalisation(self) -> Normalisation:
        """Percentiles 0.5 and 99.5 (NumPy's linear definition), mean and standard deviation of all voxels.

        Raises
        ------
        ValueError
            Where not one voxel was counted, or all have the same value.
        """
        counts = np.array(self.counts, dtype=np.int64)
        voxels = counts.sum()
        hu = np.arange(LOWEST_HU, HIGHEST_HU + 1)
        mean = (counts * hu).sum() / max(voxels, 1)
        sd = np.sqrt((counts * (hu - mean) ** 2).sum() / max(voxels, 1))
        if not sd > 0:
            raise ValueError("there is no foreground to take statistics of")
        lower, upper = (self._percentile(counts, percent) for percent in (LOWER_PERCENTILE, UPPER_PERCENTILE))
        return Normalisation(lower, upper, float(mean), float(sd))

    @staticmethod
    def _percentile(counts: np.ndarray, percent: float) -> float:
        """Linear interpolation between the two order statistics around the rank."""
        last_rank = np.cumsum(counts) - 1
        rank = percent / 100 * last_rank[-1]
        below, above = (LOWEST_HU + int(np.searchsorted(last_rank, r)) for r in (np.floor(rank), np.ceil(rank)))
        return float(below + (above - below) * (rank - np.floor(rank)))


EMPTY_HISTOGRAM = HuHistogram((0,) * (HIGHEST_HU - LOWEST_HU + 1))


def histogram(hu: np.ndarray) -> HuHistogram:
    """Return the histogram of HU values (any shape), each rounded to the nearest whole one."""
    whole = np.clip(np.rint(hu), LOWEST_HU, HIGHEST_HU).astype(np.int64)
    counts = np.bincount(whole.ravel() - LOWEST_HU, minlength=HIGHEST_HU - LOWEST_HU + 1)
    return HuHistogram(tuple(counts.tolist()))


@dataclass(frozen=True)
class Fingerprint:
    """What a training set is like.

    Attributes
    ----------
    cases : int
        Number of CTs.
    spacing_median, spacing_range
        (i, j, k) mm: the medians, and (smallest, largest) of each.
    slices_median : int
        Stored axial slices of a case.
    normalisation : Normalisation
        Of all voxels that any label covers.
    """

    cases: int
    spacing_median: tuple[float, float, float]
    spacing_range: tuple[tuple[float, float], ...]
    slices_median: int
    normalisation: Normalisation


def fingerprint(spacings: list[tuple[float, float, float]], slices: list[int],
                foreground: HuHistogram) -> Fingerprint:
    """Return the fingerprint of cases with these axial spacings (mm), slice numbers and foreground HU."""
    table = np.array(spacings)
    return Fingerprint(
        cases=len(spacings),
        spacing_median=tuple(np.median(table, axis=0).tolist()),
        spacing_range=tuple(zip(table.min(axis=0).tolist(), table.max(axis=0).tolist())),
        slices_median=int(np.median(slices)),
        normalisation=foreground.normalisation(),
    )
