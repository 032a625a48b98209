"""The flow of tissue on a small grid: it swells as it should, moves what is stiff and leaves what is fixed."""

import numpy as np
import pytest

from FlareSegLib.disease.flow import Tissue, follow, moved
from FlareSegLib.disease.warping import determinant

NODE_MM = np.array([5.0, 5.0, 5.0], np.float32)


def tissue(softness=1.0, swelling=0.69, free=None):
    z, y, x = np.indices((24, 24, 24)) - 11.5
    ball = (np.sqrt(z * z + y * y + x * x) < 5).astype(np.float32)
    mobility = np.ones(ball.shape, np.float32) if free is None else free.astype(np.float32)
    mobility[[0, -1]] = mobility[:, [0, -1]] = mobility[:, :, [0, -1]] = 0
    return Tissue(NODE_MM, ball, np.full(ball.shape, swelling, np.float32), mobility,
                  np.where(ball > 0, 0, softness).astype(np.float32))


@pytest.mark.parametrize("factor", [0.5, 1.5, 2.0])
def test_a_body_swells_evenly_by_what_its_swelling_says(factor):
    given = tissue(swelling=np.log(factor))
    passed, last = list(follow(given, 1.0))[-1]
    assert passed == 1
    assert determinant(last, NODE_MM)[10:14, 10:14, 10:14] == pytest.approx(1 / factor, rel=0.05)
    # At the rim of a ball of five nodes half a node belongs to either side.
    assert np.log(moved(given.filled, last, NODE_MM).sum() / given.filled.sum()) / np.log(factor) > 0.7


def test_what_is_fixed_stays_and_the_rest_goes_elsewhere():
    fixed = np.ones((24, 24, 24), bool)
    fixed[:, :, 17:] = False
    given = tissue(free=fixed)
    passed, last = list(follow(given, 1.0))[-1]
    assert passed == 1
    assert not last[:, :, :, 18:].any()
    assert np.abs(last[2][:, :, 6]).max() > np.abs(last[2][:, :, 17]).max()


def test_what_is_shut_in_does_not_grow():
    z, y, x = np.indices((24, 24, 24)) - 11.5
    given = tissue(free=np.sqrt(z * z + y * y + x * x) < 5)
    *_, (_, last) = follow(given, 1.0)
    assert moved(given.filled, last, NODE_MM).sum() / given.filled.sum() == pytest.approx(1, abs=0.02)
