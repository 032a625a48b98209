"""Altered scans are what they say, and their labels go with them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.evaluation.altered_scans import all_conditions, resliced, slab_weights
from FlareSegLib.evaluation.pairs import grid_difference
from FlareSegLib.phantom.phantom import make_phantom
from FlareSegLib.volumes.orientation import obliqueness_degrees, to_axial

CONDITIONS = {condition.name: condition for condition in all_conditions()}


@pytest.fixture(scope="module")
def scan():
    phantom = make_phantom(1, (96, 80, 24), (4.0, 4.0, 8.0))
    return to_axial(phantom.ct)[0], to_axial(phantom.label_map)[0]


@given(st.integers(1, 60), st.floats(0.5, 10), st.floats(0.5, 10))
def test_slices_of_any_thickness_are_means_and_share_the_extent(slices, spacing, thickness):
    weights = slab_weights(slices, spacing, thickness)
    assert weights.shape == (max(1, round(slices * spacing / thickness)), slices)
    assert (weights >= 0).all() and np.allclose(weights.sum(axis=1), 1)
    if thickness > spacing and len(weights) > 1:
        assert np.allclose(weights.sum(axis=0), len(weights) / slices), "no stored slice counts more than another"


def test_thicker_slices_are_means_and_labels_go_with_them(scan):
    ct, labels = scan
    thick = resliced(ct, labels, 16.0)
    assert thick.ct.spacing[2] == 16 and len(thick.ct.array) == 12 and not grid_difference(thick.ct, thick.labels)
    assert np.abs(thick.ct.array[0] - ct.array[:2].mean(axis=0)).max() <= 0.5
    assert np.isclose(thick.ct.origin[2], ct.origin[2] + 4.0), "the first slice lies between the two"
    before, after = (np.count_nonzero(volume.array == 1) * volume.voxel_ml for volume in (labels, thick.labels))
    assert abs(after / before - 1) < 0.06
    thin = resliced(ct, labels, 4.0)
    assert len(thin.ct.array) == 48 and set(np.unique(thin.labels.array)) == set(np.unique(labels.array))
    same = resliced(ct, labels, 8.0)
    assert np.array_equal(same.ct.array, ct.array) and np.array_equal(same.labels.array, labels.array)


@pytest.mark.parametrize("name", ["flipped", "axes permuted", "oblique"])
def test_other_storage_is_the_same_scan(scan, name):
    ct, labels = scan
    stored = CONDITIONS[name].alter(ct, labels, 0)
    assert stored.ct.direction != ct.direction
    back = to_axial(stored.ct)[0]
    assert np.array_equal(back.array, ct.array) and np.allclose(back.spacing, ct.spacing)
    assert np.array_equal(to_axial(stored.labels)[0].array, labels.array)
    if name == "oblique":
        assert 8 < obliqueness_degrees(stored.ct.direction_matrix) <= 12.01
    else:
        assert np.allclose(back.origin, ct.origin) and np.allclose(back.direction, ct.direction)


def test_noise_comes_on_top_and_labels_stay(scan):
    ct, labels = scan
    noisy = CONDITIONS["20 HU of noise added"].alter(ct, labels, 1)
    inside = labels.array == 1
    assert np.array_equal(noisy.labels.array, labels.array)
    assert 12 < np.std((noisy.ct.array.astype(float) - ct.array)[inside]) < 28


def test_a_small_field_of_view_leaves_the_organs(scan):
    ct, labels = scan
    small = CONDITIONS["as small as the organs allow"].alter(ct, labels, 1)
    assert (small.ct.array[:, 0, 0] == -1024).all()
    assert np.abs(small.ct.array.astype(float) - ct.array)[labels.array > 0].mean() < 5


def test_half_the_contrast_medium_lies_between(scan):
    ct, labels = scan
    half, none = (CONDITIONS[name].alter(ct, labels, 1) for name in ("half the contrast medium", "no contrast medium"))
    whole, mixed, plain = (np.median(volume.array[labels.array == 3]) for volume in (ct, half.ct, none.ct))
    assert plain < mixed < whole and abs(mixed - (plain + whole) / 2) <= 1


def test_a_disease_is_drawn_again_as_it_was_and_tells_its_organ(scan):
    ct, labels = scan
    one, again, other = (CONDITIONS["renal_mass"].alter(ct, labels, seed) for seed in (0, 0, 1))
    assert one.organs == ("kidney",) and np.array_equal(one.ct.array, again.ct.array)
    assert not np.array_equal(one.ct.array, ct.array) and not np.array_equal(one.ct.array, other.ct.array)


def test_every_disease_of_the_catalogue_is_there_once():
    from FlareSegLib.disease.catalogue import DISEASES

    names = [condition.name for condition in all_conditions()]
    assert len(names) == len(set(names))
    assert {name for name in DISEASES} - set(names) == {"acquisition", "contrast_phase"}
