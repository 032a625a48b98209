"""The operation list, sliders and the ways of looking, by the panel's own buttons."""

import numpy as np
import pytest
import qt
import slicer
from standin.waiting import wait_until


def voxels(editing):
    return slicer.util.arrayFromVolume(editing.canvas.ct).copy(), _labels(editing)


def _labels(editing):
    found = np.zeros(slicer.util.arrayFromVolume(editing.canvas.ct).shape, np.uint8)
    for name in editing.canvas.segmentation.GetSegmentation().GetSegmentIDs():
        segment = editing.canvas.segmentation.GetSegmentation().GetSegment(name)
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(editing.canvas.segmentation, name, editing.canvas.ct)
        found[mask > 0] = segment.GetLabelValue()
    return found


def same(one, other):
    return all(map(np.array_equal, one, other))


def is_replay(work):
    """What the views show is what the library makes of the list."""
    from FlareSegLib.disease.operation import perform
    from FlareSegLib.disease.scene import Scene

    scene = Scene(work.editing.case)
    for entry in work.editing.entries:
        if entry.shown:
            scene, _ = perform(work.editing.find, scene, entry.operation)
    hu, labels = voxels(work.editing)
    return np.array_equal(hu, scene.case.hu) and np.array_equal(labels, scene.case.labels)


@pytest.fixture
def two(editor, work):
    """A metastasis and a cyst at drawn places; the cyst is chosen."""
    for name in ("hypo_metastasis", "renal_cyst"):
        editor.panel.cards.choose(name)
        editor.ui.addButton.click()
    assert len(work.editing.entries) == 2, editor.ui.messageLabel.text
    return work.editing.entries


def test_cards_come_from_the_catalogue(editor, work):
    from FlareSegLib.disease.catalogue import DISEASES

    cards = editor.ui.diseaseList
    assert cards.count == len(DISEASES)
    editor.ui.searchLineEdit.text = "cyst"
    shown = [cards.item(row).text() for row in range(cards.count) if not cards.item(row).isHidden()]
    assert 1 <= len(shown) < len(DISEASES) and all("cyst" in text.lower() for text in shown)
    editor.ui.searchLineEdit.text = ""
    editor.ui.organFilterComboBox.currentIndex = editor.ui.organFilterComboBox.findText("spleen")
    shown = [row for row in range(cards.count) if not cards.item(row).isHidden()]
    assert len(shown) == sum("spleen" in disease.organs for disease in DISEASES.values())


def test_every_disease_has_its_controls(editor, work):
    """All of the catalogue: no disease needs code of the panel's own."""
    from FlareSegLib.disease.catalogue import DISEASES
    from FlareSegLib.disease.parameters import meanings

    for disease in DISEASES.values():
        work.placement.stop()
        editor.panel.cards.choose(disease.name)
        sliders = editor.panel.sliders
        assert sliders.parameters == disease.parameters()
        for name, meaning in meanings(disease.parameters).items():
            assert sliders.control(name).objectName == f"parameter_{name}"
            sliders.die(name).click()
            assert not meaning.fault(getattr(sliders.parameters, name))
        editor.ui.drawAllButton.click()
        wanted = sliders.parameters
        sliders.show(wanted)
        assert sliders.parameters == wanted


def test_sliders_edit_the_chosen_operation(editor, work, two):
    before = voxels(work.editing)
    slider = editor.panel.sliders.control("diameter")
    assert slider.suffix == " mm" and slider.value == two[1].operation.parameters.diameter
    slider.value = 40.0
    entry = work.editing.entries[1]
    assert entry.operation.parameters.diameter == 40.0 and entry.key == two[1].key
    assert not same(voxels(work.editing), before) and is_replay(work)
    box = editor.ui.labelRuleComboBox
    assert box.currentText == "lesion is organ"
    box.currentIndex = box.findText("lesion is no organ")
    assert work.editing.entries[1].operation.label_rule == "background" and is_replay(work)
    editor.ui.reshapeButton.click()
    assert work.editing.entries[1].operation.seed != two[1].operation.seed
    for _ in range(3):
        editor.ui.undoButton.click()
    assert same(voxels(work.editing), before) and slider.value == two[1].operation.parameters.diameter


def test_rows_choose_hide_move_copy_and_delete(editor, work, two):
    ui, table = editor.ui, editor.ui.operationsTable
    both = voxels(work.editing)
    assert [table.item(row, 1).text() for row in range(2)] == ["Hypovascular metastasis", "Renal cyst"]
    table.selectRow(0)
    assert work.chosen == two[0].key and "operation 1" in ui.subjectLabel.text and not ui.upButton.enabled
    ui.downButton.click()
    assert [entry.key for entry in work.editing.entries] == [two[1].key, two[0].key] and work.chosen == two[0].key
    assert is_replay(work)
    table.item(0, 0).setCheckState(qt.Qt.Unchecked)
    assert [entry.shown for entry in work.editing.entries] == [False, True] and is_replay(work)
    assert work.handles.node_of(two[1].key) is None, "a hidden operation has no handle"
    table.item(0, 0).setCheckState(qt.Qt.Checked)
    ui.upButton.click()
    assert same(voxels(work.editing), both)
    ui.duplicateButton.click()
    keys = [entry.key for entry in work.editing.entries]
    assert len(keys) == 3 and keys[0] == two[0].key and keys[2] == two[1].key and work.chosen == keys[1]
    assert work.editing.entries[1].operation.centre != two[0].operation.centre and is_replay(work)
    ui.deleteButton.click()
    assert [entry.key for entry in work.editing.entries] == [two[0].key, two[1].key]
    assert same(voxels(work.editing), both) and work.chosen is None


def test_undo_and_redo_to_the_end(editor, work, two):
    ui, both = editor.ui, voxels(work.editing)
    ui.undoButton.click(), ui.undoButton.click()
    assert not ui.undoButton.enabled and same(voxels(work.editing), (work.editing.case.hu, work.editing.case.labels))
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0
    ui.redoButton.click(), ui.redoButton.click()
    assert not ui.redoButton.enabled and same(voxels(work.editing), both)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 2


def test_a_disease_of_many_lesions(editor, work):
    editor.panel.cards.choose("hypo_metastases")
    assert not work.placement.active and not editor.ui.placeButton.enabled and editor.ui.addButton.text == "Add"
    assert editor.ui.organComboBox.itemText(0) == "liver"
    editor.ui.addButton.click()
    entry, = work.editing.entries
    assert "parts)" in editor.ui.operationsTable.item(0, 1).text() and is_replay(work)
    assert entry.operation.centre is None and work.handles.node_of(entry.key) is None


def test_before_and_after_by_key(editor, work, two):
    composite = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
    editing = work.editing
    editor.panel.shortcut.activated.emit()
    assert composite.GetBackgroundVolumeID() == editing.ct.GetID() and editor.ui.beforeButton.checked
    assert editing.segmentation.GetDisplayNode().GetVisibility()
    assert not editing.canvas.segmentation.GetDisplayNode().GetVisibility()
    editor.panel.shortcut.activated.emit()
    assert composite.GetBackgroundVolumeID() == editing.canvas.ct.GetID() and not editor.ui.beforeButton.checked


def test_the_difference_follows_the_list(editor, work, two):
    composite = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
    editor.ui.differenceCheckBox.checked = True
    node = slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID())

    def right():
        return np.array_equal(slicer.util.arrayFromVolume(node), work.editing.session.case.hu - work.editing.case.hu)

    assert right() and np.any(slicer.util.arrayFromVolume(node))
    editor.ui.undoButton.click()
    assert right()
    editor.ui.undoButton.click()
    assert right() and not np.any(slicer.util.arrayFromVolume(node))
    editor.ui.differenceCheckBox.checked = False
    assert composite.GetForegroundVolumeID() is None and not slicer.mrmlScene.IsNodePresent(node)


def test_the_quality_gate_says_its_verdict(editor, work, two):
    work.quality.begin()
    wait_until(lambda: not work.quality.running)
    assert editor.ui.verdictLabel.text.startswith("Quality: ") and set(work.marks) == {entry.key for entry in two}
    marks = [editor.ui.operationsTable.item(row, 6).text() for row in range(2)]
    assert marks == ["\u2713" if work.marks[entry.key][0] else "!" for entry in two]
    editor.ui.undoButton.click()
    assert editor.ui.verdictLabel.text == "", "what was said of another list is not shown"
