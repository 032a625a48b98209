import json

import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.training.raw_data import find_raw_dataset


@pytest.mark.parametrize("layout", ["nnU-Net v2", "nnU-Net v1", "FLARE21"])
def test_every_layout_is_understood(raw_folder, layout):
    dataset = find_raw_dataset(raw_folder(layout))
    assert dataset.layout == layout and dataset.faults == ()
    assert [case.name for case in dataset.cases] == ["train_000", "train_001"]
    assert [organ.name for organ in dataset.organs] == ["liver", "kidney", "spleen", "pancreas"]
    assert all(case.image.name == f"{case.name}_0000.nii.gz" and case.labels.name == f"{case.name}.nii.gz"
               for case in dataset.cases)


def test_the_decathlon_has_no_channel_number_and_macos_leaves_files(raw_folder):
    folder = raw_folder("nnU-Net v1")
    (folder / "imagesTr/train_000_0000.nii.gz").rename(folder / "imagesTr/train_000.nii.gz")
    (folder / "imagesTr/._train_000.nii.gz").write_bytes(b"Mac OS X")
    dataset = find_raw_dataset(folder)
    assert dataset.cases[0].image.name == "train_000.nii.gz" and dataset.faults == ()


def test_a_file_without_its_partner_is_a_fault_of_one_line(raw_folder):
    folder = raw_folder()
    (folder / "labelsTr/train_000.nii.gz").rename(folder / "labelsTr/train_009.nii.gz")
    dataset = find_raw_dataset(folder)
    assert [case.name for case in dataset.cases] == ["train_001"]
    assert len(dataset.faults) == 2
    assert dataset.faults[0].startswith("train_000_0000.nii.gz: ") and dataset.faults[1].startswith("train_009.nii.gz: "
                                                                                                    "")


@pytest.mark.parametrize(("labels", "told"), [
    ({"background": 0, "liver": 1, "spleen": 3}, "1, 3"),
    ({"background": 0, "liver": [1, 2]}, "whole numbers"),
    ([1, 2], "whole numbers"),
    ({"background": 0}, "without a gap"),
])
def test_unusable_labels_are_told(raw_folder, labels, told):
    folder = raw_folder()
    (folder / "dataset.json").write_text(json.dumps({"channel_names": {}, "labels": labels}), encoding="utf-8")
    with pytest.raises(FlareSegError, match=told) as caught:
        find_raw_dataset(folder)
    assert caught.value.code == "bad_training_data"


def test_a_folder_without_a_known_layout(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(FlareSegError) as caught:
            find_raw_dataset(folder)
        assert caught.value.code == "not_found"
    for name in ("imagesTr", "labelsTr"):
        (tmp_path / name).mkdir()
    with pytest.raises(FlareSegError) as caught:
        find_raw_dataset(tmp_path)
    assert caught.value.code == "bad_training_data"
