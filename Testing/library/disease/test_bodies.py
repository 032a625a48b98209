"""Bodies are what their names and millimetres say, on any grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.disease.block import Block, coverage
from FlareSegLib.disease.bodies import irregular, lobulated, lump, random_turn, wedge, winding_tube
from FlareSegLib.disease.case import Grid
from FlareSegLib.disease.fractal import fractal_noise
from FlareSegLib.shapes import ellipsoid


def block_around(half_mm, spacing, turn=np.eye(3), psf=0.6) -> Block:
    shape = tuple(int(2 * half_mm / mm) + 1 for mm in reversed(spacing))
    corner = -turn @ ((np.array(shape[::-1]) - 1) / 2 * spacing)
    grid = Grid(shape, tuple(spacing), tuple(corner), tuple(turn.ravel()))
    hu = np.full(shape, 100, np.int16)
    return Block(grid, grid.whole, hu.astype(np.float32), np.ones(shape, np.uint8), hu, psf)


SPACINGS = st.tuples(st.floats(0.6, 2.0), st.floats(0.6, 2.0), st.floats(0.8, 7.5))


def small_turn(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


@given(SPACINGS, st.floats(14, 30), st.floats(-20, 20))
def test_coverage_holds_a_balls_volume_on_any_grid(spacing, diameter, degrees):
    block = block_around(30, spacing, small_turn(degrees))
    millilitres = coverage(block, ellipsoid((0, 0, 0), (diameter / 2,) * 3)).sum() * block.grid.voxel_ml
    assert millilitres == pytest.approx(np.pi * diameter**3 / 6000, rel=0.05)


@pytest.mark.parametrize("body", [
    lambda seed: lump((0, 0, 0), 30, seed, 0.12, 1.3), lambda seed: lobulated((0, 0, 0), 30, seed)])
@pytest.mark.parametrize("seed", range(3))
def test_masses_have_about_the_volume_of_their_diameter(body, seed):
    block = block_around(32, (1.0, 1.0, 2.0))
    millilitres = coverage(block, body(seed)).sum() * block.grid.voxel_ml
    assert millilitres == pytest.approx(np.pi * 30**3 / 6000, rel=0.35)


@pytest.mark.parametrize("body", [
    lump((0, 0, 0), 25, 1, 0.1), lobulated((3, 0, 0), 25, 2), wedge((0, 0, -10), (0, 5, 15), 30, 3),
    winding_tube((-10, 0, 0), (1, 0, 0), 30, 3, 4, branches=2)])
def test_nothing_of_a_body_lies_outside_its_box(body):
    block = block_around(40, (1.5, 1.5, 1.5))
    inside = body.distance(block.points) < 0
    points = np.stack([block.points.x, block.points.y, block.points.z])[:, inside]
    assert inside.any()
    assert (points.min(axis=1) >= body.lower).all() and (points.max(axis=1) <= body.upper).all()


def test_thick_slices_show_partial_volume():
    block = block_around(30, (1.0, 1.0, 6.0))
    cover = coverage(block, ellipsoid((0, 0, 1.5), (10, 10, 10)), blurred=False)
    fractions = cover[:, cover.shape[1] // 2, cover.shape[2] // 2]
    assert ((fractions > 0.1) & (fractions < 0.9)).any()
    assert fractions.sum() * 6.0 == pytest.approx(20, abs=1.5)


def test_noise_is_fixed_in_the_patient():
    axes = np.arange(40.0)
    fine = np.meshgrid(axes, axes, [0.0], indexing="ij")
    coarse = [axis[::4, ::4] for axis in fine]
    assert np.allclose(fractal_noise(fine, 5, 8.0)[::4, ::4], fractal_noise(coarse, 5, 8.0), atol=1e-5)


def test_noise_has_mean_zero_and_sd_one():
    points = np.random.default_rng(0).uniform(-300, 300, (3, 40_000))
    values = np.stack([fractal_noise(points, seed, 9.0) for seed in range(4)])
    assert abs(values.mean()) < 0.03 and values.std() == pytest.approx(1, abs=0.04)
    assert abs(np.corrcoef(values)[0, 1]) < 0.05


def test_irregularity_moves_the_surface_by_its_millimetres():
    block = block_around(30, (1.0, 1.0, 1.0))
    ball = ellipsoid((0, 0, 0), (15, 15, 15))
    distance = ball.distance(block.points)
    moved = (irregular(ball, 1.5, 8.0, 1).distance(block.points) - distance)[np.abs(distance) < 3]
    assert moved.std() == pytest.approx(1.5, rel=0.25)
    assert irregular(ball, 0, 8.0, 1) is ball


def test_turns_are_rotations():
    turn = random_turn(np.random.default_rng(1))
    assert np.allclose(turn @ turn.T, np.eye(3)) and np.linalg.det(turn) == pytest.approx(1)


@pytest.mark.parametrize("bump", [4.0, 12.0])
@pytest.mark.parametrize("degrees", [0, 10])
def test_noise_on_a_grid_is_that_of_its_points(bump, degrees):
    points = block_around(20, (0.8, 0.8, 1.5), small_turn(degrees)).points
    grid = fractal_noise((points.x, points.y, points.z), 7, bump)
    single = fractal_noise((points.x.ravel(), points.y.ravel(), points.z.ravel()), 7, bump).reshape(grid.shape)
    assert np.sqrt(np.mean((grid - single) ** 2)) < 0.06
