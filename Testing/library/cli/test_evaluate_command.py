"""flareseg evaluate and flareseg measure, as users run them."""

import csv
import json
import sys

import numpy as np
import pytest

from FlareSegLib.cli.main import main

from .conftest import write_image


@pytest.fixture
def data(folder):
    """Predictions and references of two cases in the working folder; the second prediction lacks the pancreas."""
    labels = np.zeros((8, 16, 16), np.uint8)
    for label in range(1, 5):
        labels[2:6, 3 * label:3 * label + 3, 4:12] = label
    for side in ("pred", "ref"):
        (folder / side).mkdir()
        write_image(folder / side / "case_1.nii.gz", labels)
        write_image(folder / side / "case_2.nii.gz", np.where((labels == 4) & (side == "pred"), 0, labels))
    return folder


def test_both_files_and_the_table(data, capsys):
    assert main(["evaluate", "pred", "ref", "-o", "scores.csv", "-o", "scores.json", "--reference-kind", "silver",
                 "--per-case"]) == 0
    printed = capsys.readouterr().out
    assert "50.0 ± 70.7" in printed and "2 cases, mean ± sd" in printed
    assert "silver (the output of another model, no ground truth)" in printed and "case_2  pancreas" in printed
    rows = list(csv.DictReader((data / "scores.csv").open(encoding="utf-8")))
    assert [row["dice"] for row in rows] == ["1.0"] * 7 + ["0.0"]
    assert {row["reference_kind"] for row in rows} == {"silver"}
    content = json.loads((data / "scores.json").read_text(encoding="utf-8"))
    assert (content["name"], content["data"], content["reference_kind"]) == ("pred", "ref", "silver")


def test_single_files_and_quiet(data, capsys):
    assert main(["evaluate", "pred/case_2.nii.gz", "ref/case_2.nii.gz", "--quiet", "-o", "one.csv"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["evaluate", "pred/case_2.nii.gz", "ref/case_2.nii.gz"]) == 0
    printed = capsys.readouterr().out
    assert "±" not in printed and "unstated" in printed


def test_an_organ_that_no_prediction_holds_is_told(data, capsys):
    assert main(["evaluate", "pred", "ref"]) == 0
    assert "No prediction holds" not in capsys.readouterr().out, "one of two lacks the pancreas"
    assert main(["evaluate", "pred/case_2.nii.gz", "ref/case_2.nii.gz"]) == 0
    assert "! No prediction holds any pancreas; where they were not asked for, leave them out with --organs." \
        in capsys.readouterr().out


def test_faults_are_listed_and_nothing_is_written(data, capsys):
    write_image(data / "pred" / "case_2.nii.gz", np.full((8, 16, 16), 7, np.uint8))
    assert main(["evaluate", "pred", "ref", "-o", "scores.csv"]) == 61
    assert "case_2: the prediction holds label 7" in capsys.readouterr().err
    assert sorted(path.name for path in data.iterdir()) == ["pred", "ref"]


@pytest.mark.parametrize("arguments, status", [
    (["pred", "ref", "-o", "scores.txt"], 30), (["pred", "ref", "-o", "ref"], 30), (["pred", "none"], 10),
    (["pred", "ref", "--organs", "aorta"], 30), (["pred", "ref", "--reference-labels", "x"], 30),
    (["pred", "ref", "--times", "none.csv"], 10), (["pred", "ref", "-o", "a.csv", "-o", "./a.csv"], 30),
    (["pred", "ref/case_1.nii.gz"], 61),
])
def test_wrong_arguments(data, capsys, arguments, status):
    assert main(["evaluate", *arguments]) == status
    assert capsys.readouterr().err.startswith("flareseg: error: ")


def test_existing_files_are_kept(data):
    (data / "scores.csv").write_text("mine")
    assert main(["evaluate", "pred", "ref", "-o", "scores.csv"]) == 32
    assert (data / "scores.csv").read_text() == "mine"
    assert main(["evaluate", "pred", "ref", "-o", "scores.csv", "--overwrite", "--quiet"]) == 0


def test_measured_times_are_taken_over(data, capsys):
    for case in ("case_1", "case_2"):
        assert main(["measure", "--no-gpu", "--case", case, "-o", "times.csv", "--", sys.executable, "-c", ""]) == 0
    assert main(["evaluate", "pred", "ref", "--times", "times.csv", "-o", "scores.json"]) == 0
    assert "running time" in capsys.readouterr().out
    costs = json.loads((data / "scores.json").read_text(encoding="utf-8"))["costs"]
    assert [cost["case"] for cost in costs] == ["case_1", "case_2"] and all(cost["seconds"] > 0 for cost in costs)


def test_a_program_that_fails_is_not_recorded(folder, capsys):
    assert main(["measure", "--no-gpu", "--case", "a", "-o", "t.csv", "--", sys.executable, "-c", "exit(2)"]) == 62
    assert not (folder / "t.csv").exists()
