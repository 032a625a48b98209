"""``flareseg segment`` from a file to files, and what it refuses."""

import json
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.cli.main import main
from FlareSegLib.volumes.reading import read_volume


def labels(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_all_outputs(folder, ct, model, capsys):
    status = main(["segment", ct, "-o", "organs.seg.nrrd", "-o", "labels.nii.gz", "--model", model, "--device", "cpu",
                   "--exact", "--threads", "1", "--preview", "organs.png", "--report", "organs.json"])
    out, err = capsys.readouterr()
    assert status == 0, err
    assert names(folder) == ["labels.nii.gz", "organs.json", "organs.png", "organs.seg.nrrd"]
    report = json.loads((folder / "organs.json").read_text("utf-8"))
    assert report["precision"] == "float32" and report["slices_run"] > 0
    for organ in ("liver", "kidney", "spleen", "pancreas"):
        assert organ in out
    assert "slices run" in out
    assert out.splitlines()[-4:] == [f"Wrote {name}" for name in ("organs.seg.nrrd", "labels.nii.gz", "organs.png",
                                                                  "organs.json")]
    assert "Segmenting" not in err  # no terminal, no bar
    image, source = sitk.ReadImage("organs.seg.nrrd"), sitk.ReadImage(ct)
    assert (image.GetSize(), image.GetSpacing(), image.GetOrigin()) == \
        (source.GetSize(), source.GetSpacing(), source.GetOrigin())
    assert np.array_equal(labels("organs.seg.nrrd"), labels("labels.nii.gz"))


def test_a_subset_of_the_organs(folder, ct, model, capsys):
    run = ["segment", ct, "--model", model, "--device", "cpu"]
    assert main([*run, "-o", "all.nii.gz"]) == 0
    assert main([*run, "-o", "some.nii.gz", "--organs", "Liver, spleen"]) == 0
    some, everything = labels("some.nii.gz"), labels("all.nii.gz")
    assert set(np.unique(everything)) - {0, 1, 3}, "the model should find other organs, too, for this test to mean much"
    assert np.array_equal(some, np.where(np.isin(everything, (1, 3)), everything, 0))


def test_islands_are_removed_only_when_asked_for(folder, ct, model, capsys):
    from FlareSegLib.inference.postprocess import keep_largest_pieces
    from FlareSegLib.organs import FLARE_ORGANS

    run = ["segment", ct, "--model", model, "--device", "cpu"]
    assert main([*run, "-o", "all.nii.gz"]) == 0
    assert "islands" not in capsys.readouterr().out
    assert main([*run, "-o", "pieces.nii.gz", "--keep-largest"]) == 0
    assert "islands were removed" in capsys.readouterr().out
    expected = keep_largest_pieces(labels("all.nii.gz"), FLARE_ORGANS)
    assert (expected != labels("all.nii.gz")).any(), "the model should leave islands for this test to mean much"
    assert np.array_equal(labels("pieces.nii.gz"), expected)


def test_quiet_prints_no_table_but_warnings(folder, ct, model, capsys):
    assert main(["segment", ct, "-o", "a.nii.gz", "--model", model, "--device", "cpu", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err and all(line.startswith("flareseg: warning: ") for line in err.splitlines())


def test_existing_files_are_kept_unless_told_otherwise(folder, ct, model, capsys):
    (folder / "a.nii.gz").write_text("mine")
    run = ["segment", ct, "-o", "a.nii.gz", "-o", "b.nii.gz", "--model", model, "--device", "cpu"]
    assert main(run) == 32
    assert (folder / "a.nii.gz").read_text() == "mine" and names(folder) == ["a.nii.gz"]
    assert main([*run, "--overwrite"]) == 0
    assert labels("a.nii.gz").shape == labels("b.nii.gz").shape


def test_bad_input_is_one_line_and_no_file(folder, model, capsys, bad_input):
    name, status = bad_input
    before = names(folder)
    arguments = ["-o", "a.seg.nrrd", "-o", "b.nii.gz", "--preview", "a.png", "--report", "a.json"]
    assert main(["segment", name, *arguments, "--model", model, "--device", "cpu"]) == status
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("flareseg: error: ") and err.count("\n") == 1 and err.endswith(".\n")
    assert names(folder) == before


REGULAR = [5.0 * index for index in range(12)]


@pytest.mark.parametrize(("heights", "status"), [
    (REGULAR[:5] + REGULAR[6:], 18),
    (REGULAR[:8] + [37.1, 44.0, 46.5, 58.0], 17),
])
def test_bad_dicom_series(folder, model, capsys, write_slices, heights, status):
    write_slices(folder / "série", heights)
    assert main(["segment", "série", "-o", "a.nii.gz", "--model", model, "--device", "cpu"]) == status
    err = capsys.readouterr().err
    assert err.startswith("flareseg: error: ") and err.count("\n") == 1 and "SECRET" not in err
    assert names(folder) == ["série"]


def test_several_series_are_listed_and_one_is_chosen(folder, model, capsys, write_slices):
    for series in ("1.2.3", "1.2.4"):
        write_slices(folder / "dicom", REGULAR, series)
    run = ["segment", "dicom", "-o", "a.nii.gz", "--model", model, "--device", "cpu"]
    assert main(run) == 21
    err = capsys.readouterr().err
    assert "--series" in err and "\n1: CT" in err and "\n2: CT" in err and "SECRET" not in err and "1.2.3" not in err
    assert names(folder) == ["dicom"]
    assert main([*run, "--series", "2"]) == 0
    assert labels("a.nii.gz").shape == (12, 32, 40)


@pytest.fixture
def dicom_ct(folder, ct, write_dicom_ct):
    """The CT as a DICOM folder."""
    write_dicom_ct(folder / "dicom", read_volume(ct))
    return folder / "dicom"


def test_dicom_seg(folder, dicom_ct, model, capfd):
    """Beside the CT, where the next run finds it and passes it over; nothing of the patient is shown or reported."""
    highdicom = pytest.importorskip("highdicom")
    run = ["segment", "dicom", "-o", "dicom/organs.DCM", "-o", "a.nii.gz", "--report", "a.json", "--model", model,
           "--device", "cpu"]
    assert main(run) == 0
    said = "".join((*capfd.readouterr(), (folder / "a.json").read_text()))
    assert "SECRET" not in said and "1.2.826" not in said and "19010203" not in said
    expected = labels("a.nii.gz")
    found = highdicom.seg.segread(dicom_ct / "organs.DCM").get_pixels_by_source_instance(
        [f"1.2.826.0.1.70.{k + 1}" for k in range(len(expected))], combine_segments=True,
        assert_missing_frames_are_empty=True)
    np.testing.assert_array_equal(found, expected)
    assert main([*run, "--overwrite"]) == 0


def test_dicom_seg_of_a_file_that_is_no_dicom(folder, ct, model, capsys):
    assert main(["segment", ct, "-o", "a.dcm", "-o", "a.nii.gz", "--model", model, "--device", "cpu"]) == 30
    assert "DICOM folder" in capsys.readouterr().err and names(folder) == []


def test_dicom_seg_never_replaces_an_image_of_the_ct(folder, dicom_ct, model):
    image = sorted(dicom_ct.iterdir())[3]
    before = image.read_bytes()
    for given in ("dicom", str(sorted(dicom_ct.iterdir())[0])):
        assert main(["segment", given, "-o", str(image), "--overwrite", "--model", model, "--device", "cpu"]) == 30
    assert image.read_bytes() == before


@pytest.mark.parametrize(("more", "status"), [
    (["--organs", "liver,appendix"], 30),
    (["--organs", ","], 30),
    (["--threads", "0"], 30),
    (["--model", "no-such-model"], 40),
    (["--model", "."], 40),
    (["--preview", "a.jpg"], 30),
    (["-o", "a.docx"], 30),
    (["-o", "missing/a.nii"], 31),
    (["--series", "1"], 30),
])
def test_bad_options_are_one_line_and_no_file(folder, ct, model, capsys, more, status):
    run = ["segment", ct, "-o", "a.nii.gz", "--model", model, "--device", "cpu", *more]
    assert main(run) == status
    err = capsys.readouterr().err
    assert err.startswith("flareseg: error: ") and err.count("\n") == 1
    assert names(folder) == []


def test_a_device_that_is_not_there(folder, ct, model, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["segment", ct, "-o", "a.nii.gz", "--model", model, "--device", "cuda"]) == 50
    assert capsys.readouterr().err.count("\n") == 1
    assert names(folder) == []


def test_a_damaged_model(folder, ct, tmp_path, model, capsys):
    damaged = shutil.copytree(model, tmp_path / "damaged")
    weights = damaged / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\1\2\3")
    assert main(["segment", ct, "-o", "a.nii.gz", "--model", str(damaged), "--device", "cpu"]) == 41
    assert capsys.readouterr().err.count("\n") == 1
    assert names(folder) == []


def test_too_little_memory_is_told(folder, ct, model, capsys, monkeypatch):
    def no_memory(*_):
        raise MemoryError

    monkeypatch.setattr("FlareSegLib.volumes.reading.read_volume", no_memory)
    assert main(["segment", ct, "-o", "a.nii.gz", "--model", model, "--device", "cpu"]) == 51
    assert names(folder) == []


def test_the_input_is_never_replaced(folder, ct, model):
    shutil.copy(ct, folder / "ct.nii.gz")
    before = (folder / "ct.nii.gz").read_bytes()
    run = ["segment", "ct.nii.gz", "-o", "./ct.nii.gz", "--overwrite", "--model", model, "--device", "cpu"]
    assert main(run) == 30
    assert (folder / "ct.nii.gz").read_bytes() == before
