"""The network of a patient is the one that has not seen it; strays are counted on the wrong side only."""

import numpy as np
import pytest
import torch

from FlareSegLib.evaluation.held_out import agreement, checkpoint_without, known_organs, warned, wrong_side_ml
from FlareSegLib.phantom.phantom import make_phantom
from FlareSegLib.volumes.orientation import to_axial


@pytest.fixture(scope="module")
def phantom():
    return make_phantom(3, (80, 64, 24), (5.0, 5.0, 10.0))


def test_a_checkpoint_may_have_been_made_without_several_patients(tmp_path):
    for name in ("without_a+bc.pt", "without_d.pt", "other.pt"):
        torch.save({}, tmp_path / name)
    assert [checkpoint_without(tmp_path, patient) and checkpoint_without(tmp_path, patient).name
            for patient in ("a", "bc", "d", "b")] == ["without_a+bc.pt", "without_a+bc.pt", "without_d.pt", None]


def test_the_reference_agrees_with_itself_and_an_open_surface_has_no_distance(phantom):
    labels = phantom.label_map
    organs = known_organs(labels, unlabelled=(4,))
    assert organs == ("liver", "kidney", "spleen")
    assert agreement(labels, labels, organs) == {metric: dict.fromkeys(organs, 1.0) for metric in ("dice", "nsd")}
    partial = labels.array.copy()
    partial[0] = 255
    found = agreement(labels, labels.with_array(partial), organs)
    assert found["dice"] == dict.fromkeys(organs, 1.0) and found["nsd"] == {}


def test_warnings_come_by_organ_and_kind(phantom):
    array = phantom.label_map.array.copy()
    array[array == 4] = 0
    assert warned(phantom.ct, phantom.label_map.with_array(array))["pancreas"] == ["missing"]


@pytest.mark.parametrize("stored", ["axial", "flipped"])
def test_a_mirrored_liver_is_on_the_wrong_side_and_a_shifted_one_is_not(phantom, stored):
    ct, labels = to_axial(phantom.ct)[0], to_axial(phantom.label_map)[0]
    liver_ml = np.count_nonzero(labels.array == 1) * labels.voxel_ml
    mirrored = labels.with_array(np.where(labels.array[..., ::-1] == 1, 1, 0).astype(np.uint8))
    shifted = labels.with_array(np.roll(labels.array, 3, axis=2))  # 15 mm to the left
    if stored == "flipped":
        from FlareSegLib.evaluation.altered_scans import flipped

        ct, labels, mirrored, shifted = map(flipped, (ct, labels, mirrored, shifted))
    assert wrong_side_ml(ct, mirrored, labels)["liver"] > 0.3 * liver_ml
    assert wrong_side_ml(ct, mirrored, labels)["spleen"] == 0
    assert wrong_side_ml(ct, labels, labels) == wrong_side_ml(ct, shifted, labels) == {"liver": 0.0, "spleen": 0.0}
