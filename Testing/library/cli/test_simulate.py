import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.cli.main import main
from FlareSegLib.disease.datasets import write_nifti
from FlareSegLib.disease.mix import Entry, Mix, mix_text
from FlareSegLib.phantom.phantom import make_phantom


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A small CT and its labels, two files."""
    folder = tmp_path_factory.mktemp("pair")
    phantom = make_phantom(0, (80, 64, 24), (4.5, 4.5, 8.0))
    write_nifti(phantom.ct, folder / "ct.nii.gz")
    write_nifti(phantom.label_map, folder / "labels.nii.gz")
    return [str(folder / "ct.nii.gz"), str(folder / "labels.nii.gz")]


@pytest.fixture
def mix(tmp_path):
    path = tmp_path / "mix.json"
    path.write_text(mix_text(Mix((Entry("renal_cyst", 1),), (1, 1))))
    return str(path)


def simulate(*arguments):
    return main(["simulate", *map(str, arguments)])


def test_the_catalogue_is_listed(capsys):
    assert simulate("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("renal_cyst ") and "kidney" in line for line in lines)


def test_a_pair_becomes_a_data_set_and_a_recipe_its_case_again(pair, mix, tmp_path, capsys):
    out = tmp_path / "out"
    assert simulate(*pair, "-o", out, "--mix", mix, "--variants", 1, "--seed", 3) == 0
    assert "2 cases" in capsys.readouterr().out
    recipe = out / "recipes/ct_sim000.json"
    assert simulate(*pair, "-o", tmp_path / "again", "--recipe", recipe, "--exact") == 0
    for one, other in (("imagesTr/ct_sim000_0000.nii.gz", "ct.nii.gz"), ("labelsTr/ct_sim000.nii.gz", "labels.nii.gz")):
        assert np.array_equal(*(sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
                                for path in (out / one, tmp_path / "again" / other)))
    assert simulate(*pair, "-o", tmp_path / "like", "--recipe", recipe, "--variants", 2, "--without-originals",
                    "--format", "flare", "--quiet") == 0
    assert len(list((tmp_path / "like/TrainingImg").iterdir())) == 2


def test_a_model_tells_how_hard_lesions_are_and_changes_nothing(pair, mix, tmp_path, model):
    outs = [tmp_path / "without", tmp_path / "with"]
    for out, more in zip(outs, ([], ["--hardness", model])):
        assert simulate(*pair, "-o", out, "--mix", mix, "--variants", 1, "--seed", 3, "--quiet", *more) == 0
    (row,) = json.loads((outs[1] / "hardness/ct_sim000.json").read_text())
    assert (row["disease"], row["organ"]) == ("renal_cyst", "kidney") and 0 <= row["kept"] <= 1
    for name in ("recipes/ct_sim000.json", "imagesTr/ct_sim000_0000.nii.gz", "simulation.json"):
        assert (outs[0] / name).read_bytes() == (outs[1] / name).read_bytes()
    assert simulate(*pair, "-o", tmp_path / "none", "--mix", mix, "--hardness", "no such model") == 40
    assert not (tmp_path / "none").exists()


def test_the_default_mix_is_written_and_read(tmp_path, pair, capsys):
    path = tmp_path / "default.json"
    assert simulate("--write-mix", path) == 0
    assert simulate("--write-mix", path) == 32
    assert "--overwrite" not in capsys.readouterr().err  # an option that this command lacks
    assert json.loads(path.read_text())["format"] == "flareseg-mix"
    assert simulate(*pair, "-o", tmp_path / "out", "--mix", path, "--variants", 1, "--quiet") == 0


@pytest.mark.parametrize("arguments, status", [
    ([], 30), (["PAIR"], 30), (["CT", "-o", "OUT"], 30), (["PAIR", "-o", "OUT", "--variants", "0"], 30),
    (["PAIR", "-o", "OUT", "--jobs", "0"], 30), (["PAIR", "-o", "OUT", "--mix", "none.json"], 10),
    (["PAIR", "-o", "OUT", "--recipe", "CT"], 73), (["none", "-o", "OUT"], 10), (["PAIR", "-o", "OUT", "--exact"], 30),
    (["PAIR", "-o", "HERE"], 32)])
def test_wrong_arguments_write_nothing(pair, tmp_path, monkeypatch, capsys, arguments, status):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/mine").write_text("mine")
    words = {"PAIR": pair, "CT": pair[:1], "OUT": ["out"], "HERE": ["here"]}
    assert simulate(*[word for each in arguments for word in words.get(each, [each])]) == status
    assert capsys.readouterr().err.startswith("flareseg: error: ")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["here", "mine"]


def test_labels_of_another_grid_are_told(pair, tmp_path, mix, capsys):
    image = sitk.ReadImage(pair[1])
    image.SetOrigin((500.0, 0.0, 0.0))
    sitk.WriteImage(image, str(tmp_path / "labels.nii.gz"))
    assert simulate(pair[0], tmp_path / "labels.nii.gz", "-o", tmp_path / "out", "--mix", mix) == 70
    told = capsys.readouterr()
    assert "same grid" in told.err and not told.out
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_keeps_what_is_complete(pair, tmp_path, mix):
    out = tmp_path / "out"
    command = [sys.executable, "-c", "import sys; from FlareSegLib.cli.main import main; sys.exit(main(sys.argv[1:]))",
               "simulate", *pair, "-o", str(out), "--mix", mix, "--variants", "900", "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(out.glob("recipes/*.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130 and "complete" in error
    assert not [path for path in Path(out).rglob(".*")]
