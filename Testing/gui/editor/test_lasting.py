"""No work is lost: scenes saved and closed, nodes deleted, a crash, several edits, transforms."""

import json

import numpy as np
import pytest
import qt
import slicer
from FlareSegEditorModuleLib import edit_node
from standin import dialogs, scene_files
from standin.waiting import wait_until


def voxels(editing):
    return slicer.util.arrayFromVolume(editing.canvas.ct).copy()


def add(editor, name):
    editor.panel.cards.choose(name)
    editor.ui.addButton.click()
    editor.panel.work.placement.stop()
    editor.panel.work.autosave.flush()
    return editor.panel.work.editing.entries[-1]


def test_saved_and_opened_again(patient, editor, work, tmp_path):
    add(editor, "renal_cyst"), add(editor, "hypo_metastases")
    work.editing.set_shown(work.editing.entries[0].key, False)
    entries, before = work.editing.entries, voxels(work.editing)
    scene_files.save_scene(str(tmp_path / "edit 脾臓.mrb"))
    slicer.mrmlScene.Clear(0)
    assert editor.panel.work.editing is None and editor.ui.operationsTable.rowCount == 0
    scene_files.load_scene(str(tmp_path / "edit 脾臓.mrb"))
    editing = editor.panel.work.editing
    assert editing is not None, editor.ui.statusLabel.text
    assert editing.entries == entries and np.array_equal(voxels(editing), before)
    assert editing.ct.GetName() == "patient" and editing.canvas.ct.GetName() == "patient edited"
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 2, "no clone more"
    editor.ui.undoButton.click()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0, "helpers are not saved"
    assert editing.entries == ()
    editor.ui.redoButton.click()
    assert editing.entries == entries and np.array_equal(voxels(editing), before)


def test_what_was_done_to_the_clones_elsewhere_does_not_count(patient, editor, work):
    add(editor, "renal_cyst")
    node, before = work.editing.node, voxels(work.editing)
    slicer.util.arrayFromVolume(work.editing.canvas.ct)[:] = 7
    editor.ui.editSelector.setCurrentNode(None)
    assert editor.panel.work.editing is None
    editor.ui.editSelector.setCurrentNode(node)
    assert np.array_equal(voxels(editor.panel.work.editing), before), "the result is always the replay"


@pytest.mark.parametrize("what", ["ct", "canvas ct", "canvas segmentation", "segmentation"])
def test_a_deleted_node_ends_the_editing_not_the_work(patient, editor, work, what):
    entry, editing = add(editor, "renal_cyst"), work.editing
    node, text = editing.node, editing.node.GetText()
    holder = editing.canvas if what.startswith("canvas") else editing
    slicer.mrmlScene.RemoveNode(getattr(holder, what.split()[-1]))
    slicer.app.processEvents()
    assert work.editing is None and node.GetText() == text
    assert "patient edit" in editor.ui.messageLabel.text and not editor.ui.placeButton.enabled
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0
    editor.ui.editSelector.setCurrentNode(None)
    if what.startswith("canvas"):
        editor.ui.editSelector.setCurrentNode(node)
        assert editor.panel.work.editing.entries == (entry,)
        assert np.any(voxels(editor.panel.work.editing) != slicer.util.arrayFromVolume(patient[0]))
    else:
        with dialogs.answered("is not in the scene"):
            editor.ui.editSelector.setCurrentNode(node)
        assert editor.panel.work.editing is None and slicer.mrmlScene.IsNodePresent(node)


def test_a_deleted_handle_is_only_a_handle(patient, editor, work):
    entry = add(editor, "renal_cyst")
    slicer.mrmlScene.RemoveNode(work.handles.node_of(entry.key))
    slicer.mrmlScene.RemoveNode(work.box.node)
    slicer.mrmlScene.RemoveNode(work.outline._model)
    work.choose(None), work.choose(entry.key)
    assert work.editing.entries == (entry,) and slicer.mrmlScene.IsNodePresent(work.handles.node_of(entry.key))
    assert slicer.mrmlScene.IsNodePresent(work.box.node)


def test_a_crash_takes_nothing(patient, editor, work, edits):
    """The next time the same CT is edited, what was autosaved is offered."""
    entry = add(editor, "renal_cyst")
    kept, = edits.iterdir()
    document = json.loads(kept.read_text("utf-8"))
    assert document["entries"][0]["key"] == entry.key and "patient" not in kept.read_text("utf-8")
    before, copy = voxels(work.editing), kept.read_bytes()
    work.close()  # what a crash leaves: the file and nothing else
    slicer.mrmlScene.RemoveNode(edit_node.edit_nodes()[0])
    editor.logic.getParameterNode().edit = None
    kept.write_bytes(copy)
    with dialogs.answered("1 operations was interrupted", qt.QMessageBox.Yes):
        editor.ui.beginButton.click()
    assert work.editing.entries == (entry,) and np.array_equal(voxels(work.editing), before)


def test_it_is_written_a_moment_after_the_change(patient, editor, work, edits):
    editor.logic.add(work.editing, "renal_cyst")
    assert not edits.exists(), "no hand waits for the disk"
    wait_until(lambda: edits.exists() and len(list(edits.glob("*.json"))) == 1)


def test_what_is_not_wanted_any_more_is_forgotten(patient, editor, work, edits):
    add(editor, "renal_cyst")
    editor.ui.editSelector.setCurrentNode(None)
    with dialogs.answered("was interrupted", qt.QMessageBox.No):
        editor.ui.beginButton.click()
    assert work.editing.entries == () and list(edits.iterdir()) == []


def test_a_saved_scene_needs_no_autosave(patient, editor, work, edits, tmp_path):
    add(editor, "renal_cyst")
    assert len(list(edits.iterdir())) == 1
    slicer.mrmlScene.InvokeEvent(slicer.mrmlScene.EndSaveEvent)
    assert list(edits.iterdir()) == []


def test_a_full_disk_does_not_end_the_editing(patient, editor, work, edits, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FLARESEG_EDITS", str(tmp_path / "file"))
    add(editor, "renal_cyst")
    assert len(work.editing.entries) == 1


def test_two_edits_in_one_scene(patient, make_patient, editor, work):
    add(editor, "renal_cyst")
    first, before = work.editing.node, voxels(work.editing)
    other_ct, other_segmentation = make_patient("other", 2)
    editor.ui.inputSelector.setCurrentNode(other_ct)
    editor.ui.segmentationSelector.setCurrentNode(other_segmentation)
    editor.ui.beginButton.click()
    second = work.editing.node
    assert second is not first and work.editing.ct is other_ct and work.editing.entries == ()
    add(editor, "hypo_metastasis")
    assert len(edit_node.edit_nodes()) == 2 and editor.ui.editSelector.nodeCount() == 2
    editor.ui.editSelector.setCurrentNode(first)
    assert work.editing.ct is patient[0] and np.array_equal(voxels(work.editing), before)
    assert [entry.operation.disease for entry in work.editing.entries] == ["renal_cyst"]
    editor.ui.editSelector.setCurrentNode(second)
    assert [entry.operation.disease for entry in work.editing.entries] == ["hypo_metastasis"]


def test_two_edits_of_one_ct(patient, editor, work):
    add(editor, "renal_cyst")
    with dialogs.answered("was interrupted", qt.QMessageBox.No):
        editor.ui.beginButton.click()
    assert work.editing.entries == () and work.editing.canvas.ct.GetName() == "patient edited_1"
    names = {work.editing.node.GetName(), *(node.GetName() for node in edit_node.edit_nodes())}
    assert len(names) == 2


def test_everything_moves_with_the_ct(patient, editor, work, view, inside):
    """A CT under a transform, changed while it is edited: places are the patient's."""
    import vtk

    entry, ras = add(editor, "renal_cyst"), inside("spleen")
    turn = vtk.vtkTransform()
    turn.Translate(30.0, -20.0, 12.5)
    turn.RotateZ(90)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(turn.GetMatrix())
    patient[0].SetAndObserveTransformNodeID(transform.GetID())
    nodes = (work.editing.canvas.ct, work.editing.canvas.segmentation, work.handles.node_of(entry.key), work.box.node)
    assert all(node.GetParentTransformNode() is transform for node in nodes)
    assert work.editing.entries == (entry,)
    world = turn.TransformPoint(ras)
    view.look_at(world)
    editor.panel.cards.choose("hypo_metastasis")
    view.click(world)
    assert len(work.editing.entries) == 2, editor.ui.messageLabel.text
    assert np.allclose(np.asarray(work.editing.entries[1].operation.centre) * (-1, -1, 1), ras, atol=0.3)
    assert work.editing.entries[1].operation.organ == "spleen"


def test_closing_the_scene_in_the_middle_of_placing(patient, editor, work):
    editor.panel.cards.choose("renal_cyst")
    assert work.placement.active
    slicer.mrmlScene.Clear(0)
    assert not work.placement.active and work.editing is None


def test_another_module_and_back(patient, editor, work):
    add(editor, "renal_cyst")
    editor.panel.cards.choose("renal_cyst")
    slicer.util.selectModule("FlareSeg")
    assert not work.placement.active and not editor.panel.shortcut.enabled
    slicer.util.selectModule("FlareSegEditor")
    assert len(work.editing.entries) == 1 and editor.panel.shortcut.enabled
    slicer.modules.flareseg.close()
