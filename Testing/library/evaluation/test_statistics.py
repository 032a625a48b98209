import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from FlareSegLib.evaluation.statistics import bootstrap_interval, paired_difference, spread


def test_mean_and_sample_standard_deviation():
    assert spread([2, 4, 4, 4, 5, 5, 7, 9]).sd == pytest.approx(np.sqrt(32 / 7))
    assert spread([3.0]).sd == 0.0
    assert spread([]) is None


def test_only_cases_of_both_models_are_compared():
    difference = paired_difference({"a": 3.0, "b": 5.0, "c": 100.0}, {"a": 1.0, "b": 2.0, "d": 0.0})
    assert difference.mean == 2.5 and difference.count == 2
    assert paired_difference({"a": 1.0}, {"b": 1.0}) is None


def test_the_interval_is_about_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(1.0, 2.0, 200)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std(ddof=1) / np.sqrt(200)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05)


def test_intervals_hold_the_truth_as_often_as_they_say():
    random = np.random.default_rng(1)
    hits = [low <= 0 <= high for low, high in (bootstrap_interval(random.normal(size=40)) for _ in range(120))]
    assert 0.88 <= np.mean(hits) <= 0.99


def test_a_clear_difference_is_significant_and_none_is_not():
    baseline = {str(n): n / 30 for n in range(30)}
    better = {case: value + 0.1 + 0.001 * int(case) for case, value in baseline.items()}
    difference = paired_difference(better, baseline)
    assert 0.1 < difference.low < difference.mean < difference.high and difference.p < 1e-5
    same = paired_difference(baseline, baseline)
    assert (same.mean, same.low, same.high, same.p) == (0.0, 0.0, 0.0, None)


@settings(max_examples=20)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=40))
def test_same_every_time_and_turned_round_by_swapping(values):
    one = {str(n): value for n, value in enumerate(values)}
    other = dict.fromkeys(one, 0.0)
    there, back = paired_difference(one, other), paired_difference(other, one)
    assert there == paired_difference(one, other)
    assert there.mean == pytest.approx(-back.mean) and there.p == pytest.approx(back.p)
    assert there.low <= there.mean + 1e-12 and there.mean <= there.high + 1e-12
