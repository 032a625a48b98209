"""``flareseg batch``: arguments, words, exit status. What it does is tested in library/batch."""

import json

import pytest

from FlareSegLib.batch import run
from FlareSegLib.batch.work import segment_case
from FlareSegLib.cli.main import main

from .conftest import body, write_image


@pytest.fixture(autouse=True)
def workers_without_processes(monkeypatch):
    monkeypatch.setattr(run, "run_tasks", lambda tasks, *_: ((task, segment_case(task)) for task in tasks))


@pytest.fixture
def two(folder):
    write_image(folder / "a.nii", body((4, 16, 16)), (10.0, 10.0, 20.0))
    write_image(folder / "b.nrrd", body((4, 16, 16), 1), (10.0, 10.0, 20.0))
    return folder


def test_a_folder_its_table_and_its_page(two, model, capsys):
    command = ["batch", ".", "-o", "out", "--model", model, "--device", "cpu", "--format", "nii.gz", "--format",
               ".seg.nrrd",
               "--previews", "--organs", "liver,spleen"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "2 of 2 cases done" in said.out and "already" not in said.out and said.err == ""
    assert "liver" in said.out and "kidney" not in said.out
    assert sorted(path.name for path in (two / "out").glob("[sp]*/*")) == [
        "a.nii.gz", "a.png", "a.seg.nrrd", "b.nii.gz", "b.png", "b.seg.nrrd"]
    assert main([*command, "--quiet"]) == 0  # once more, from within: its own outputs are no inputs
    assert capsys.readouterr() == ("", "")
    assert main(command) == 0 and "2 of them were there already." in capsys.readouterr().out
    assert len((two / "out/cases.jsonl").read_text("utf-8").splitlines()) == 2


def test_failed_cases_are_named_and_give_a_status_of_their_own(two, model, capsys):
    (two / "letter.nii").write_text("Dear")
    assert main(["batch", "*.n*", "gone.nii", "-o", "out", "--model", model, "--device", "cpu", "--number"]) == 80
    said = capsys.readouterr()
    assert "2 of 4 cases done" in said.out and "2 of 4 cases could not be segmented:\n  case_0003: " in said.err
    records = [json.loads(line) for line in (two / "out/cases.jsonl").read_text("utf-8").splitlines()]
    assert [(r["case"], r["status"]) for r in records] == [
        ("case_0001", "done"), ("case_0002", "done"), ("case_0003", "failed"), ("case_0004", "failed")]


@pytest.mark.parametrize(("arguments", "status"), [
    (["--format", ".docx"], 30), (["--jobs", "0"], 30), (["--threads", "0"], 30), (["--organs", "heart"], 30),
    (["--resources", "GPU=1"], 30), (["--scheduler", "tcp://x:1", "--jobs", "2"], 30),
    (["--scheduler", "tcp://x:1", "--resources", "GPU"], 30),
    (["--scheduler", "tcp://x:1", "--resources", "GPU=-1"], 30),
])
def test_what_is_wrong_is_told_before_any_work(two, model, capsys, arguments, status):
    assert main(["batch", "a.nii", "-o", "out", "--model", model, *arguments]) == status
    assert capsys.readouterr().err.startswith("flareseg: error: ")
    assert sorted(path.name for path in two.iterdir()) == ["a.nii", "b.nrrd"]


def test_nothing_there_and_unknown_models(two, capsys):
    assert main(["batch", "gone*", "-o", "out"]) == 10
    assert main(["batch", "a.nii", "-o", "out", "--model", "nobody"]) == 40
    assert not (two / "out").exists()
