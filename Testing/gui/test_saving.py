"""A scene with a result, saved as .mrb and opened again: segments, report and parameters are intact."""

import numpy as np
import slicer
from FlareSegModuleLib.result_import import report_of
from standin import scene_files
from standin.waiting import wait_until


def segment(widget, ui):
    ui.organsWidget.findChild(type(ui.exactCheckBox), "organ_pancreas").click()
    ui.exactCheckBox.click()
    ui.deviceComboBox.currentIndex = ui.deviceComboBox.findText("Processor (CPU)")
    wait_until(lambda: ui.applyButton.enabled)
    ui.applyButton.click()
    wait_until(lambda: widget._job is None)
    return widget.logic.getParameterNode().lastResult


def content(node):
    """What the user would miss: names, codes, colours, label values, voxels, table."""
    segmentation = node.GetSegmentation()
    segments = [segmentation.GetNthSegment(index) for index in range(segmentation.GetNumberOfSegments())]
    return ([(each.GetName(), each.GetTerminology(), tuple(np.round(each.GetColor(), 5)), each.GetLabelValue())
             for each in segments], report_of(node), segmentation.GetNumberOfLayers())


def voxels(node, ct):
    return [slicer.util.arrayFromSegmentBinaryLabelmap(node, name, ct)
            for name in node.GetSegmentation().GetSegmentIDs()]


def test_save_and_reload(small_ct, widget, ui, tmp_path):
    node = segment(widget, ui)
    ui.outputSelector.setCurrentNode(node)
    before, voxels_before = content(node), voxels(node, small_ct)
    path = str(tmp_path / "scene 脾臓.mrb")
    scene_files.save_scene(path)

    slicer.mrmlScene.Clear(0)
    assert ui.resultsTable.rowCount == 0 and not ui.exactCheckBox.checked
    scene_files.load_scene(path)

    parameters = widget.logic.getParameterNode()
    loaded, ct = parameters.lastResult, parameters.inputVolume
    assert ct.GetName() == "phantom" and parameters.outputSegmentation is loaded
    assert parameters.exact and parameters.device.value == "cpu" and parameters.skippedOrgans == "pancreas"
    assert content(loaded) == before
    assert all(map(np.array_equal, voxels(loaded, ct), voxels_before))
    assert loaded.GetNodeReference(loaded.GetReferenceImageGeometryReferenceRole()) is ct

    assert ui.inputSelector.currentNode() is ct and ui.outputSelector.currentNode() is loaded
    assert ui.exactCheckBox.checked and ui.deviceComboBox.currentText == "Processor (CPU)"
    assert ui.resultsTable.rowCount == 3 and ui.segmentEditorButton.enabled
    assert not ui.organsWidget.findChild(type(ui.exactCheckBox), "organ_pancreas").checked
