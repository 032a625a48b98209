"""Metal and its streaks."""

import numpy as np
import pytest

from FlareSegLib.disease.block import Block
from FlareSegLib.disease.case import Grid
from FlareSegLib.disease.metal import clip_streaks


@pytest.fixture
def block():
    grid = Grid((5, 80, 80), (1.0, 1.0, 2.5), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    hu = np.full(grid.shape, 60, np.float32)
    return Block(grid, grid.whole, hu, np.ones(grid.shape, np.uint8), hu.astype(np.int16), 0.6)


def clip(block):
    metal = np.zeros(block.hu.shape, bool)
    metal[2, 38:44, 39:41] = True
    return metal


def test_metal_is_bright_and_streaks_stay_in_its_slices(block):
    labels = block.labels.copy()
    clip_streaks(block, clip(block), 0.6, seed=1)
    assert (block.hu[clip(block)] >= 2500).all() and np.array_equal(block.labels, labels)
    assert (block.hu[[0, 1, 3, 4]] == 60).all()
    away = block.hu[2, :25, 20:60]
    assert away.std() > 3 and away.min() < 55 and away.max() > 65


def test_without_strength_there_are_no_streaks(block):
    clip_streaks(block, clip(block), 0.0, seed=1)
    assert (block.hu[2, :30] == 60).all() and block.hu[2].max() > 2500


def test_the_same_seed_gives_the_same_streaks(block):
    other = Block(block.grid, block.box, block.hu.copy(), block.labels.copy(), block.before, 0.6)
    clip_streaks(block, clip(block), 0.6, seed=1)
    clip_streaks(other, clip(other), 0.6, seed=1)
    assert np.array_equal(block.hu, other.hu)
