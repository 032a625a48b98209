import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.evaluation.agreement import Overlap, dice, overlap

MASKS = st.lists(st.booleans(), min_size=1, max_size=30).map(np.array)


def test_known_overlap():
    prediction = np.array([1, 1, 0, 2])
    reference = np.array([1, 0, 0, 2])
    assert dice(prediction, reference, 1) == pytest.approx(2 / 3)
    assert dice(prediction, reference, 2) == 1.0


def test_sensitivity_and_precision_by_hand():
    found = np.array([1, 1, 1, 1, 0, 0], bool)
    truth = np.array([0, 0, 1, 1, 1, 0], bool)
    agreement = overlap(found, truth)
    assert agreement == Overlap(found=4, truth=3, both=2)
    assert agreement.sensitivity == pytest.approx(2 / 3)
    assert agreement.precision == 1 / 2
    assert agreement.dice == pytest.approx(4 / 7)


def test_flare21_rules_for_empty_masks():
    empty, full = np.zeros(4, int), np.ones(4, int)
    assert dice(empty, empty, 1) == 1.0
    assert dice(full, empty, 1) == 0.0
    assert dice(empty, full, 1) == 0.0


@pytest.mark.parametrize("found, truth, value", [(0, 0, 1.0), (5, 0, 0.0), (0, 5, 0.0)])
def test_sensitivity_and_precision_follow_the_same_rules(found, truth, value):
    agreement = Overlap(found, truth, 0)
    assert (agreement.dice, agreement.sensitivity, agreement.precision) == (value,) * 3


def test_ignored_voxels_do_not_count():
    assert dice(np.array([1, 1, 1]), np.array([1, 255, 255]), 1) == 1.0


@given(st.lists(st.sampled_from([0, 1, 2]), min_size=4, max_size=30), st.randoms())
def test_symmetric_and_bounded(values, random):
    a = np.array(values)
    b = np.array(random.sample(values, len(values)))
    assert dice(a, b, 1) == dice(b, a, 1)
    assert 0.0 <= dice(a, b, 1) <= 1.0


@given(MASKS, st.randoms())
def test_dice_is_the_harmonic_mean_of_sensitivity_and_precision(found, random):
    truth = np.array(random.sample(list(found), len(found)))
    agreement = overlap(found, truth)
    if agreement.both:
        harmonic = 2 / (1 / agreement.sensitivity + 1 / agreement.precision)
        assert agreement.dice == pytest.approx(harmonic)
    assert overlap(truth, found).sensitivity == agreement.precision
