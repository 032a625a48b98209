"""What is inside the synthetic patient: volumes, sides, densities, axes, for several seeds and phases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.phantom.phantom import make_phantom

SEEDS = (0, 1, 2, 3, 4, 5)
SIZE, SPACING = (120, 90, 60), (3.0, 3.0, 4.0)
VOLUMES_ML = {"liver": (1200, 1700), "kidney": (250, 380), "spleen": (120, 300), "pancreas": (60, 110)}
#: Parenchyma: the phase's HU and how far a patient's median may lie from it.
MEDIAN_HU = {
    "native": {"liver": (58, 10), "kidney": (35, 10), "spleen": (47, 10), "pancreas": (44, 12)},
    "arterial": {"liver": (75, 10), "kidney": (190, 55), "spleen": (122, 12), "pancreas": (112, 14)},
    "portal": {"liver": (110, 10), "kidney": (180, 18), "spleen": (120, 12), "pancreas": (92, 14)},
}


@pytest.fixture(scope="module")
def phantoms():
    return [make_phantom(seed, SIZE, SPACING) for seed in SEEDS]


def mask(phantom, name):
    return phantom.label_map.array == next(organ.label for organ in FLARE_ORGANS if organ.name == name)


def volume_ml(phantom, name):
    return mask(phantom, name).sum() * phantom.label_map.voxel_ml


def centroid(phantom, where):
    """Mean position of a mask, LPS, mm."""
    k, j, i = (axis.mean() for axis in np.nonzero(where))
    return phantom.ct.index_to_physical((i, j, k))


@pytest.mark.parametrize("name", VOLUMES_ML)
def test_volumes_are_those_of_healthy_adults_and_differ(phantoms, name):
    low, high = VOLUMES_ML[name]
    found = [volume_ml(phantom, name) for phantom in phantoms]
    assert all(low <= ml <= high for ml in found), found
    assert max(found) / min(found) > 1.02


@pytest.mark.parametrize("index", range(len(SEEDS)))
def test_organs_lie_on_their_sides(phantoms, index):
    phantom = phantoms[index]
    liver, spleen, pancreas = (centroid(phantom, mask(phantom, name)) for name in ("liver", "spleen", "pancreas"))
    assert liver[0] < -25 and spleen[0] > 60 and abs(pancreas[0]) < 40  # x runs to the patient's left
    parts, count = ndimage.label(mask(phantom, "kidney"))
    sizes = ndimage.sum_labels(np.ones_like(parts), parts, range(1, count + 1))
    two = np.argsort(sizes)[-2:] + 1
    assert sizes[two - 1].sum() > 0.98 * sizes.sum()
    right, left = sorted((centroid(phantom, parts == part) for part in two), key=lambda centre: centre[0])
    assert right[0] < -45 and left[0] > 45
    assert min(right[1], left[1]) > pancreas[1]


@pytest.mark.parametrize("index", range(len(SEEDS)))
@pytest.mark.parametrize("name", ("liver", "spleen", "pancreas"))
def test_an_organ_is_one_piece(phantoms, index, name):
    parts, count = ndimage.label(mask(phantoms[index], name))
    sizes = ndimage.sum_labels(np.ones_like(parts), parts, range(1, count + 1))
    assert sizes.max() > 0.93 * sizes.sum()


@pytest.mark.parametrize("phase", MEDIAN_HU)
def test_parenchyma_has_the_hu_of_its_phase(phase):
    phantom = make_phantom(7, SIZE, SPACING, phase)
    for name, (target, tolerance) in MEDIAN_HU[phase].items():
        core = ndimage.binary_erosion(mask(phantom, name))
        assert np.median(phantom.ct.array[core]) == pytest.approx(target, abs=tolerance), name


def test_phases_show_the_same_patient(phantoms):
    native = make_phantom(SEEDS[0], SIZE, SPACING, "native")
    assert np.array_equal(native.label_map.array, phantoms[0].label_map.array)


def test_arterial_cortex_is_brighter_than_medulla():
    phantom = make_phantom(0, (220, 110, 16), (1.5, 1.5, 5.0), "arterial")
    depth = ndimage.distance_transform_edt(mask(phantom, "kidney"), sampling=(5.0, 1.5, 1.5))
    smooth = ndimage.gaussian_filter(phantom.ct.array.astype(float), (0, 0.7, 0.7))
    cortex = np.median(smooth[(depth > 2.5) & (depth < 5)])
    assert cortex - np.percentile(smooth[depth > 10], 25) > 50


def test_axes_run_to_posterior_and_superior(phantoms):
    phantom = phantoms[0]
    ct = phantom.ct.array
    body = ct > -300
    assert centroid(phantom, ct > 350)[1] > centroid(phantom, body)[1] + 10, "the spine lies behind"
    lung = ((ct > -890) & (ct < -810)).sum(axis=(1, 2))  # bowel gas and outer air are darker
    assert lung[-1] > 5 * lung[: len(lung) // 2].max(), "the lungs lie above"


def test_every_slice_of_the_spine_shows_bone(phantoms):
    """Discs lean: a slice with no bone at all occurs in no patient."""
    for phantom in phantoms:
        spine = phantom.ct.array[:, :, 45:75] > 300
        assert spine.any(axis=(1, 2)).all()


@pytest.fixture(scope="module")
def two_grids():
    """One patient on a fine grid and on a coarse one of about the same extent."""
    return make_phantom(3, (200, 140, 90), (1.6, 1.6, 2.2)), make_phantom(3, (108, 76, 66), (3.0, 3.0, 3.0))


@pytest.mark.parametrize("name", VOLUMES_ML)
def test_spacing_only_resamples_the_patient(two_grids, name):
    fine, coarse = two_grids
    assert volume_ml(coarse, name) == pytest.approx(volume_ml(fine, name), rel=0.03)
    assert centroid(coarse, mask(coarse, name)) == pytest.approx(centroid(fine, mask(fine, name)), abs=1.0)


def test_noise_of_the_scanner():
    phantom = make_phantom(0, (300, 210, 2), (0.9, 0.9, 5.0))
    core = ndimage.binary_erosion(mask(phantom, "liver"), np.ones((1, 3, 3)), iterations=6)
    residual = (phantom.ct.array - ndimage.gaussian_filter(phantom.ct.array.astype(float), (0, 5, 5)))[core]
    assert core.sum() > 1000
    assert 9 < 1.4826 * np.median(np.abs(residual)) < 15  # robust: a few vessels lie in the liver


def test_air_around():
    ct = make_phantom(0, (110, 90, 4), (4.0, 4.0, 5.0)).ct.array
    assert np.median(ct[:, 0]) == pytest.approx(-1000, abs=3) and ct.min() >= -1024
