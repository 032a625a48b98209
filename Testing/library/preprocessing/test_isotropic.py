import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.preprocessing.isotropic import isotropic_slice, plan_z, slice_weights

counts = st.integers(1, 60)
spacings = st.floats(0.4, 10.0)


def test_the_papers_example():
    """Section 2.1 of Witanto et al.: 93 slices become 269 (2.5 mm to 0.864 mm)."""
    assert plan_z(93, 2.5, 0.864).isotropic == 269


@given(counts, spacings, spacings)
def test_reads_the_slice_that_holds_the_stored_centre(slices, spacing, target):
    plan = plan_z(slices, spacing, target)
    assert len(plan.reads) == slices
    for stored, index in enumerate(plan.reads):
        centre = (stored + 0.5) / slices
        assert index / plan.isotropic <= centre + 1e-9
        assert centre <= (index + 1) / plan.isotropic + 1e-9


@given(counts, spacings, spacings)
def test_never_runs_more_than_either_grid_has(slices, spacing, target):
    plan = plan_z(slices, spacing, target)
    assert len(set(plan.reads)) <= min(plan.stored, plan.isotropic)


@given(counts, spacings, spacings)
def test_weights_sum_to_one_and_keep_a_ramp(slices, spacing, target):
    """Away from the ends a linear ramp comes out as the position itself."""
    plan = plan_z(slices, spacing, target)
    for index in range(plan.isotropic):
        indices, weights = slice_weights(plan, index)
        assert weights.sum() == pytest.approx(1.0, abs=1e-5)
        assert (weights > 0).all()
        position = (index + 0.5) * plan.stored / plan.isotropic - 0.5
        reach = max(1.0, plan.stored / plan.isotropic)
        if reach <= position <= slices - 1 - reach and plan.isotropic >= plan.stored:
            assert float(indices @ weights) == pytest.approx(position, abs=1e-3)


def test_equals_linear_interpolation_of_simpleitk():
    rng = np.random.default_rng(0)
    array = rng.integers(-1000, 1000, (12, 5, 6)).astype(np.int16)
    plan = plan_z(12, 2.5, 0.8)
    image = sitk.GetImageFromArray(array.astype(np.float32))
    step = plan.stored / plan.isotropic
    grid = sitk.Image(6, 5, plan.isotropic, sitk.sitkFloat32)
    grid.SetSpacing((1.0, 1.0, step))
    grid.SetOrigin((0.0, 0.0, 0.5 * step - 0.5))
    reference = sitk.GetArrayFromImage(sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear, -5000.0))
    for index in range(plan.isotropic):
        if (reference[index] > -4999).all():  # inside: SimpleITK does not extend beyond the last slice
            np.testing.assert_allclose(isotropic_slice(array, plan, index), reference[index], atol=0.02)


def test_thin_slices_are_averaged_not_skipped():
    array = np.random.default_rng(0).normal(0, 20, (300, 8, 8)).astype(np.float32)
    plan = plan_z(300, 0.5, 1.6)
    inner = np.stack([isotropic_slice(array, plan, index) for index in range(5, plan.isotropic - 5)])
    assert inner.std() < 0.6 * array.std()


def test_one_slice_stays_one_slice():
    array = np.full((1, 2, 2), 7, np.int16)
    plan = plan_z(1, 1.0, 1.0)
    assert plan.reads == (0,)
    assert (isotropic_slice(array, plan, 0) == 7).all()
