"""``flareseg phantom``: a CT that ``flareseg segment`` takes."""

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.cli.main import main

SMALL = ["--size", "64", "56", "24", "--spacing", "6", "6", "8"]
COARSE = ["--size", "20", "18", "8", "--spacing", "18", "18", "24"]


def test_it_writes_a_ct_and_the_true_labels(folder, model, capsys):
    assert main(["phantom", "-o", "ct.nii.gz", "--labels", "true.seg.nrrd", "--seed", "3", *SMALL]) == 0
    ct, labels = sitk.ReadImage("ct.nii.gz"), sitk.ReadImage("true.seg.nrrd")
    assert ct.GetSize() == labels.GetSize() == (64, 56, 24)
    assert np.allclose(ct.GetSpacing(), (6, 6, 8))
    assert set(np.unique(sitk.GetArrayViewFromImage(labels))) == {0, 1, 2, 3, 4}
    assert main(["segment", "ct.nii.gz", "-o", "found.nii.gz", "--model", model, "--device", "cpu"]) == 0


def test_the_seed_is_the_patient(folder):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["phantom", "-o", f"{name}.nii", "--seed", seed, *COARSE]) == 0
    a, b, c = (sitk.GetArrayFromImage(sitk.ReadImage(f"{name}.nii")) for name in "abc")
    assert np.array_equal(a, b) and not np.array_equal(a, c)


@pytest.mark.parametrize(("arguments", "status"), [
    (["-o", "ct.png"], 30),
    (["-o", "ct.seg.nrrd"], 30),
    (["-o", "ct.nii", "--labels", "ct.nii"], 30),
    (["-o", "ct.nii", "--labels", "labels.png"], 30),
    (["-o", "missing/ct.nii"], 31),
    (["-o", "old.nii"], 32),
    (["-o", "ct.nii", "--size", "0", "5", "5"], 30),
    (["-o", "ct.nii", "--spacing", "1", "-1", "1"], 30),
    (["-o", "ct.nii", "--spacing", "1", "nan", "1"], 30),
    (["-o", "ct.nii", "--seed", "-1"], 30),
])
def test_failures_are_one_line_and_no_file(folder, capsys, arguments, status):
    (folder / "old.nii").write_text("mine")
    assert main(["phantom", *arguments]) == status
    err = capsys.readouterr().err
    assert err.startswith("flareseg: error: ") and err.count("\n") == 1
    assert [path.name for path in folder.iterdir()] == ["old.nii"]
