"""The synthetic patient is the same for one seed, whatever the grid, and plausible for every seed."""

import numpy as np
import pytest

from FlareSegLib.phantom.phantom import make_phantom
from FlareSegLib.volumes.checks import check_ct

SMALL = {"size": (128, 128, 44), "spacing": (3.0, 3.0, 6.0)}
ORGANS = {1: "liver", 2: "kidney", 3: "spleen", 4: "pancreas"}
PLAUSIBLE_ML = {1: (1100, 1800), 2: (230, 400), 3: (110, 320), 4: (50, 120)}


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(**SMALL)


def volumes_ml(phantom) -> dict[int, float]:
    counts = np.bincount(phantom.label_map.array.ravel(), minlength=5)
    return {label: counts[label] * phantom.label_map.voxel_ml for label in ORGANS}


def test_types_and_grid(phantom):
    assert phantom.ct.array.dtype == np.int16 and phantom.label_map.array.dtype == np.uint8
    assert phantom.ct.array.shape == phantom.label_map.array.shape == (44, 128, 128)
    assert phantom.ct.origin == phantom.label_map.origin
    assert set(np.unique(phantom.label_map.array)) == {0, 1, 2, 3, 4}


def test_it_passes_as_a_ct(phantom):
    check_ct(phantom.ct)


def test_the_seed_is_the_patient(phantom):
    again, other = make_phantom(**SMALL), make_phantom(1, **SMALL)
    assert np.array_equal(phantom.ct.array, again.ct.array)
    assert not np.array_equal(phantom.label_map.array, other.label_map.array)


@pytest.mark.parametrize("seed", range(3))
def test_organ_volumes_are_plausible(seed):
    for label, ml in volumes_ml(make_phantom(seed, **SMALL)).items():
        low, high = PLAUSIBLE_ML[label]
        assert low < ml < high, ORGANS[label]


def test_the_grid_does_not_change_the_patient(phantom):
    finer = make_phantom(size=(150, 120, 60), spacing=(2.3, 2.3, 4.4))
    for label, ml in volumes_ml(finer).items():
        assert volumes_ml(phantom)[label] == pytest.approx(ml, rel=0.08), ORGANS[label]


def test_every_organ_is_on_its_side(phantom):
    """Axial LPS: columns run to the patient's left, rows to posterior, slices to superior."""
    centre = {label: np.argwhere(phantom.label_map.array == label).mean(axis=0) for label in ORGANS}
    assert centre[1][2] < 60 < 68 < centre[3][2], "liver right, spleen left"
    kidneys = np.argwhere(phantom.label_map.array == 2)[:, 2]
    assert (kidneys < 60).any() and (kidneys > 68).any() and not ((kidneys > 62) & (kidneys < 66)).any()
    assert centre[2][1] > centre[4][1], "kidneys behind the pancreas"


def test_no_organ_is_cut_by_the_edge(phantom):
    inside = phantom.label_map.array[1:-1, 1:-1, 1:-1]
    assert (inside > 0).sum() == (phantom.label_map.array > 0).sum()


@pytest.mark.parametrize("phase, liver, kidney", [("native", (40, 70), (20, 45)), ("portal", (90, 130), (130, 220))])
def test_hu_follow_the_phase(phase, liver, kidney):
    phantom = make_phantom(phase=phase, **SMALL)
    for label, (low, high) in ((1, liver), (2, kidney)):
        assert low < np.median(phantom.ct.array[phantom.label_map.array == label]) < high


def test_an_unknown_phase_is_refused():
    with pytest.raises(ValueError, match="portal"):
        make_phantom(phase="lunar", **SMALL)
