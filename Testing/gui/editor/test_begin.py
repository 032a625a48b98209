"""Beginning an edit: clones are made, originals are left alone, segments are mapped to organs."""

import numpy as np
import pytest
import slicer
from FlareSegEditorModuleLib.mapping import map_segments, organ_of
from standin import dialogs
from standin.waiting import wait_until


def arrays(ct, segmentation):
    return [slicer.util.arrayFromVolume(ct)] + [slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, name, ct)
                                                for name in segmentation.GetSegmentation().GetSegmentIDs()]


def test_clones_beside_the_originals(patient, work):
    ct, segmentation = patient
    editing = work.editing
    clones = editing.canvas.ct, editing.canvas.segmentation
    assert [node.GetName() for node in clones] == ["patient edited", "patient edited organs"]
    assert all(map(np.array_equal, arrays(*clones), arrays(*patient)))
    assert list(clones[1].GetSegmentation().GetSegmentIDs()) == ["liver", "kidney", "spleen", "pancreas"]
    assert clones[1].GetSegmentation().GetNumberOfLayers() == 1
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    parents = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in (*patient, *clones)}
    assert len(parents) == 1
    background = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0].GetBackgroundVolumeID()
    assert background == clones[0].GetID()


def test_nothing_can_be_begun_without_organs(patient, editor):
    ui = editor.ui
    ui.segmentationSelector.setCurrentNode(None)
    assert not ui.beginButton.enabled and "segment" in ui.beginButton.toolTip.lower()
    ui.segmentationSelector.setCurrentNode(patient[1])
    assert ui.beginButton.enabled
    ui.inputSelector.setCurrentNode(None)
    assert not ui.beginButton.enabled and ui.beginButton.toolTip == "Choose a CT." and not ui.segmentButton.enabled


@pytest.mark.parametrize(("code", "name", "organ"), [
    ("10200004", "anything", "liver"), ("18639004", "l", "kidney"), ("9846003", "", "kidney"), ("", "Spleen", "spleen"),
    ("", "kidney_left", "kidney"), ("", "Right kidney", "kidney"), ("", "PANCREAS 1", "pancreas"), ("", "aorta", ""),
    ("", "liver tumour", None), ("", "kidney and spleen", None), ("108369006", "pancreas lesion", None), ("", "", "")])
def test_by_code_then_by_name(code, name, organ):
    assert organ_of(code, name) == organ


def test_several_claims_are_unsure_kidneys_apart(patient):
    segmentation = patient[1].GetSegmentation()
    for name in ("left kidney", "liver", "right kidney"):
        segmentation.AddEmptySegment(f"{name} 2", name)
    found = map_segments(patient[1])
    assert found["liver"] is None and found["liver 2"] is None
    assert found["kidney"] == found["left kidney 2"] == found["right kidney 2"] == "kidney"


def test_it_asks_when_unsure(patient, editor):
    ui, segmentation = editor.ui, patient[1].GetSegmentation()
    segmentation.GetSegment("spleen").SetName("spleen cyst")
    segmentation.GetSegment("spleen").SetTerminology("")
    ui.segmentationSelector.setCurrentNode(None)
    ui.segmentationSelector.setCurrentNode(patient[1])
    assert not ui.beginButton.enabled and "1 are unsure" in ui.beginButton.toolTip
    box = ui.mappingTable.cellWidget(2, 1)
    assert box.currentText == "choose..."
    box.currentIndex = box.findText("none of them")
    assert ui.beginButton.enabled
    ui.beginButton.click()
    organs = editor.panel.work.editing.canvas.segmentation.GetSegmentation().GetSegmentIDs()
    assert list(organs) == ["liver", "kidney", "pancreas"]


def test_different_transforms_are_refused(patient, editor):
    patient[0].SetAndObserveTransformNodeID(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode").GetID())
    with dialogs.answered("different transforms"):
        editor.ui.beginButton.click()
    assert editor.panel.work.editing is None and editor.ui.editSelector.nodeCount() == 0
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


def test_a_ct_whose_type_holds_no_fat(make_patient, editor):
    """Unsigned voxels: the clone's type is one that holds every HU; what no disease touches keeps its value."""
    ct, segmentation = make_patient("unsigned", 2)
    slicer.util.updateVolumeFromArray(ct, np.clip(slicer.util.arrayFromVolume(ct), 0, None).astype(np.uint16))
    editing = editor.logic.begin(ct, segmentation)
    assert slicer.util.arrayFromVolume(editing.canvas.ct).dtype == np.int16
    assert np.array_equal(slicer.util.arrayFromVolume(editing.canvas.ct), slicer.util.arrayFromVolume(ct))
    editing.close()


def test_float_voxels_keep_their_fractions(make_patient, editor):
    ct, segmentation = make_patient("float", 2)
    slicer.util.updateVolumeFromArray(ct, slicer.util.arrayFromVolume(ct).astype(np.float32) + np.float32(0.25))
    editing = editor.logic.begin(ct, segmentation)
    before = slicer.util.arrayFromVolume(ct)
    editor.logic.add(editing, "renal_cyst", diameter=20.0)
    edited = slicer.util.arrayFromVolume(editing.canvas.ct)
    assert 50 < np.count_nonzero(edited != before) < 0.2 * edited.size
    editing.undo()
    assert np.array_equal(slicer.util.arrayFromVolume(editing.canvas.ct), before)
    editing.close()


def test_it_segments_first(patient, editor, monkeypatch):
    """The button runs the module FlareSeg's job; what that does, its own tests tell."""
    from FlareSegEditorModuleLib import case_section

    begun = []

    class Job:
        error = None

        def __init__(self, volume, segmentation, options, on_message, on_end):
            self.segmentation, self.end = patient[1], on_end
            on_message({"type": "progress", "stage": "segmenting", "done": 3, "total": 9})
            begun.append(self)

        def abandon(self):
            pass

    monkeypatch.setattr(case_section, "SceneJob", Job)
    editor.ui.segmentationSelector.setCurrentNode(None)
    editor.ui.segmentButton.click()
    assert not editor.ui.beginButton.enabled and not editor.ui.inputSelector.enabled
    assert editor.ui.statusLabel.text.startswith("Segmenting: segmenting, 3 of 9")
    begun[0].end(begun[0])
    wait_until(lambda: editor.ui.beginButton.enabled)
    assert editor.ui.segmentationSelector.currentNode() is patient[1]
