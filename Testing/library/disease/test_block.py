"""Painting: what is edited, what stays bit for bit, and what is remembered of it."""

import numpy as np
import pytest

from FlareSegLib.disease.block import Block, add, coverage, relabel, replace, smeared
from FlareSegLib.disease.case import Grid
from FlareSegLib.disease.quality import edge_sigma
from FlareSegLib.shapes import ellipsoid

GRID = Grid((12, 40, 40), (1.0, 1.0, 2.5), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
BALL = ellipsoid((20, 20, 14), (8, 8, 8))


@pytest.fixture
def block():
    hu = np.random.default_rng(0).normal(100, 12, GRID.shape).round().astype(np.int16)
    hu[0, 0, 0], hu[0, 0, 1] = -3024, 9000
    labels = np.ones(GRID.shape, np.uint8)
    return Block(GRID, GRID.whole, hu.astype(np.float32), labels, hu, 0.6)


def test_what_is_not_covered_stays_bit_for_bit_whatever_its_value(block):
    cover = coverage(block, BALL)
    replace(block, cover, -1500.0)
    change = block.change()
    untouched = cover == 0
    assert np.array_equal(change.hu[untouched], block.before[untouched])
    assert change.hu.min() == -3024 and change.hu[~untouched].min() >= -1024


@pytest.mark.parametrize("pixel, psf", [(0.6, 0.7), (0.8, 0.5), (1.2, 0.45), (1.4, 0.5)])
def test_a_sharp_surface_is_as_sharp_as_the_scan_also_where_pixels_are_wider(pixel, psf):
    grid = Grid((10, 70, 70), (pixel, pixel, 2.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    hu = np.zeros(grid.shape, np.int16)
    block = Block(grid, grid.whole, hu.astype(np.float32), np.ones(grid.shape, np.uint8), hu, psf)
    middle = 35.3 * pixel
    cover = coverage(block, ellipsoid((middle, middle, 9.0), (20 * pixel, 20 * pixel, 200.0)))
    assert edge_sigma(cover, grid.spacing) == pytest.approx(psf, rel=0.15)


def test_adding_keeps_the_noise_as_it_is(block):
    cover = coverage(block, BALL)
    add(block, cover, -40.0, tissue=100.0)
    core = cover > 0.999
    change = block.change()
    shift = change.hu[core].astype(float) - block.before[core]
    assert shift.std() < 0.5 and shift.mean() == pytest.approx(60 - np.median(block.before[core]), abs=1.5)
    assert np.allclose(change.wanted[core], 60)


def test_the_contrast_is_to_the_organ_wherever_the_lesion_lies(block):
    block.hu[:, :, :22] += 12
    cover = coverage(block, ellipsoid((10, 20, 14), (6, 6, 6)))
    add(block, cover, -40.0, tissue=100.0)
    assert np.median(block.hu[cover > 0.999]) == pytest.approx(60, abs=1.5)


def test_vessels_can_be_taken_away(block):
    block.hu[:, 18:22, :] += 120
    kept, taken = block.hu.copy(), block.hu
    add(block, coverage(block, BALL), 0.0, tissue=100.0, vessels_kept=0.0)
    middle = (5, 20, 20)
    assert kept[middle] > 180 and taken[5, 19:21, 16:24].mean() < 150


def test_replacing_takes_the_given_value_and_noise(block):
    cover = coverage(block, BALL)
    noise = np.random.default_rng(1).normal(0, 9, cover.shape).astype(np.float32)
    replace(block, cover, 5.0, noise)
    core = cover > 0.999
    assert np.allclose(block.hu[core], 5 + noise[core], atol=0.1)


def test_of_two_lesions_the_later_lies_on_top(block):
    cover = coverage(block, BALL)
    replace(block, cover, 5.0)
    replace(block, coverage(block, ellipsoid((20, 20, 14), (3, 3, 3))), 60.0)
    assert block.wanted[6, 20, 20] == pytest.approx(60, abs=4) and block.wanted[6, 20, 14] == pytest.approx(5, abs=1)
    assert np.array_equal(block.cover > 0, cover > 0)


def test_labels_change_where_the_rule_says(block):
    cover = coverage(block, BALL)
    block.labels[:, :, 20:] = 0
    block.labels[:, :, 30:] = 3
    relabel(block, cover, 2, over=(0,))
    assert set(np.unique(block.labels)) == {0, 1, 2, 3}
    assert (block.labels[:, :, :20] == 1).all() and (block.labels[:, :, 30:] == 3).all()
    relabel(block, cover, 0, over=(2,))
    assert not (block.labels == 2).any()


def test_unknown_voxels_are_never_edited(block):
    block.labels[:, :20] = 255
    cover = coverage(block, BALL)
    replace(block, cover, 5.0)
    add(block, cover, 30.0, 100.0)
    unknown = block.labels == 255
    assert np.array_equal(block.hu[unknown], block.before[unknown])


def test_samples_along_thick_voxels_average_the_function(block):
    rising = smeared(block, lambda points: points.z, (-100,) * 3, (100,) * 3, blurred=False)
    assert np.allclose(rising, block.points.z, atol=1e-3)


def test_painting_into_a_part_is_painting_into_the_whole(block):
    inner = block.part(BALL.lower, BALL.upper, 3.0)
    assert inner.hu.size < block.hu.size
    cover = coverage(inner, BALL)
    replace(inner, cover, 5.0)
    relabel(inner, cover, 2, over=(1,))
    change = inner.change()
    assert change.box == GRID.whole and np.count_nonzero(change.labels == 2) == np.count_nonzero(cover >= 0.5) > 0
    assert change.cover.sum() == pytest.approx(float(cover.sum()), rel=1e-4)
    expected = Block(GRID, GRID.whole, block.before.astype(np.float32), block.labels.copy(), block.before, 0.6)
    replace(expected, coverage(expected, BALL), 5.0)
    assert np.abs(expected.change().hu - change.hu).max() <= 1
