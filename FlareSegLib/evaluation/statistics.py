"""Means with their spread, and differences of two models on the same cases with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..arrays import Doubles

RESAMPLES = 10_000
CONFIDENCE = 0.95
SEED = 20210901


@dataclass(frozen=True)
class Spread:
    """Mean, sample standard deviation (n - 1; 0 for one value) and number of values."""

    mean: float
    sd: float
    count: int


@dataclass(frozen=True)
class PairedDifference:
    """Mean difference of two models on the same cases.

    Attributes
    ----------
    mean : float
        Mean of (model - baseline).
    low, high : float
        Bootstrap interval of that mean (`CONFIDENCE`).
    p : float or None
        Two-sided Wilcoxon signed-rank test; None where no case differs.
    count : int
        Cases that both models were scored on.
    """

    mean: float
    low: float
    high: float
    p: float | None
    count: int


def spread(values: Iterable[float]) -> Spread | None:
    """Return mean and standard deviation, None for no values.

    Examples
    --------
    >>> spread([1.0, 2.0, 3.0])
    Spread(mean=2.0, sd=1.0, count=3)
    """
    found = np.asarray(list(values), dtype=float)
    if not found.size:
        return None
    return Spread(float(found.mean()), float(found.std(ddof=1)) if found.size > 1 else 0.0, found.size)


def paired_difference(model: dict[str, float], baseline: dict[str, float]) -> PairedDifference | None:
    """Compare two models over the cases that both have, None where there are none.

    Parameters
    ----------
    model, baseline : dict
        One value a case.

    Notes
    -----
    The interval is the percentile bootstrap over cases (10,000 resamples, fixed seed). Cases of one patient count as
    independent: nothing in a file's name tells who is who.
    """
    cases = sorted(model.keys() & baseline.keys())
    if not cases:
        return None
    differences = np.array([model[case] - baseline[case] for case in cases])
    low, high = bootstrap_interval(differences)
    return PairedDifference(float(differences.mean()), low, high, _wilcoxon(differences), len(cases))


def bootstrap_interval(values: Doubles) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of (n,) values."""
    random = np.random.default_rng(SEED)
    chunk = max(1, 2_000_000 // len(values))  # bounded memory for many cases
    means = [values[random.integers(0, len(values), (min(chunk, RESAMPLES - start), len(values)))].mean(axis=1)
             for start in range(0, RESAMPLES, chunk)]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def _wilcoxon(differences: Doubles) -> float | None:
    if not differences.any():
        return None
    from scipy.stats import wilcoxon

    return float(wilcoxon(differences).pvalue)
