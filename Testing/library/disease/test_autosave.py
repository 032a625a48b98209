"""Edits that outlive the program."""

import pytest

from FlareSegLib.disease import autosave
from FlareSegLib.disease.autosave import find_kept, forget, keep
from FlareSegLib.disease.edits import Edit
from FlareSegLib.disease.session import Entry


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FLARESEG_EDITS", str(tmp_path / "脾臓"))
    return tmp_path / "脾臓"


def test_kept_found_forgotten(case, ball, little, folder):
    edit = Edit("a" * 64, "b" * 64, (Entry(ball(case)),))
    keep(edit)
    assert find_kept("a" * 64, "b" * 64, little) == edit and find_kept("a" * 64, "c" * 64, little) is None
    forget(edit)
    assert find_kept("a" * 64, "b" * 64, little) is None
    keep(edit), keep(Edit("a" * 64, "b" * 64))
    assert list(folder.iterdir()) == [], "nothing is left to go on with"


def test_what_cannot_be_read_is_as_good_as_nothing(case, ball, little, folder):
    keep(Edit("a" * 64, "b" * 64, (Entry(ball(case)),)))
    next(folder.iterdir()).write_text("half a docu")
    assert find_kept("a" * 64, "b" * 64, little) is None


def test_there_are_never_many(case, ball, monkeypatch, folder):
    monkeypatch.setattr(autosave, "MOST_FILES", 2)
    for letter in "abc":
        keep(Edit(letter * 64, "b" * 64, (Entry(ball(case)),)))
    assert len(list(folder.iterdir())) == 2
