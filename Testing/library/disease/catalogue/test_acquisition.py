"""Another acquisition: noise, kernel, slice thickness and field of view as asked for; labels and organs stay."""

import numpy as np
import pytest

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import LABEL_OF, Case, Grid
from FlareSegLib.disease.catalogue.acquisition import AROUND_ORGANS_MM, slice_profile
from FlareSegLib.disease.operation import draw, perform
from FlareSegLib.disease.scene import Scene


def scanned(case, **parameters):
    disease, scene = catalogue.find("acquisition"), Scene(case)
    operation = draw(disease, scene, "", np.random.default_rng(0), disease.parameters(**{"noise": 2.0, **parameters}))
    return perform(catalogue.find, scene, operation)[0].case


@pytest.fixture(scope="module")
def step():
    """Thin slices with two sharp edges: 200 HU more above the middle, 400 less in the right half."""
    hu, labels = np.zeros((24, 48, 64), np.int16), np.zeros((24, 48, 64), np.uint8)
    hu[12:] += 200
    hu[:, :, :32] -= 400
    labels[4:20, 16:32, 16:48] = 1
    return Case(hu, labels, Grid(hu.shape, (0.8, 0.8, 2.5), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel())))


@pytest.mark.parametrize("parameters", [{}, {"kernel": 0.8}, {"kernel": -0.8, "thickness": 8.0}])
def test_the_noise_is_what_was_asked_for_whatever_the_kernel(case, parameters):
    quiet, noisy = (scanned(case, noise=noise, **parameters) for noise in (2.0, 30.0))
    inside = case.labels > 0
    added = noisy.hu.astype(float)[inside] - quiet.hu[inside]
    # The same seed: 28 of 30 HU are left.
    assert added.std() == pytest.approx(28, rel=0.1) and abs(added.mean()) < 1
    assert np.array_equal(noisy.labels, case.labels) and noisy.grid == case.grid


def test_thick_slices_blur_along_z_only(step):
    after = scanned(step, thickness=10.0)
    up, across = after.hu[:, :, 42:].mean(axis=(1, 2)), after.hu[20:].mean(axis=(0, 1))
    assert 40 < up[11] < 100 < up[12] < 160
    assert abs(up[8]) < 2 and abs(up[15] - 200) < 2
    assert abs(across[31] + 200) < 2 and abs(across[32] - 200) < 2


@pytest.mark.parametrize("thickness, spacing", [(5.0, 1.6), (3.0, 2.5), (10.0, 0.8)])
def test_the_profile_has_the_variance_of_a_slice_of_that_thickness(thickness, spacing):
    weights = slice_profile(thickness, spacing)
    places = np.arange(len(weights)) - len(weights) // 2
    assert weights.sum() == pytest.approx(1) and (weights > 0).all()
    variance = spacing**2 * ((places**2 * weights).sum() + 1 / 12)
    assert variance == pytest.approx(thickness**2 / 12)
    assert len(slice_profile(spacing, spacing)) == 1


def test_a_soft_kernel_blurs_in_plane_only_and_a_sharp_one_overshoots(step):
    soft, sharp = scanned(step, kernel=1.0).hu, scanned(step, kernel=-1.0).hu
    up, across = soft[:, :, 42:].mean(axis=(1, 2)), soft[15:].mean(axis=(0, 1))
    assert across[31] > -150 and across[32] < 150
    assert abs(up[11]) < 2 and abs(up[12] - 200) < 2
    across = sharp[15:].mean(axis=(0, 1))
    assert across[31] < -220 and across[32] > 220


def test_a_narrow_field_of_view_cuts_the_body_but_no_organ(case):
    after = scanned(case, field_of_view=200.0)
    size, spacing = case.hu.shape[1:], case.grid.spacing
    j, i = ((np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(size, spacing[1::-1]))
    radii = np.hypot(j[:, None], i)
    organs = np.isin(case.labels, list(LABEL_OF.values())).any(axis=0)
    radius = max(100.0, radii[organs].max() + AROUND_ORGANS_MM)
    assert (after.hu[:, radii > radius + 0.1] == -1024).all()
    assert (case.hu[:, radii > radius + 0.1] > -200).any(), "the phantom's body was not cut"
    assert np.median(after.hu[case.labels > 0] - case.hu[case.labels > 0]) == pytest.approx(0, abs=3)
