"""flareseg report, as users run it."""

import numpy as np
import pytest

from FlareSegLib.cli.main import main

from .conftest import body, write_image

pytest.importorskip("matplotlib")


@pytest.fixture
def scores(folder):
    """One evaluated case in the working folder."""
    labels = np.zeros((24, 48, 56), np.uint8)
    for label in range(1, 5):
        labels[6:18, 20:30, 8 * label + 4:8 * label + 10] = label
    write_image(folder / "pred.nii.gz", np.roll(labels, 1, 2))
    write_image(folder / "ref.nii.gz", labels)
    write_image(folder / "ct.nii.gz", body())
    assert main(["evaluate", "pred.nii.gz", "ref.nii.gz", "-o", "scores.json", "--reference-kind", "silver",
                 "--quiet"]) == 0
    return folder


def test_numbers_alone(scores, capsys):
    assert main(["report", "scores.json", "-o", "report"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Wrote report/report.html.") and "Figures 1, 2, 6, 7 and 8 need" in printed
    assert "silver" in (scores / "report" / "report.html").read_text(encoding="utf-8")


def test_single_files_with_their_ct(scores, capsys):
    assert main(["report", "scores.json", "--baseline", "scores.json", "-o", "report", "--predictions", "pred.nii.gz",
                 "--references", "ref.nii.gz", "--images", "ct.nii.gz"]) == 0
    assert "Figures 1, 2, 6, 7" not in capsys.readouterr().out
    assert (scores / "report" / "figures" / "figure_6_worst_case.pdf").exists()


@pytest.mark.parametrize("arguments, status", [
    (["none.json"], 10), (["pred.nii.gz"], 11), (["scores.json", "--predictions", "pred.nii.gz"], 30),
    (["scores.json", "--images", "ct.nii.gz"], 30), (["scores.json", "--baseline", "none.json"], 10),
    (["scores.json", "--predictions", "none", "--references", "ref.nii.gz"], 10),
])
def test_wrong_arguments(scores, capsys, arguments, status):
    assert main(["report", *arguments, "-o", "report"]) == status
    assert capsys.readouterr().err.startswith("flareseg: error: ") and not (scores / "report").exists()


def test_without_matplotlib_the_user_is_told_what_to_install(scores, capsys, monkeypatch):
    monkeypatch.setattr("FlareSegLib.cli.report_command.find_spec", lambda name: None)
    assert main(["report", "scores.json", "-o", "report"]) == 52
    assert "pip install matplotlib" in capsys.readouterr().err
