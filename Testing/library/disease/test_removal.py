"""Fat or fluid where an organ was."""

import numpy as np
import pytest

from FlareSegLib.disease.block import Block
from FlareSegLib.disease.case import Grid
from FlareSegLib.disease.removal import remove


@pytest.fixture
def block():
    grid = Grid((20, 64, 64), (1.0, 1.0, 2.5), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    labels = np.zeros(grid.shape, np.uint8)
    labels[4:16, 16:48, 16:48] = 3
    hu = np.where(labels == 3, 120, -95) + np.random.default_rng(0).normal(0, 12, grid.shape)
    hu = hu.astype(np.float32)
    return Block(grid, grid.whole, hu, labels, hu.astype(np.int16), 0.6)


@pytest.mark.parametrize("fill, hu", [("fat", -97), ("fluid", 8)])
def test_the_organ_is_gone_and_the_noise_stays(block, fill, hu):
    mask = block.labels == 3
    remove(block, mask, fill, seed=1)
    core = block.hu[6:14, 20:44, 20:44]
    assert not block.labels.any()
    assert core.mean() == pytest.approx(hu, abs=10) and 8 < core.std() < 20


def test_far_away_nothing_changes_and_unknown_stays(block):
    block.labels[10, 30, 30] = 255
    before = block.hu.copy()
    remove(block, block.labels > 0, "fat", seed=1)
    assert np.array_equal(block.hu[:, :10], before[:, :10]) and block.hu[10, 30, 30] == before[10, 30, 30]
    assert block.labels[10, 30, 30] == 255


def test_other_fillings_are_refused(block):
    with pytest.raises(ValueError):
        remove(block, block.labels == 3, "air")
