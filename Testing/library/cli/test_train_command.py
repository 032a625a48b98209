"""``flareseg train`` and ``flareseg pack`` on a tiny data set, end to end."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.cli.main import main
from FlareSegLib.phantom.phantom import make_phantom

SMALL = ["--network", "light", "--spacing", "6", "--grid", "64", "--iterations", "2", "--batch", "3", "--device", "cpu",
         "--workers", "0"]


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """A FLARE21 folder with two phantoms; the working directory is beside it."""
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        phantom = make_phantom(seed, (64, 48, 12), (6.0, 6.0, 18.0))
        for volume, name in ((phantom.ct, f"TrainingImg/train_{seed:03}_0000.nii.gz"),
                             (phantom.label_map, f"TrainingMask/train_{seed:03}.nii.gz")):
            path = tmp_path / "FLARE21" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image = sitk.GetImageFromArray(volume.array)
            image.SetSpacing(volume.spacing)
            image.SetOrigin(volume.origin)
            sitk.WriteImage(image, str(path))
    return tmp_path / "FLARE21"


def test_from_a_data_set_to_a_model_that_segments(raw, tmp_path, capsys):
    assert main(["train", "FLARE21", "-o", "run", "--epochs", "2", *SMALL, "--name", "tiny"]) == 0, capsys.readouterr()
    assert "run/model" in capsys.readouterr().out.replace("\\", "/")
    description = json.loads((tmp_path / "run/model/model.json").read_text(encoding="utf-8"))
    assert description["name"] == "tiny" and description["working_spacing"] == [6.0, 6.0]
    assert description["normalisation"]["mean"] == pytest.approx(
        json.loads((tmp_path / "run/fingerprint.json").read_text())["normalisation"]["mean"])
    assert len((tmp_path / "run/losses.jsonl").read_text().splitlines()) == 4
    assert (tmp_path / "run/snapshots/epoch-0001/model.json").exists()
    assert list((tmp_path / "run/tensorboard").iterdir())
    ct = "FLARE21/TrainingImg/train_000_0000.nii.gz"
    assert main(["segment", ct, "-o", "organs.nii.gz", "--model", "run/model", "--device", "cpu"]) == 0
    assert sitk.ReadImage("organs.nii.gz").GetSize() == (64, 48, 12)


def test_time_over_then_resumed(raw, tmp_path, capsys):
    words = ["train", "FLARE21", "-o", "run", "--epochs", "2", *SMALL]
    assert main([*words, "--max-minutes", "0"]) == 0
    assert "time is over" in capsys.readouterr().out and not (tmp_path / "run/model").exists()
    assert main(words) == 32, "a training is not begun anew over another one"
    assert main([*words, "--resume", "--learning-rate", "0.5"]) == 30, "nor gone on with at another rate"
    assert main([*words, "--resume"]) == 0 and (tmp_path / "run/model").exists()


@pytest.mark.parametrize("words, status", [
    (["train", "FLARE21", "-o", "out", *SMALL, "--spacing", "-1"], 30),
    (["train", "FLARE21", "-o", "out", *SMALL, "--spacing", "0"], 30),
    (["train", "FLARE21", "-o", "out", *SMALL, "--simulated-share", "0.2"], 30),
    (["train", "FLARE21", "-o", "out", *SMALL, "--simulate", "none.json"], 10),
    (["pack", "FLARE21", "-o", "out.tar", "--spacing", "nan"], 30),
    (["pack", "FLARE21", "-o", "none/out.tar"], 31)])
def test_wrong_words_are_told_before_any_work(raw, tmp_path, words, status, capsys):
    assert main(words) == status
    assert capsys.readouterr().err.startswith("flareseg: error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["FLARE21"]


def test_a_faulty_data_set_is_told_case_by_case_and_nothing_is_made(raw, tmp_path, capsys):
    path = raw / "TrainingMask/train_001.nii.gz"
    image = sitk.ReadImage(str(path))
    image.SetOrigin((50.0, 0.0, 0.0))
    sitk.WriteImage(image, str(path))
    (raw / "TrainingMask/train_000.nii.gz").rename(raw / "TrainingMask/train_007.nii.gz")
    assert main(["train", "FLARE21", "-o", "run", *SMALL]) == 60
    err = capsys.readouterr().err
    assert "train_000_0000.nii.gz" in err and "train_007.nii.gz" in err and "train_001: " in err
    assert "Traceback" not in err and not (tmp_path / "run").exists()


def test_packed_it_fits_and_trains_as_well(raw, tmp_path, capsys):
    assert main(["pack", "FLARE21", "-o", "small.tar", "--megabytes", "0.09", "--spacing", "6"]) == 0
    assert (tmp_path / "small.tar").stat().st_size <= 90_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["FLARE21", "small.tar"], "no temporary folder stays"
    assert main(["train", "small.tar", "-o", "run", "--epochs", "1", *SMALL]) == 0, capsys.readouterr()
    assert (tmp_path / "run/model/model.json").exists()
    assert main(["pack", "FLARE21", "-o", "small.tar", "--spacing", "6"]) == 32
    assert main(["pack", "FLARE21", "-o", "tiny.tar", "--megabytes", "0.0001", "--spacing", "6"]) == 30


def test_eight_bits_are_the_same_slices_but_for_half_a_step(raw, tmp_path):
    from FlareSegLib.training.pack import pack, unpack
    from FlareSegLib.training.raw_data import find_raw_dataset
    from FlareSegLib.training.store_building import build_store

    store = build_store(find_raw_dataset(raw), tmp_path / "store", 6.0)
    file, stride = pack(store, tmp_path / "all.tar", 10, tmp_path / "work")
    assert stride == 1
    packed, limits = unpack(file, tmp_path / "packed"), store.fingerprint().normalisation
    for before, after in zip(store.cases, packed.cases):
        assert before.record.slices_with == after.record.slices_with
        for index in range(before.record.slices):
            hu = np.clip(before.slice(index)[0], limits.lower, limits.upper)
            assert np.abs(after.slice(index)[0] - hu).max() <= (limits.upper - limits.lower) / 510 + 1e-3
            assert np.array_equal(before.slice(index)[1], after.slice(index)[1])
    assert packed.fingerprint() == store.fingerprint(), "clipped or not, the model gets the same normalisation"


def test_nothing_foreign_is_unpacked(raw, tmp_path, capsys):
    import tarfile

    (tmp_path / "evil.txt").write_text("x")
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        archive.add(tmp_path / "evil.txt", "../outside.case.json")
    assert main(["train", "evil.tar", "-o", "run", *SMALL]) == 11
    assert not (tmp_path / "outside.case.json").exists() and not (tmp_path / "run/slices").exists()
    (tmp_path / "notes.tar").write_text("no archive")
    assert main(["train", "notes.tar", "-o", "run", *SMALL]) == 11
