"""Adding edited cases to data sets: what is there stays as it is, and what comes can be trained on."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from FlareSegLib.disease.append import AUDIT_FILE, Finished, append_cases, free_name
from FlareSegLib.disease.case import make_case
from FlareSegLib.disease.datasets import LAYOUTS
from FlareSegLib.disease.simulation import simulate
from FlareSegLib.errors import FlareSegError
from FlareSegLib.jobs.folder_lock import LOCK_FILE, locked
from FlareSegLib.phantom.phantom import make_phantom
from FlareSegLib.training.raw_checks import check_dataset
from FlareSegLib.training.raw_data import find_raw_dataset
from FlareSegLib.volumes.reading import read_label_map, read_volume


@pytest.fixture(scope="module")
def finished(little, ball):
    """An edited phantom and its original."""
    phantom = make_phantom(3, (72, 60, 24), (5.0, 5.0, 8.0))
    case, order = make_case(phantom.ct, phantom.label_map)
    made = simulate(case, [ball(case, diameter=40.0)], little)
    image, labels = made.case.volumes(order, phantom.ct)
    recipe = made.recipe("A. Person", "2026-01-02T03:04:05Z")
    original = Finished("p1", "p1", *case.volumes(order, phantom.ct))
    return original, Finished("p1_edited", "p1", image, labels, recipe)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def document(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=str)
def test_a_new_data_set_and_one_more_case(tmp_path, finished, layout):
    out = tmp_path / "脾臓 data"
    assert append_cases(out, layout, finished) == (("train_000", "train_001") if layout.key == "flare" else
                                                   ("p1", "p1_edited"))
    check_dataset(find_raw_dataset(out))
    before = files(out)
    other = replace(finished[1], name="p1_again")
    name, = append_cases(out, layout, (other,))
    dataset = find_raw_dataset(out)
    check_dataset(dataset)
    assert [case.name for case in dataset.cases] == sorted(["train_000", "train_001", "train_002"]
                                                           if layout.key == "flare"
                                                           else ["p1", "p1_edited", "p1_again"])
    described = {"dataset.json", "cases.json", AUDIT_FILE}
    assert all(files(out)[path] == data for path, data in before.items() if path not in described)
    case = next(case for case in dataset.cases if case.name == name)
    assert np.array_equal(read_volume(case.image).array, other.image.array)
    assert np.array_equal(read_label_map(case.labels).array, other.labels.array)
    if layout.key != "flare":
        assert document(out / "dataset.json")["numTraining"] == 3
    if layout.key == "v1":
        last = document(out / "dataset.json")["training"][-1]
        assert last["label"] == "./labelsTr/p1_again.nii.gz"
    assert [each["synthetic"] for each in document(out / "cases.json")] == [False, True, True]
    lines = [json.loads(line) for line in (out / AUDIT_FILE).read_text("utf-8").splitlines()]
    assert [line.get("operator") for line in lines] == [None, "A. Person", "A. Person"]
    assert lines[2]["recipe_sha256"] == other.recipe.sha256 and lines[2]["utc"] == "2026-01-02T03:04:05Z"
    assert not [path for path in out.rglob("*") if path.name.startswith(".flareseg-")]


def test_nothing_is_overwritten(tmp_path, finished):
    append_cases(tmp_path / "d", LAYOUTS["v2"], finished)
    before = files(tmp_path / "d")
    for name in ("p1_edited", "P1_EDITED"):  # Windows and macOS tell no difference
        with pytest.raises(FlareSegError, match="has a case") as refusal:
            append_cases(tmp_path / "d", LAYOUTS["v2"], (replace(finished[1], name=name),))
        assert refusal.value.code == "output_exists"
    assert files(tmp_path / "d") == before
    assert free_name(tmp_path / "d", "p1_edited") == "p1_edited_2" and free_name(tmp_path / "d", "q") == "q"


@pytest.mark.parametrize("name", ["", "a/b", "..", "p1_0000", "x" * 200, "ä"])
def test_names_that_files_cannot_have(tmp_path, finished, name):
    with pytest.raises(FlareSegError) as refusal:
        append_cases(tmp_path / "d", LAYOUTS["v2"], (replace(finished[1], name=name),))
    assert refusal.value.code == "bad_option" and not any(path.is_file() for path in (tmp_path / "d").rglob("*"))


def test_other_folders_layouts_and_broken_data_sets_are_refused(tmp_path, finished):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine")
    append_cases(tmp_path / "d", LAYOUTS["v2"], finished)
    for folder, layout, code in (("other", "v2", "output_exists"), ("d", "v1", "output_exists"),
                                 ("d", "flare", "output_exists")):
        with pytest.raises(FlareSegError) as refusal:
            append_cases(tmp_path / folder, LAYOUTS[layout], finished[1:])
        assert refusal.value.code == code
    (tmp_path / "d" / "labelsTr" / "p1.nii.gz").unlink()
    with pytest.raises(FlareSegError, match="not complete") as refusal:
        append_cases(tmp_path / "d", LAYOUTS["v2"], (replace(finished[1], name="new"),))
    assert refusal.value.code == "bad_training_data"
    assert files(tmp_path / "other") == {"letter.txt": b"mine"}


def test_a_case_that_cannot_be_trained_on_is_refused(tmp_path, finished):
    case = finished[1]
    empty = replace(case, labels=case.labels.with_array(case.labels.array * 0))
    with pytest.raises(FlareSegError, match="labels are empty"):
        append_cases(tmp_path / "d", LAYOUTS["v2"], (empty,))
    assert files(tmp_path / "d") == {}


def test_a_data_set_of_others_keeps_what_it_says(tmp_path, finished):
    append_cases(tmp_path / "d", LAYOUTS["v2"], finished[:1])
    mine = {**document(tmp_path / "d" / "dataset.json"), "name": "mine", "licence": "own"}
    (tmp_path / "d" / "dataset.json").write_text(json.dumps(mine))
    (tmp_path / "d" / "splits_final.json").write_text(json.dumps([{"train": [], "val": ["p1"]},
                                                                  {"train": ["p1"], "val": []}]))
    (tmp_path / "d" / "cases.json").unlink()
    append_cases(tmp_path / "d", LAYOUTS["v2"], finished[1:])
    assert document(tmp_path / "d" / "dataset.json") == {**mine, "numTraining": 2}
    assert document(tmp_path / "d" / "splits_final.json") == [{"train": [], "val": ["p1", "p1_edited"]},
                                                              {"train": ["p1", "p1_edited"], "val": []}]


def test_what_a_process_that_died_left_is_taken_back(tmp_path, finished, monkeypatch):
    """It had moved its first file into place, and no more."""
    out = tmp_path / "d"
    append_cases(out, LAYOUTS["v2"], finished[:1])
    with locked(out) as journal:
        journal.begin([out / "imagesTr" / "dead_0000.nii.gz", out / "labelsTr" / "dead.nii.gz"])
        (out / "imagesTr" / "dead_0000.nii.gz").write_bytes(b"half")
        (out / "labelsTr" / ".flareseg-0123").mkdir()
        kept = (out / LOCK_FILE).read_bytes()
    (out / LOCK_FILE).write_bytes(kept)  # it had no time to remove it
    append_cases(out, LAYOUTS["v2"], finished[1:])
    check_dataset(find_raw_dataset(out))
    assert {path.name for path in (out / "labelsTr").iterdir()} == {"p1.nii.gz", "p1_edited.nii.gz"}
    assert not (out / LOCK_FILE).exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the process that is killed is a fork")
@pytest.mark.parametrize("moves", [1, 2, 4])
def test_killed_in_the_middle_of_it(tmp_path, finished, monkeypatch, moves):
    """kill -9 once so many files are in place: the next one who adds finds a whole data set, and makes it longer."""
    out = tmp_path / "d"
    append_cases(out, LAYOUTS["v2"], finished[:1])
    before = files(out)
    child = os.fork()
    if child == 0:
        moved, left = os.replace, iter(range(moves))

        def move(*paths):
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            moved(*paths)

        os.replace = move
        append_cases(out, LAYOUTS["v2"], finished[1:])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert files(out) != before, "it had begun"
    append_cases(out, LAYOUTS["v2"], (replace(finished[1], name="next"),))
    dataset = find_raw_dataset(out)
    check_dataset(dataset)
    assert [case.name for case in dataset.cases] == ["next", "p1"]
    assert {name: data for name, data in files(out).items() if "p1" in name} == {
        name: data for name, data in before.items() if "p1" in name}
    assert not [path for path in out.rglob("*") if path.name.startswith(".flareseg-")]


def test_two_at_a_time_are_one_too_many(tmp_path, finished):
    append_cases(tmp_path / "d", LAYOUTS["v2"], finished[:1])
    before = files(tmp_path / "d")
    with locked(tmp_path / "d"):
        with pytest.raises(FlareSegError, match="Another program"):
            append_cases(tmp_path / "d", LAYOUTS["v2"], finished[1:])
    assert files(tmp_path / "d") == before


def test_a_journal_of_anybody_removes_nothing_elsewhere(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "d" / LOCK_FILE).write_text('["../mine.txt", 3, "/etc/hostname"]')
    with locked(tmp_path / "d"):
        pass
    assert (tmp_path / "mine.txt").read_text() == "mine"
