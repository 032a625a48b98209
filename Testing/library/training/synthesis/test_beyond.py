"""Where labels stop short of an organ, what a network finds beyond them is ignored; nothing else changes."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from FlareSegLib.training.cases import read_case_list
from FlareSegLib.training.slice_store import open_store
from FlareSegLib.training.synthesis import beyond
from FlareSegLib.training.synthesis.beyond import beyond_labels

SHAPE = (4, 6, 5)


@given(hnp.arrays(np.uint8, SHAPE, elements=st.sampled_from((0, 1, 4, 255))), hnp.arrays(bool, SHAPE))
def test_only_background_that_was_found_is_beyond(labels, found):
    mask = beyond_labels(labels, 4, found)
    assert not (mask & ~found).any() and (labels[mask] == 0).all()
    if not (labels == 4).any():
        assert not mask.any()


def test_a_piece_apart_is_not_beyond():
    labels, found = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, bool)
    labels[1, 1, 1] = 4
    found[1, 1:4, 1] = found[3, 5, 4] = True
    assert np.argwhere(beyond_labels(labels, 4, found)).tolist() == [[1, 2, 1], [1, 3, 1]]


@pytest.fixture
def store(data, tmp_path):
    """The real cases alone, acrin001's pancreas cut off in the middle of its slices."""
    from FlareSegLib.training.slice_store import write_case
    from FlareSegLib.training.synthesis.make import Plan, make

    folder = tmp_path / "store"
    make(Plan(folder, data, cases=0, seed=0))
    opened = open_store(folder, ("real_acrin001",))
    case = opened.cases[0]
    slices = [case.slice(index) for index in range(case.record.slices)]
    middle = int(np.median(case.record.slices_with[4]))
    cut = [(image, np.where((labels == 4) & (index > middle), 0, labels).astype(np.uint8))
           for index, (image, labels) in enumerate(slices)]
    write_case(folder, case.record, cut, opened.description.hu)
    return folder, np.stack([labels for _, labels in slices]), np.stack([labels for _, labels in cut])


def test_of_partial_labels_what_a_model_finds_beyond_is_ignored(store, monkeypatch, capsys):
    folder, whole, cut = store
    partial = {entry["name"]: entry.get("partial") for entry in read_case_list()}
    assert partial["acrin001"] == [4] and not partial["ircad01"]
    before = {path.name: path.read_bytes() for path in folder.glob("real_ircad01*")}

    def finds_all(ct, bundle, network, device):
        places = np.nonzero((cut == 4).any(axis=(1, 2)))[0]
        first = max(0, places[0] - beyond.REACH)
        return whole[first:first + len(ct.array)], len(ct.array)

    monkeypatch.setattr(beyond, "label_axial", finds_all)
    monkeypatch.setattr(beyond, "read_bundle", lambda folder: type("Bundle", (), {"name": "made up", "version": "1"}))
    monkeypatch.setattr(beyond, "load_network", lambda bundle: None)
    beyond.main([str(folder), "anywhere"])
    case = open_store(folder, ("real_acrin001",)).cases[0]
    now = np.stack([case.slice(index)[1] for index in range(case.record.slices)])
    lost = (whole == 4) & (cut == 0)
    lost[max(np.nonzero((cut == 4).any(axis=(1, 2)))[0]) + beyond.REACH + 1:] = False
    assert lost.any() and (now[lost] == 255).all() and np.array_equal(now[~lost], cut[~lost])
    assert "real_acrin001" in capsys.readouterr().out
    origin = json.loads((folder / "real_acrin001.origin.json").read_text("utf-8"))
    assert origin["ignored"] == {"model": "made up 1", "voxels": int(lost.sum())} and origin["patient"] == "acrin001"
    assert {path.name: path.read_bytes() for path in folder.glob("real_ircad01*")} == before, "its labels are whole"


def test_a_store_done_before_is_left_alone(store, monkeypatch):
    folder, *_ = store
    path = folder / "real_acrin001.origin.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "ignored": {}}), "utf-8")
    copy = shutil.copytree(folder, folder.with_name("copy"))
    monkeypatch.setattr(beyond, "label_axial", lambda *_: pytest.fail("looked again"))
    monkeypatch.setattr(beyond, "read_bundle", lambda folder: None)
    monkeypatch.setattr(beyond, "load_network", lambda bundle: None)
    beyond.main([str(folder), "anywhere"])
    assert all((copy / path.name).read_bytes() == path.read_bytes() for path in folder.iterdir())
