from pathlib import Path

import numpy as np
import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.evaluation.pairs import Pair, case_name, find_pairs, read_pair
from FlareSegLib.evaluation.rules import LABEL_SCHEMES, RULES, label_scheme
from FlareSegLib.evaluation.scoring import score_organ
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.results.dicom_seg import write_dicom_seg
from FlareSegLib.volumes.dicom import find_series
from FlareSegLib.volumes.volume import Volume

from .conftest import SPACING, organs, write_labels

FLARE21 = LABEL_SCHEMES["flare21"]


@pytest.mark.parametrize("name", ["train_000.nii.gz", "train_000_0000.nii.gz", "train_000.seg.nrrd", "train_000.nrrd",
                                  "train_000.MHA", "train_000"])
def test_name_of_a_case(name):
    assert case_name(Path(name)) == "train_000"


def test_folders_are_matched_by_name(folders):
    pairs, left_out = find_pairs(*folders)
    assert [pair.case for pair in pairs] == ["case_1", "case_2"] and not left_out
    assert pairs[0] == Pair("case_1", folders[0] / "case_1.nii.gz", folders[1] / "case_1.nii.gz")


def test_two_files_are_a_pair_whatever_their_names(tmp_path):
    prediction, reference = (write_labels(tmp_path / name, organs()) for name in ("organs.nrrd", "truth.nii.gz"))
    assert find_pairs(prediction, reference) == ((Pair("truth", prediction, reference),), ())


def test_each_file_without_a_counterpart_is_named(folders):
    (folders[0] / "case_1.nii.gz").unlink()
    write_labels(folders[0] / "case_9.nii.gz", organs())
    with pytest.raises(FlareSegError) as caught:
        find_pairs(*folders)
    assert caught.value.code == "bad_evaluation_data"
    assert str(caught.value).count("\n") == 2
    assert "case_1: no prediction" in str(caught.value) and "case_9: no reference" in str(caught.value)
    pairs, left_out = find_pairs(*folders, skip_unpaired=True)
    assert [pair.case for pair in pairs] == ["case_2"] and len(left_out) == 2


def test_one_case_in_two_files(folders):
    write_labels(folders[0] / "case_1.nrrd", organs())
    with pytest.raises(FlareSegError, match="same case"):
        find_pairs(*folders)


@pytest.mark.parametrize("change, what", [
    ({"array": organs()[:9]}, "size"),
    ({"spacing": (1.0, 1.0, 2.2)}, "spacing"),
    ({"origin": (0.0, 0.0, 1.0)}, "origin"),
])
def test_different_grids(tmp_path, change, what):
    prediction = write_labels(tmp_path / "p.nii.gz", organs())
    reference = write_labels(tmp_path / "r.nii.gz", **{"array": organs(), **change})
    with pytest.raises(FlareSegError, match=f"differ in {what}"):
        read_pair(Pair("case", prediction, reference), FLARE21, FLARE21)


def test_rounding_of_the_header_is_no_difference(tmp_path):
    prediction = write_labels(tmp_path / "p.nii.gz", organs(), (1.00001, 1.0, 2.0), (0.001, 0, 0))
    read_pair(Pair("case", prediction, write_labels(tmp_path / "r.nii.gz", organs())), FLARE21, FLARE21)


@pytest.mark.parametrize("side, value", [("prediction", 5), ("prediction", 255), ("reference", 13)])
def test_labels_that_mean_nothing_are_faults(tmp_path, side, value):
    arrays = {"prediction": organs(), "reference": organs()}
    arrays[side][0, 0, 0] = value
    paths = [write_labels(tmp_path / f"{name}.nii.gz", array) for name, array in arrays.items()]
    with pytest.raises(FlareSegError, match=f"{side} holds label {value}.*--{side}-labels"):
        read_pair(Pair("case", *paths), FLARE21, FLARE21)


def test_a_ct_in_the_place_of_labels_is_told_in_a_line(tmp_path):
    ct = np.arange(organs().size, dtype=np.int16).reshape(organs().shape) - 1000
    pair = Pair("case", write_labels(tmp_path / "p.nii.gz", organs()), write_labels(tmp_path / "r.nii.gz", ct))
    with pytest.raises(FlareSegError, match="and [0-9]+ more, which means nothing here; give no CT, or name") as caught:
        read_pair(pair, FLARE21, FLARE21)
    assert len(str(caught.value)) < 300


def test_255_in_the_reference_is_not_annotated_and_lists_name_all_they_want(tmp_path):
    reference = organs()
    reference[0, 0, 0] = 255
    pair = Pair("case", write_labels(tmp_path / "p.nii.gz", organs()), write_labels(tmp_path / "r.nii.gz", reference))
    assert np.count_nonzero(read_pair(pair, FLARE21, FLARE21)[1].array == 255) == 1
    read_pair(pair, label_scheme("liver=1"), label_scheme("liver=1"))


def test_dicom_segs_are_put_on_the_other_one_s_grid(tmp_path, write_dicom_ct):
    """Their organs are known by name, whatever the scheme's label values; two have a grid of their own."""
    pytest.importorskip("highdicom")
    truth = organs()
    ct = Volume(truth.astype(np.int16), SPACING)
    write_dicom_ct(tmp_path / "ct", ct)
    series = find_series(tmp_path / "ct")
    for name, array in (("found", organs(1)), ("truth", truth)):
        write_dicom_seg(tmp_path / f"{name}.dcm", ct.with_array(array), FLARE_ORGANS, series, "tiny 1")
    plain = write_labels(tmp_path / "truth.nii.gz", truth)
    seg, other = tmp_path / "found.dcm", tmp_path / "truth.dcm"
    for prediction, reference in ((seg, plain), (seg, other)):
        found, known = read_pair(Pair("case", prediction, reference), FLARE21, FLARE21)
        scores = [score_organ("case", name, found, known, FLARE21[name], FLARE21[name], RULES["flare21"])
                  for name in FLARE21]
        assert [score.dice for score in scores] == pytest.approx([5 / 6] * 4)
    scheme = label_scheme("liver=9,kidney=2+13")
    found, known = read_pair(Pair("case", seg, plain), scheme, FLARE21)
    assert found.array.shape == truth.shape and set(np.unique(found.array)) == {0, 2, 9}
    shifted = write_labels(tmp_path / "other.nii.gz", truth, origin=(0.4, 0, 0))
    with pytest.raises(FlareSegError, match="^case: .*do not lie on the CT's voxels"):
        read_pair(Pair("case", seg, shifted), FLARE21, FLARE21)
