import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.evaluation.agreement import dice


def test_known_overlap():
    prediction = np.array([1, 1, 0, 2])
    reference = np.array([1, 0, 0, 2])
    assert dice(prediction, reference, 1) == pytest.approx(2 / 3)
    assert dice(prediction, reference, 2) == 1.0


def test_flare21_rules_for_empty_masks():
    empty, full = np.zeros(4, int), np.ones(4, int)
    assert dice(empty, empty, 1) == 1.0
    assert dice(full, empty, 1) == 0.0
    assert dice(empty, full, 1) == 0.0


def test_ignored_voxels_do_not_count():
    assert dice(np.array([1, 1, 1]), np.array([1, 255, 255]), 1) == 1.0


@given(st.lists(st.sampled_from([0, 1, 2]), min_size=4, max_size=30), st.randoms())
def test_symmetric_and_bounded(values, random):
    a = np.array(values)
    b = np.array(random.sample(values, len(values)))
    assert dice(a, b, 1) == dice(b, a, 1)
    assert 0.0 <= dice(a, b, 1) <= 1.0
