"""A person with nothing but a mouse: Slicer's own Markups, interactor style and displayable managers."""

import numpy as np
import pytest
import slicer
from standin.waiting import wait_until


def voxels(node):
    return slicer.util.arrayFromVolume(node).copy()


def centre_of(entry):
    """RAS, mm."""
    return np.asarray(entry.operation.centre) * (-1, -1, 1)


@pytest.fixture
def cyst(patient, editor, work, view, inside):
    """A cyst that the person has just placed: its key and where."""
    ras = inside("kidney", "first")
    view.look_at(ras)
    editor.panel.cards.choose("renal_cyst")
    view.click(ras)
    assert len(work.editing.entries) == 1, editor.ui.messageLabel.text
    return work.editing.entries[0].key, ras


def test_a_click_places_the_disease(patient, editor, work, view, inside):
    ct, segmentation = patient
    before, organs = voxels(ct), inside("kidney", "first")
    view.look_at(organs)
    editor.panel.cards.choose("renal_cyst")
    assert work.placement.active and editor.ui.placeButton.text == "Click in a view... (stop)"
    view.move(organs)
    assert work.editing.entries == (), "moving over the view places nothing"
    view.click(organs)
    entry, = work.editing.entries
    assert not work.placement.active and work.chosen == entry.key
    assert np.allclose(centre_of(entry), organs, atol=0.3) and entry.operation.organ == "kidney"
    assert (voxels(work.editing.canvas.ct) != before).sum() > 100
    assert np.array_equal(voxels(ct), before), "the CT itself is as it was"
    table = editor.ui.operationsTable
    assert table.rowCount == 1 and table.item(0, 1).text() == "Renal cyst" and float(table.item(0, 3).text()) > 2


def test_dragging_moves_it_and_undo_brings_it_back(patient, work, view, cyst):
    key, ras = cyst
    placed = voxels(work.editing.canvas.ct)
    target = tuple(np.add(ras, (3.0, 4.0, 0.0)))
    view.press(ras)
    view.move(tuple(np.add(ras, (1.0, 2.0, 0.0))))
    view.move(target)
    assert np.array_equal(voxels(work.editing.canvas.ct), placed), "while it is dragged only the outline moves"
    matrix = work.outline._transform.GetMatrixTransformToParent()
    assert np.allclose([matrix.GetElement(row, 3) for row in range(3)], (3, 4, 0), atol=0.3)
    view.release(target)
    assert np.allclose(centre_of(work.editing.entry(key)), target, atol=0.3)
    moved = voxels(work.editing.canvas.ct)
    assert not np.array_equal(moved, placed)
    work.editing.undo()
    assert np.array_equal(voxels(work.editing.canvas.ct), placed)
    assert np.allclose(work.handles.node_of(key).GetNthControlPointPosition(0), ras,
                       atol=0.3), "the handle goes back, too"
    work.editing.redo()
    assert np.array_equal(voxels(work.editing.canvas.ct), moved)


def test_outside_its_organ_it_is_refused_with_the_reason(editor, work, view, cyst, inside):
    key, ras = cyst
    placed = voxels(work.editing.canvas.ct)
    beyond = tuple(np.add(ras, (55.0, 0.0, 0.0)))
    view.press(ras)
    view.move(beyond)
    assert "choose a point in the kidney" in editor.ui.messageLabel.text
    assert work.outline._model.GetDisplayNode().GetColor() == pytest.approx((1.0, 0.15, 0.1))
    view.release(beyond)
    assert "choose a point in the kidney" in editor.ui.messageLabel.text
    assert np.allclose(centre_of(work.editing.entry(key)), ras, atol=0.3)
    assert np.allclose(work.handles.node_of(key).GetNthControlPointPosition(0), ras, atol=0.3)
    assert np.array_equal(voxels(work.editing.canvas.ct), placed) and len(work.editing.entries) == 1


def test_a_click_outside_is_refused_and_one_may_try_again(editor, work, view, inside):
    ras = inside("kidney", "first")
    view.look_at(ras)
    editor.panel.cards.choose("renal_cyst")
    view.click(tuple(np.add(ras, (55.0, 0.0, 0.0))))
    assert work.editing.entries == () and "Renal cyst: " in editor.ui.messageLabel.text
    wait_until(lambda: slicer.app.applicationLogic().GetInteractionNode().GetCurrentInteractionMode() == 1)
    assert work.placement.active
    view.click(ras)
    assert len(work.editing.entries) == 1 and editor.ui.messageLabel.text == ""


def test_the_box_changes_the_diameter(editor, work, view, cyst):
    key, _ras = cyst
    box, old = work.box.node, work.editing.entry(key).operation.parameters.diameter
    centre, size = np.array(box.GetCenter()), np.array(box.GetSize())
    assert size == pytest.approx(old, abs=4)
    view.look_at(tuple(centre))
    handle = tuple(centre + (size[0] / 2, 0, 0))
    view.drag(handle, tuple(np.add(handle, (3.0, 0, 0))), tuple(np.add(handle, (8.0, 0, 0))))
    new = work.editing.entry(key).operation.parameters.diameter
    assert new == pytest.approx(old * (size[0] + 8) / size[0], rel=0.1)
    assert editor.panel.sliders.control("diameter").value == pytest.approx(new)
    assert np.array(work.box.node.GetSize()) == pytest.approx(new, abs=5), "the box follows the lesion"


def right_click(editor, view, ras):
    view.event("EnterEvent", ras)
    view.move(ras)
    view.event("RightButtonPressEvent", ras)
    view.event("RightButtonReleaseEvent", ras)


def escape(editor, view, ras):
    view.move(ras)
    assert editor.panel.escape.enabled
    editor.panel.escape.activated.emit()


def another_tool(editor, view, ras):
    slicer.app.applicationLogic().GetInteractionNode().SwitchToViewTransformMode()


@pytest.mark.parametrize("leave", [right_click, escape, another_tool])
def test_leaving_place_mode_ends_placing(editor, work, view, inside, leave):
    ras = inside("kidney", "first")
    view.look_at(ras)
    editor.panel.cards.choose("renal_cyst")
    leave(editor, view, ras)
    wait_until(lambda: not work.placement.active)
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() != interaction.Place
    assert work.editing.entries == () and not editor.panel.escape.enabled, "other modules may want the key"
    assert editor.ui.placeButton.text == "Place by clicking"
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0


def test_within_itself_a_lesion_that_is_no_organ_can_be_moved(editor, work, view, cyst):
    """It is judged by the organ as it was before the lesion."""
    key, ras = cyst
    work.change_rule("background")
    target = tuple(np.add(ras, (2.0, 0.0, 0.0)))
    view.drag(ras, tuple(np.add(ras, (1.0, 0.0, 0.0))), target)
    assert np.allclose(centre_of(work.editing.entry(key)), target, atol=0.3), editor.ui.messageLabel.text
