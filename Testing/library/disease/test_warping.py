"""Mass effect and warping: true to volume, never folding, still where nothing may move."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from FlareSegLib.disease.block import Block
from FlareSegLib.disease.bodies import random_turn
from FlareSegLib.disease.case import Grid
from FlareSegLib.disease.coarse import coarse_steps, node_count
from FlareSegLib.disease.warping import mobility, push, warp
from FlareSegLib.errors import FlareSegError

UPRIGHT = (1, 0, 0, 0, 1, 0, 0, 0, 1)
OBLIQUE = tuple(random_turn(np.random.default_rng(4)).ravel())


def make_block(size_mm=80, spacing=(1.0, 1.0, 2.0), direction=UPRIGHT):
    shape = tuple(int(size_mm / mm) + 1 for mm in reversed(spacing))
    hu = np.full(shape, 50, np.float32)
    grid = Grid(shape, spacing, (-30.0, 12.0, 5.0), direction)
    return Block(grid, grid.whole, hu, np.zeros(shape, np.uint8), hu.astype(np.int16), 0.6)


def middle(block):
    return block.grid.point_of((np.array(block.hu.shape) - 1) / 2)


def radius(block, centre):
    p = block.points
    return np.sqrt((p.x - centre[0]) ** 2 + (p.y - centre[1]) ** 2 + (p.z - centre[2]) ** 2)


@settings(max_examples=8, deadline=None)
@given(st.floats(0.2, 0.9), st.sampled_from([UPRIGHT, OBLIQUE]), st.integers(0, 99))
def test_as_much_tissue_moves_as_the_lesion_asks_for(share, direction, seed):
    block = make_block(direction=direction)
    centre = middle(block) + np.random.default_rng(seed).uniform(-1, 1, 3)
    block.labels[radius(block, centre) < 16] = 1
    block.hu[:] = 100 * block.labels
    before = block.hu.sum()
    push(block, centre, (12, 12, 12), share)
    moved = (block.hu.sum() - before) / 100 * block.grid.voxel_ml
    assert moved == pytest.approx(share * 4 / 3 * np.pi * 1.2**3, rel=0.06)
    clear = np.abs(block.hu - 50) > 1
    assert np.array_equal(np.rint(block.hu / 100)[clear], block.labels[clear])
    assert block.jacobian == pytest.approx(1 - share, abs=0.02)


@settings(max_examples=8, deadline=None)
@given(st.floats(0.01, 0.95), st.tuples(*[st.floats(4, 14)] * 3),
       st.tuples(*[st.floats(0.6, 2)] * 2, st.floats(0.6, 5)),
       st.integers(0, 999), st.booleans())
def test_nothing_folds_beside_bone_and_air(share, radii, spacing, seed, oblique):
    spacing = (spacing[0], spacing[0], spacing[2])
    block = make_block(70, spacing, OBLIQUE if oblique else UPRIGHT)
    rng = np.random.default_rng(seed)
    far = radius(block, middle(block) + rng.uniform(-25, 25, 3))
    block.hu[(far > 6) & (far < 12)] = 700
    block.hu[:, :, -max(1, round(10 / spacing[0])):] = -900
    hard = block.hu.copy()
    push(block, middle(block), radii, share, random_turn(rng), 2.5)
    assert 0 < block.jacobian <= 1
    assert np.array_equal(block.hu[..., -1], hard[..., -1])


def test_bone_stays_where_it_is_and_tissue_gives_way():
    block = make_block()
    block.hu += np.random.default_rng(0).normal(0, 10, block.hu.shape).astype(np.float32)
    bone = np.zeros(block.hu.shape, bool)
    bone[:, 18:26, 10:70] = True
    block.hu[bone] = 600
    before = block.hu.copy()
    push(block, middle(block), (10, 10, 10), 0.8)
    assert np.array_equal(block.hu[bone], before[bone])
    assert (block.hu[:, 52:56] != before[:, 52:56]).any()
    # What lies behind bone does not move either.
    assert np.array_equal(block.hu[:, :15, 40], before[:, :15, 40])


def test_what_lies_out_of_reach_stays_bit_for_bit():
    block = make_block()
    block.hu[:] = np.random.default_rng(0).normal(50, 10, block.hu.shape)
    before, centre = block.hu.copy(), middle(block)
    push(block, centre, (10, 10, 10), 0.8, reach=2.5)
    outside = radius(block, centre) > 25
    assert np.array_equal(block.hu[outside], before[outside]) and not np.array_equal(block.hu, before)


def test_unknown_voxels_neither_move_nor_spread():
    block = make_block()
    block.labels[:, 30:50, 48:56] = 255
    block.hu[:] = np.random.default_rng(0).normal(50, 10, block.hu.shape)
    before, unknown = block.hu.copy(), block.labels == 255
    push(block, middle(block), (10, 10, 10), 0.8)
    assert np.array_equal(block.labels == 255, unknown) and np.array_equal(block.hu[unknown], before[unknown])


def test_lesions_painted_before_move_along():
    block = make_block()
    centre = middle(block)
    block.cover[radius(block, centre) < 14] = 1
    block.wanted[:] = 80 * block.cover
    before = block.cover.sum()
    push(block, centre, (10, 10, 10), 0.8)
    assert block.cover.sum() > 1.2 * before and np.allclose(block.wanted, 80 * block.cover, atol=1e-3)


def test_a_share_outside_its_range_is_refused():
    with pytest.raises(ValueError):
        push(make_block(20), (0, 0, 0), (5, 5, 5), 1.0)


def nodes_of(block, node_mm=4.0):
    steps = coarse_steps(block.grid.spacing, node_mm)
    return steps, node_count(block.hu.shape, steps)


def test_a_shift_moves_image_and_labels_by_so_many_millimetres():
    block = make_block(40)
    block.labels[5:15, 10:25, 10:25] = 3
    block.hu[:] = 100.0 * block.labels
    steps, nodes = nodes_of(block)
    shift = np.zeros((3, *nodes), np.float32)
    shift[0], shift[2] = 2.0, -3.0
    before = block.labels.copy()
    warp(block, shift, steps)
    assert np.array_equal(block.labels[2:-2, :, 3:-3], before[3:-1, :, :-6])
    assert np.allclose(block.hu, 100.0 * block.labels, atol=0.01) and block.jacobian == pytest.approx(1)


def test_labels_go_with_the_image_through_any_smooth_warp():
    block = make_block(60)
    block.labels[radius(block, middle(block)) < 20] = 1
    block.hu[:] = 100 * block.labels
    steps, nodes = nodes_of(block, 10.0)
    warp(block, np.random.default_rng(0).normal(0, 1.2, (3, *nodes)).astype(np.float32), steps)
    clear = np.abs(block.hu - 50) > 1
    assert np.array_equal(np.rint(block.hu / 100)[clear], block.labels[clear]) and block.jacobian > 0.1


def test_a_displacement_that_folds_is_halved_or_refused():
    block = make_block(40)
    steps, nodes = nodes_of(block)
    u = np.zeros((3, *nodes), np.float32)
    u[2] = -2 * 4 * np.arange(nodes[2])
    warp(block, u, steps)
    assert 0.1 < block.jacobian < 1
    with pytest.raises(FlareSegError) as error:
        warp(block, 1000 * u, steps)
    assert error.value.code == "disease_not_placed"


def test_mobility_is_none_in_bone_and_whole_far_from_it():
    block = make_block()
    assert (mobility(block) == 1).all()
    block.hu[:, :8] = -1000
    free = mobility(block)
    assert (free[:, :3] == 0).all() and free.max() == 1 and (np.diff(free[5, :, 5]) >= 0).all()
