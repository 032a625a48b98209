import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from FlareSegLib.training.fingerprint import EMPTY_HISTOGRAM, fingerprint, histogram

HU = arrays(np.int16, st.integers(2, 60), elements=st.integers(-1024, 3071))


@given(HU, HU)
def test_it_is_what_numpy_says_of_all_voxels_together(first, second):
    both = np.concatenate((first, second)).astype(float)
    if both.std() == 0:
        return
    found = (histogram(first) + histogram(second)).normalisation()
    assert (found.lower, found.upper) == pytest.approx(tuple(np.percentile(both, (0.5, 99.5))))
    assert (found.mean, found.sd) == pytest.approx((both.mean(), both.std()))


def test_fractions_are_rounded_and_extremes_kept_in_range():
    assert histogram(np.array([0.4, 0.6, 9000.0])) == histogram(np.array([0, 1, 3071]))


def test_nothing_has_no_statistics():
    with pytest.raises(ValueError):
        EMPTY_HISTOGRAM.normalisation()


def test_medians_and_ranges_of_the_cases():
    found = fingerprint([(0.7, 0.7, 5.0), (0.9, 0.9, 1.0), (0.8, 0.8, 2.5)], [30, 200, 93], histogram(np.arange(200)))
    assert found.cases == 3 and found.slices_median == 93
    assert found.spacing_median == (0.8, 0.8, 2.5)
    assert found.spacing_range == ((0.7, 0.9), (0.7, 0.9), (1.0, 5.0))
