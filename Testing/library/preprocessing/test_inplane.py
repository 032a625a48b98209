import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.preprocessing.inplane import AIR_HU, from_grid, plan_inplane, to_grid

sides = st.integers(8, 90)
spacings = st.floats(0.4, 3.0)


@given(sides, sides, spacings, spacings)
def test_the_whole_slice_fits_on_the_grid(rows, columns, row_spacing, column_spacing):
    plan = plan_inplane((rows, columns), (row_spacing, column_spacing), (1.6, 1.6), (32, 32), 8)
    assert all(side % 8 == 0 and side >= 32 for side in plan.grid)
    assert all(part <= whole for part, whole in zip(plan.resampled_shape, plan.grid))
    for n, have, resampled in zip((rows, columns), (row_spacing, column_spacing), plan.resampled_shape):
        assert resampled * 1.6 == pytest.approx(n * have, abs=1.6)


def test_a_slice_on_the_models_grid_is_left_alone():
    plan = plan_inplane((64, 64), (1.6, 1.6), (1.6, 1.6), (64, 64), 8)
    slices = torch.randn(2, 1, 64, 64)
    assert plan.slice_shape == plan.resampled_shape == plan.grid
    assert torch.equal(to_grid(slices, plan), slices)
    assert torch.equal(from_grid(slices, plan), slices)


def test_surrounding_is_air():
    plan = plan_inplane((10, 10), (1.6, 1.6), (1.6, 1.6), (32, 32), 8)
    grid = to_grid(torch.zeros(1, 1, 10, 10), plan)
    assert grid.shape == (1, 1, 32, 32)
    assert (grid == 0).sum() == 100
    assert (grid == AIR_HU).sum() == 32 * 32 - 100


@given(st.integers(20, 90), st.floats(0.5, 3.0))
def test_a_blob_comes_back_where_it_was(side, spacing):
    """There and back, the centre of mass moves by less than a tenth of a working pixel."""
    plan = plan_inplane((side, side), (spacing, spacing), (1.6, 1.6), (16, 16), 8)
    y, x = torch.meshgrid(torch.arange(side, dtype=torch.float32), torch.arange(side, dtype=torch.float32),
                          indexing="ij")
    width = max(3.0, 3 * 1.6 / spacing)
    blob = torch.exp(-((y - side / 2) ** 2 + (x - side / 2 + 1) ** 2) / (2 * width**2))
    blob = torch.where(blob > 0.05, blob, 0.0)
    back = from_grid(to_grid(blob[None, None], plan, 0.0), plan)[0, 0]
    for axis in (y, x):
        before = float((axis * blob).sum() / blob.sum())
        after = float((axis * back).sum() / back.sum())
        assert abs(before - after) * spacing < 0.35


def test_shrinking_averages_noise():
    plan = plan_inplane((256, 256), (0.5, 0.5), (2.0, 2.0), (64, 64), 8)
    noise = torch.randn(1, 1, 256, 256)
    assert float(to_grid(noise, plan).std()) < 0.4
