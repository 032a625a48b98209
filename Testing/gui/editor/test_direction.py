"""Lesions that run a way: turned by their tip, made longer and wider by their box."""

import numpy as np
import pytest
import slicer
from FlareSegEditorModuleLib import motions
from FlareSegEditorModuleLib.extents import ACROSS, ALL_ROUND, ALONG, scaled
from hypothesis import given
from hypothesis import strategies as st

points = st.tuples(*[st.floats(-50, 50)] * 3).map(np.array)


@given(points, points, points)
def test_a_turn_brings_the_tip_where_it_is_wanted(pivot, tip, wanted):
    if min(np.linalg.norm(tip - pivot), np.linalg.norm(wanted - pivot)) < 1:
        return
    matrix = motions.turned(pivot, tip, wanted)
    assert (matrix @ (*tip, 1))[:3] == pytest.approx(wanted, abs=1e-4)
    assert (matrix @ (*pivot, 1))[:3] == pytest.approx(pivot, abs=1e-6)
    frame = motions.frame_along((pivot, tip))
    assert frame.T @ frame == pytest.approx(np.eye(3), abs=1e-9) and np.linalg.det(frame) == pytest.approx(1)
    assert frame[:, 0] * np.linalg.norm(tip - pivot) == pytest.approx(tip - pivot, abs=1e-6)


def test_what_extents_stand_for():
    from FlareSegLib.disease.catalogue import find

    infarct, stone = find("infarct").parameters(), find("stone").parameters(diameter=20.0, elongation=1.2)
    assert scaled(infarct, ALONG, 1.5).depth == 42.0 and scaled(infarct, ALONG, 100.0).depth == 70.0
    assert scaled(infarct, ACROSS, 1.5).angle == pytest.approx(2 * np.degrees(np.arctan(1.5 * np.tan(np.radians(20)))),
                                                               abs=0.1)
    longer = scaled(stone, ALONG, 1.3)
    assert longer.diameter == 20.0 and (longer.elongation / 1.2) ** (2 / 3) == pytest.approx(1.3, abs=0.01)
    assert scaled(infarct, ALL_ROUND, 1.5) == infarct, "it has no diameter"


@pytest.fixture
def place(editor, work, view, inside, monkeypatch):
    """Function: a click in an organ places a disease, always of the same seed; returns its key."""
    monkeypatch.setattr("FlareSegEditorModuleLib.editing.new_seed", lambda: 7)

    def click(name, organ, side=None):
        ras = inside(organ, side)
        view.look_at(ras)
        editor.panel.cards.choose(name)
        view.click(ras)
        assert len(work.editing.entries) == 1, editor.ui.messageLabel.text
        return work.editing.entries[0].key
    return click


def tip_of(work):
    return np.array(work.tip.node.GetNthControlPointPosition(0))


def pivot_of(work, key):
    return np.array(work.editing.done(key).notes[0].axis[0]) * (-1, -1, 1)


def in_view(view, ras):
    """A point as the slice view shows it: projected onto the slice."""
    slice_to_ras = slicer.util.arrayFromVTKMatrix(view.node.GetSliceToRAS())
    normal = slice_to_ras[:3, 2]
    return tuple(ras - normal * (normal @ (ras - slice_to_ras[:3, 3])))


@pytest.mark.parametrize(("name", "organ", "length", "plane"), [
    ("laceration", "liver", "length", "Axial"), ("stent", "pancreas", "length", "Coronal"),
    ("stone", "kidney", "elongation", "Axial")])
def test_dragging_the_tip_turns_it_and_undo_turns_it_back(editor, work, view, place, name, organ, length, plane):
    key = place(name, organ, "first" if organ == "kidney" else None)
    before, old, pivot = work.editing.entry(key).operation, tip_of(work), pivot_of(work, key)
    assert before.parameters.azimuth is None and work.tip.node.GetDisplayNode().GetVisibility()
    view.look_at(tuple(pivot), 200.0, plane)
    # A third of a right angle and a fifth longer, within the slice.
    across = [0, 1] if plane == "Axial" else [0, 2]
    wanted, (c, s) = old.copy(), (np.cos(0.5), np.sin(0.5))
    wanted[across] = pivot[across] + 1.2 * np.array([[c, -s], [s, c]]) @ (old - pivot)[across]
    view.press(in_view(view, old))
    view.move(in_view(view, (old + wanted) / 2))
    view.move(in_view(view, wanted))
    matrix = slicer.util.arrayFromVTKMatrix(work.outline._transform.GetMatrixTransformToParent())
    assert (matrix @ (*old, 1))[:3] == pytest.approx(wanted, abs=1.5) and work.editing.entry(key).operation == before
    view.release(in_view(view, wanted))
    after = work.editing.entry(key).operation
    assert after.parameters.azimuth is not None and after.centre == before.centre and after.seed == before.seed
    assert getattr(after.parameters, length) > getattr(before.parameters, length), editor.ui.messageLabel.text
    way = (tip_of(work) - pivot) / np.linalg.norm(tip_of(work) - pivot)
    assert way == pytest.approx((wanted - pivot) / np.linalg.norm(wanted - pivot), abs=0.05)
    work.editing.undo()
    assert work.editing.entry(key).operation == before and tip_of(work) == pytest.approx(old, abs=0.01)


def test_an_infarct_is_not_turned_out_of_its_organ(editor, work, view, place):
    key = place("infarct", "spleen")
    before, old, pivot = work.editing.entry(key).operation, tip_of(work), pivot_of(work, key)
    view.look_at(tuple(pivot), 300.0)
    beyond = in_view(view, 2 * pivot - old)
    view.drag(in_view(view, old), in_view(view, pivot + (5.0, 0, 0)), beyond)
    if abs((old - pivot)[2]) < 0.5 * np.linalg.norm((old - pivot)[:2]):
        assert "turned out of the spleen" in editor.ui.messageLabel.text
    assert work.editing.entry(key).operation == before and tip_of(work) == pytest.approx(old, abs=0.01)


def test_the_box_lies_along_the_axis_and_its_faces_change_length_and_width(work, place):
    key = place("stent", "pancreas")
    box, parameters = work.box.node, work.editing.entry(key).operation.parameters
    axis = tip_of(work) - pivot_of(work, key)
    along = slicer.util.arrayFromVTKMatrix(box.GetObjectToNodeMatrix())[:3, 0]
    assert abs(along @ axis) == pytest.approx(np.linalg.norm(axis), rel=1e-3)
    size = np.array(box.GetSize())
    assert size[0] > 2 * size[1:].max()
    work.resized(key, 0, 0.8)
    assert work.editing.entry(key).operation.parameters.length == pytest.approx(0.8 * parameters.length)
    work.resized(key, 1, 1.25)
    found = work.editing.entry(key).operation.parameters
    assert found.diameter == pytest.approx(1.25 * parameters.diameter, abs=0.1) and found.azimuth is None


def test_lesions_without_a_direction_have_no_tip(work, place):
    place("renal_cyst", "kidney", "first")
    assert work.tip.node is None or not work.tip.node.GetDisplayNode().GetVisibility()
    assert np.allclose(slicer.util.arrayFromVTKMatrix(work.box.node.GetObjectToNodeMatrix())[:3, :3], np.eye(3))
