"""Organs that grow and shrink to a volume, in small synthetic bodies."""

import numpy as np
import pytest

from FlareSegLib.disease.block import Block
from FlareSegLib.disease.case import Grid
from FlareSegLib.disease.growth import scale
from FlareSegLib.errors import FlareSegError


@pytest.fixture
def block():
    grid = Grid((60, 90, 90), (1.6, 1.6, 2.5), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    labels, hu = np.zeros(grid.shape, np.uint8), np.full(grid.shape, -100, np.float32)
    made = Block(grid, grid.whole, hu, labels, hu.astype(np.int16), 0.6)
    p = made.points
    labels[((p.x - 72) / 28) ** 2 + ((p.y - 72) / 20) ** 2 + ((p.z - 75) / 30) ** 2 < 1] = 3
    labels[(p.x - 72) ** 2 + (p.y - 110) ** 2 + (p.z - 75) ** 2 < 14**2] = 2
    hu[:] = np.where(labels > 0, 50.0 * labels, -100)
    return made


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.3, 2.0])
def test_the_volume_is_what_was_asked_for(block, factor):
    inside = block.labels == 3
    scale(block, inside, factor)
    assert (block.labels == 3).sum() / inside.sum() == pytest.approx(factor, rel=0.02)
    assert block.jacobian > 0.1
    assert np.median(block.hu[block.labels == 3]) == pytest.approx(150)


def test_the_neighbour_gives_way_and_the_border_stays(block):
    before, inside = block.hu.copy(), block.labels == 3
    middle = np.argwhere(block.labels == 2)[:, 1].mean()
    scale(block, inside, 1.6)
    assert np.argwhere(block.labels == 2)[:, 1].mean() > middle + 0.7
    assert np.array_equal(block.hu[0], before[0]) and np.array_equal(block.hu[:, :, -1], before[:, :, -1])


def test_bone_stays(block):
    bone = np.zeros(block.hu.shape, bool)
    bone[:, 28:33] = True
    block.hu[bone & (block.labels == 0)] = 700
    before = block.hu.copy()
    scale(block, block.labels == 3, 1.3)
    assert np.array_equal(block.hu[:, 29:32][bone[:, 29:32]], before[:, 29:32][bone[:, 29:32]])


def test_parts_with_weight_grow_more(block):
    inside = block.labels == 3
    scale(block, inside, 1.3, weight=lambda p: (p[0] > 72).astype(np.float32))
    new = block.labels == 3
    assert new[..., 46:].sum() > 1.4 * inside[..., 46:].sum() and new[..., :44].sum() < 1.2 * inside[..., :44].sum()


def test_nodules_roughen_the_surface_at_the_same_volume(block):
    inside = block.labels == 3
    scale(block, inside, 1.0, nodularity_mm=2.0, seed=3)
    new = block.labels == 3
    assert new.sum() == pytest.approx(inside.sum(), rel=0.02) and (new != inside).sum() > 0.05 * inside.sum()


def test_what_finds_no_room_is_refused(block):
    block.hu[block.labels == 0] = -1000
    with pytest.raises(FlareSegError) as error:
        scale(block, block.labels == 3, 2.0)
    assert error.value.code == "disease_not_placed"
