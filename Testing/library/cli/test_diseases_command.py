"""``flareseg diseases``: the catalogue in words and pictures."""

import numpy as np
import pytest
from PIL import Image

from FlareSegLib.cli.main import main
from FlareSegLib.disease.catalogue import DISEASES
from FlareSegLib.disease.datasets import write_nifti
from FlareSegLib.disease.parameters import meanings
from FlareSegLib.phantom.phantom import make_phantom


def test_every_disease_is_listed(capsys):
    assert main(["diseases", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(DISEASES)
    assert all(disease.description in line for disease, line in zip(DISEASES.values(), lines))


def test_a_disease_tells_what_a_mix_may_fix(capsys):
    for name, disease in DISEASES.items():
        assert main(["diseases", "info", name]) == 0
        told = capsys.readouterr().out
        assert disease.description in told
        assert {line.split()[0] for line in told.splitlines()[4:]} == set(meanings(disease.parameters))
    main(["diseases", "info", "renal_cyst"])
    assert "diameter     25       5 to 120 mm  Diameter" in capsys.readouterr().out.splitlines()


def test_the_gallery_shows_the_chosen_diseases_on_both_patients(tmp_path, capsys):
    phantom = make_phantom(2, (80, 64, 24), (4.5, 4.5, 8.0))
    write_nifti(phantom.ct, tmp_path / "ct.nii.gz")
    write_nifti(phantom.label_map, tmp_path / "labels.nii.gz")
    out = tmp_path / "gallery"
    assert main(["diseases", "gallery", str(out), "--ct", str(tmp_path / "ct.nii.gz"), "--labels",
                 str(tmp_path / "labels.nii.gz"), "--only", "stone", "renal_cyst", "--draws", "1"]) == 0
    page = (out / "index.html").read_text(encoding="utf-8")
    for name in ("stone_kidney_ct.png", "stone_kidney_phantom_1.png", "renal_cyst_kidney_ct_1.png"):
        assert f'src="{name}"' in page and np.ptp(np.asarray(Image.open(out / name))) > 100


@pytest.mark.parametrize("words, status", [
    (["gallery", "out", "--only", "flu"], 71),
    (["info", "flu"], 71),
    (["gallery", "out", "--ct", "ct.nii.gz"], 30),
    (["gallery", "out", "--draws", "-1"], 30),
    (["thumbnails", "out", "--pixels", "4"], 30)])
def test_what_cannot_be_is_said_in_a_sentence(words, status, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["diseases", *words]) == status
    assert capsys.readouterr().err.startswith("flareseg: error: ") and not (tmp_path / "out").exists()


def test_thumbnails_are_written(tmp_path, monkeypatch):
    few = {name: DISEASES[name] for name in ("stone", "renal_cyst")}
    monkeypatch.setattr("FlareSegLib.disease.catalogue.DISEASES", few)
    assert main(["diseases", "thumbnails", str(tmp_path / "small"), "--pixels", "48"]) == 0
    assert sorted(path.name for path in (tmp_path / "small").iterdir()) == ["renal_cyst.png", "stone.png"]
    assert Image.open(tmp_path / "small/stone.png").size == (48, 48)
