import numpy as np
import pytest

from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION


def test_flare21_constants():
    """Published in the plans of the challenge's own nnU-Net baseline."""
    constants = FLARE21_NORMALISATION
    assert (constants.lower, constants.upper, constants.mean, constants.sd) == (-16.0, 270.0, 116.62895, 47.89974)


def test_clips_then_scores():
    low, mean, high = FLARE21_NORMALISATION.apply(np.array([-1024, 116.62895, 3000], np.float32))
    assert low == pytest.approx((-16 - 116.62895) / 47.89974)
    assert mean == pytest.approx(0, abs=1e-5)
    assert high == pytest.approx((270 - 116.62895) / 47.89974)


def test_keeps_shape_and_gives_float32():
    out = FLARE21_NORMALISATION.apply(np.zeros((2, 3, 4), np.int16))
    assert out.shape == (2, 3, 4)
    assert out.dtype == np.float32
