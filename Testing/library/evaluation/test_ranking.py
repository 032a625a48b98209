from dataclasses import replace

import pytest

from FlareSegLib.evaluation.ranking import flare21_ranking, ranked_criteria

from .conftest import make_evaluation


def test_the_best_in_everything_has_rank_one():
    models = [make_evaluation("slow", -0.1, seconds=9.0), make_evaluation("best", 0.0, seconds=1.0),
              make_evaluation("middle", -0.05, seconds=5.0)]
    models = [replace(model, costs=tuple(replace(cost, gpu_mb=1000.0 + 10 * cost.seconds) for cost in model.costs))
              for model in models]
    assert list(flare21_ranking(models).items()) == [("best", 1 / 3), ("middle", 2 / 3), ("slow", 1.0)]


def test_rank_then_average_by_hand():
    """A wins Dice and NSD in all cases, B time; memory is equal: (1 + 1 + 2 + 1.5) / 4 / 2 and the rest to 1.5."""
    models = [make_evaluation("A", 0.0, seconds=5.0), make_evaluation("B", -0.1, seconds=1.0)]
    assert flare21_ranking(models) == {"A": pytest.approx(5.5 / 8), "B": pytest.approx(6.5 / 8)}


def test_what_was_not_measured_for_all_is_left_out():
    models = [make_evaluation("A", 0.0, seconds=5.0), make_evaluation("B", -0.1)]
    assert ranked_criteria(models) == ("dice", "nsd")
    assert flare21_ranking(models) == {"A": 0.5, "B": 1.0}


def test_only_common_cases_count():
    assert flare21_ranking([make_evaluation("A", cases=4), make_evaluation("B", -0.1, cases=2)]) == {"A": 0.5, "B": 1.0}
    none = replace(make_evaluation("B"), scores=())
    assert flare21_ranking([make_evaluation("A"), none]) == {}
