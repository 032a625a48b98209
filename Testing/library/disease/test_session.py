"""Editing by hand: the result is the replay of the list on the originals, whatever way led there."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import make_case
from FlareSegLib.disease.operation import draw, perform
from FlareSegLib.disease.scene import Scene
from FlareSegLib.disease.session import Entry, Session
from FlareSegLib.errors import FlareSegError
from FlareSegLib.phantom.phantom import make_phantom


@pytest.fixture(scope="module")
def case():
    phantom = make_phantom(2, (80, 64, 26), (4.0, 4.0, 7.0))
    return make_case(phantom.ct, phantom.label_map)[0]


@pytest.fixture(scope="module")
def operations(case):
    scene = Scene(case)
    wanted = [("renal_cyst", "kidney"), ("hypo_metastasis", "liver"), ("hypo_metastases", "liver"),
              ("renal_cyst", "kidney")]
    return [draw(catalogue.find(name), scene, organ, np.random.default_rng(seed))
            for seed, (name, organ) in enumerate(wanted)]


def replayed(case, entries):
    scene = Scene(case)
    for entry in entries:
        if entry.shown:
            scene, _ = perform(catalogue.find, scene, entry.operation)
    return scene.case


@settings(max_examples=12)
@given(st.lists(st.tuples(st.sampled_from(["add", "drop", "hide", "swap", "undo", "redo"]), st.integers(0, 3)),
                min_size=1, max_size=7), st.sampled_from([0, 10**9]))
def test_any_way_of_editing_ends_in_the_replay(case, operations, actions, limit):
    session = Session(case, catalogue.find, limit_bytes=limit)
    for action, number in actions:
        entries = list(session.entries)
        if action == "add":
            entries.insert(number, Entry(operations[number]))
        elif entries and action == "drop":
            entries.pop(number % len(entries))
        elif entries and action == "hide":
            place = number % len(entries)
            entries[place] = replace(entries[place], shown=not entries[place].shown)
        elif entries and action == "swap":
            entries.append(entries.pop(number % len(entries)))
        try:
            if action in ("undo", "redo"):
                getattr(session, action)()
            else:
                session.set_entries(tuple(entries))
        except FlareSegError as error:
            assert error.code == "disease_not_placed"
    expected = replayed(case, session.entries)
    assert np.array_equal(session.case.hu, expected.hu) and np.array_equal(session.case.labels, expected.labels)


def test_undo_and_redo_take_the_list_along(case, operations):
    session = Session(case, catalogue.find)
    one, two = Entry(operations[0]), Entry(operations[1])
    session.set_entries((one,))
    after_one = session.case.hu.copy()
    session.set_entries((one, two))
    after_two = session.case.hu.copy()
    assert session.undo() is not None and session.entries == (one,) and np.array_equal(session.case.hu, after_one)
    session.undo()
    assert session.entries == () and np.array_equal(session.case.hu, case.hu) and not session.can_undo
    assert session.undo() is None
    session.redo(), session.redo()
    assert session.entries == (one, two) and np.array_equal(session.case.hu, after_two) and not session.can_redo


def test_a_new_edit_forgets_what_was_taken_back(case, operations):
    session = Session(case, catalogue.find)
    session.set_entries((Entry(operations[0]),))
    session.undo()
    session.set_entries((Entry(operations[1]),))
    assert not session.can_redo and session.redo() is None


def test_what_cannot_be_done_leaves_everything_as_it_was(case, operations):
    session = Session(case, catalogue.find)
    session.set_entries((Entry(operations[0]),))
    entries, hu = session.entries, session.case.hu.copy()
    outside = replace(operations[1], centre=(9999.0, 0.0, 0.0))
    with pytest.raises(FlareSegError):
        session.set_entries((*entries, Entry(operations[1]), Entry(outside)))
    assert session.entries == entries and np.array_equal(session.case.hu, hu)
    session.undo()
    assert np.array_equal(session.case.hu, case.hu)


def test_the_box_tells_all_that_changed(case, operations):
    session = Session(case, catalogue.find)
    session.set_entries((Entry(operations[0]), Entry(operations[1])))
    before = session.case.hu.copy()
    box = session.set_entries((replace(session.entries[0], shown=False), session.entries[1]))
    same = before == session.case.hu
    same[box] = True
    assert same.all()
    assert session.set_entries(session.entries) is None


def test_notes_are_what_describe_said(case, operations):
    session = Session(case, catalogue.find, lambda scene, operation, change: operation.disease)
    session.set_entries((Entry(operations[2]),))
    done, = session.done
    assert set(done.notes) == {"hypo_metastasis"} and len(done.notes) == len(done.parts) == len(done.boxes)


def test_the_way_back_is_not_computed_again(case, operations):
    """Undo after a drag: the lesion at its former place was in the image before."""
    computed = []
    session = Session(case, catalogue.find, lambda scene, operation, change: computed.append(operation))
    entry, moved = Entry(operations[0]), replace(operations[0], seed=operations[0].seed + 1)
    session.set_entries((entry,))
    session.set_entries((replace(entry, operation=moved),))
    after = session.case.hu.copy()
    assert len(computed) == 2
    session.undo(), session.redo()
    assert len(computed) == 2 and np.array_equal(session.case.hu, after)
    hidden = replace(session.entries[0], shown=False)
    session.set_entries((hidden,)), session.undo()
    assert len(computed) == 2 and session.memory_bytes > 0


def test_what_is_remembered_is_bounded(case, operations):
    session = Session(case, catalogue.find, limit_bytes=0)
    session.set_entries((Entry(operations[0]),))
    session.set_entries(())
    assert session.memory_bytes == 0


def test_a_place_is_judged_by_what_was_there_before(case, operations):
    """Also of the first of several, and where the history no longer reaches back."""
    for limit in (10**9, 0):
        session = Session(case, catalogue.find, limit_bytes=limit)
        first = replace(operations[0], label_rule="background")
        session.set_entries((Entry(first), Entry(operations[1]), Entry(operations[3])))
        inside = first.centre
        if limit:
            assert np.array_equal(session.scene_before(0).case.labels, case.labels)
            assert session.scene_before(0).label_at(inside) == case.labels[tuple(
                np.rint(case.grid.index_of(inside)).astype(int))]
        assert session.scene_before(1).has("kidney") and session.scene_before(2).case.labels.shape == case.labels.shape
