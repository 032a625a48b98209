"""FLARE21's ranking of models that were run on the same cases: rank each case, then average."""

from __future__ import annotations

import numpy as np

from ..arrays import Doubles
from .rows import Evaluation

#: What is ranked, and whether more is better (flare.grand-challenge.org/Evaluation).
CRITERIA = {"dice": True, "nsd": True, "seconds": False, "gpu_mb": False}


def flare21_ranking(evaluations: list[Evaluation]) -> dict[str, float]:
    """Return each model's normalised mean rank, best first; 1/n is the best possible, 1 the worst.

    Each case ranks the models by its mean Dice, mean NSD, running time and GPU memory; equal values share the mean of
    their ranks. Criteria that were not measured for all models on all cases are left out, and so are cases that not
    all of them have.

    Parameters
    ----------
    evaluations : list of Evaluation
        Models with names of their own.
    """
    ranks = [rank for name, more_is_better in CRITERIA.items() for rank in _ranks(evaluations, name, more_is_better)]
    if not ranks:
        return {}
    means = np.mean(ranks, axis=0) / len(evaluations)
    return dict(sorted(zip([evaluation.name for evaluation in evaluations], means.tolist()), key=lambda item: item[1]))


def ranked_criteria(evaluations: list[Evaluation]) -> tuple[str, ...]:
    """Names of the criteria that all models were measured by."""
    return tuple(name for name in CRITERIA if _common_values(evaluations, name) is not None)


def _common_values(evaluations: list[Evaluation], name: str) -> Doubles | None:
    """(cases, models), None where a model has not been measured on every common case."""
    cases = sorted(set.intersection(*(set(evaluation.cases) for evaluation in evaluations)))
    values = [evaluation.case_means(name) if name in ("dice", "nsd") else evaluation.cost_values(name)
              for evaluation in evaluations]
    if not cases or any(case not in each for each in values for case in cases):
        return None
    return np.array([[each[case] for each in values] for case in cases])


def _ranks(evaluations: list[Evaluation], name: str, more_is_better: bool) -> Doubles:
    from scipy.stats import rankdata

    values = _common_values(evaluations, name)
    if values is None:
        return np.empty((0, len(evaluations)))
    return rankdata(-values if more_is_better else values, axis=1)
