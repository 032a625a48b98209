"""Every fault of a case is found and told in one line."""

from dataclasses import replace

import numpy as np
import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.training.raw_checks import check_case, check_dataset
from FlareSegLib.training.raw_data import RawCase, find_raw_dataset
from FlareSegLib.volumes.volume import Volume

from .conftest import write


@pytest.fixture
def case(tmp_path, phantoms):
    """Write a pair, changed as a test wants, and return the case."""
    def make(change_image=lambda ct: ct, change_labels=lambda labels: labels):
        ct, labels = phantoms[0]
        paths = [tmp_path / "a_0000.nii.gz", tmp_path / "a.nii.gz"]
        for volume, path in zip((change_image(ct), change_labels(labels)), paths):
            write(volume, path)
        return RawCase("a", *paths)
    return make


def test_a_sound_pair_has_no_faults(case):
    assert check_case(case(), FLARE_ORGANS) == []


def test_a_millimetre_of_rounding_in_the_header_is_forgiven(case):
    moved = case(change_labels=lambda v: replace(v, origin=tuple(x + 0.01 for x in v.origin)))
    assert check_case(moved, FLARE_ORGANS) == []


FLIPPED = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(("change_labels", "told"), [
    (lambda v: replace(v, array=v.array[:-1]), "voxels"),
    (lambda v: replace(v, spacing=(6.0, 6.0, 19.0)), "spacing"),
    (lambda v: replace(v, direction=FLIPPED), "oriented"),
    (lambda v: replace(v, origin=(v.origin[0] + 3, *v.origin[1:])), "apart"),
    (lambda v: v.with_array(np.where(v.array == 4, 7, v.array)), "7"),
    (lambda v: v.with_array(np.zeros_like(v.array)), "empty"),
])
def test_what_is_wrong_with_the_labels_is_told(case, change_labels, told):
    faults = check_case(case(change_labels=change_labels), FLARE_ORGANS)
    assert len(faults) == 1 and told in faults[0] and faults[0].startswith("a: ") and "\n" not in faults[0]


def test_exchanged_sides_are_found(case):
    def mirror(volume):
        return volume.with_array(np.ascontiguousarray(volume.array[:, :, ::-1]))

    (fault,) = check_case(case(mirror, mirror), FLARE_ORGANS)
    assert "left and right" in fault


def test_what_is_no_ct_is_a_fault(case):
    (fault,) = check_case(case(change_image=lambda v: Volume(np.abs(v.array) % 255, v.spacing, v.origin, v.direction)),
                          FLARE_ORGANS)
    assert fault.startswith("a: ")


def test_a_damaged_file_is_a_fault(case):
    broken = case()
    broken.labels.write_bytes(broken.labels.read_bytes()[:200])
    (fault,) = check_case(broken, FLARE_ORGANS)
    assert fault.startswith("a: ")


def test_nothing_is_trained_on_half_checked_data(raw_folder):
    dataset = find_raw_dataset(raw_folder())
    counted = []
    check_dataset(dataset, lambda done, total: counted.append((done, total)))
    assert counted == [(0, 2), (1, 2), (2, 2)]
    dataset.cases[0].labels.write_bytes(b"")
    dataset.cases[1].image.write_bytes(b"")
    with pytest.raises(FlareSegError) as caught:
        check_dataset(replace(dataset, faults=("c: alone.",)))
    lines = str(caught.value).splitlines()[1:]
    assert caught.value.code == "bad_training_data"
    assert [line.split(":")[0].strip() for line in lines] == ["c", "train_000", "train_001"]
