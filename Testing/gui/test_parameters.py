"""Parameters from the panel into the node, and from the node into the panel."""

import pytest
import slicer
from standin.waiting import wait_until


@pytest.fixture
def node(widget):
    """The module's parameter node, as MRML knows it."""
    return slicer.mrmlScene.GetSingletonNode("FlareSeg", "vtkMRMLScriptedModuleNode")


def organ_box(ui, name):
    return ui.organsWidget.findChild(type(ui.exactCheckBox), f"organ_{name}")


def test_the_defaults(node):
    assert node.GetParameter("device") == "AUTOMATIC" and node.GetParameter("exact") == "False"
    assert node.GetParameter("keepLargest") == "False"
    assert node.GetParameter("model") == "default" and node.GetParameter("skippedOrgans") == ""


def test_from_the_panel_into_the_node(make_ct, node, ui):
    ct, segmentation = make_ct(), slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    ui.inputSelector.setCurrentNode(ct)
    ui.outputSelector.setCurrentNode(segmentation)
    ui.deviceComboBox.currentIndex = ui.deviceComboBox.findText("Processor (CPU)")
    ui.exactCheckBox.click()
    ui.keepLargestCheckBox.click()
    organ_box(ui, "kidney").click()
    organ_box(ui, "spleen").click()
    ui.modelComboBox.activated.emit(0)
    assert node.GetNodeReference("inputVolume") is ct
    assert node.GetNodeReference("outputSegmentation") is segmentation
    assert node.GetParameter("device") == "CPU" and node.GetParameter("exact") == "True"
    assert node.GetParameter("keepLargest") == "True"
    assert node.GetParameter("skippedOrgans") == "kidney,spleen" and not organ_box(ui, "kidney").checked
    assert node.GetParameter("model") == "flareseg-lite"


def test_from_the_node_into_the_panel(make_ct, node, ui):
    ct, segmentation = make_ct(), slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.SetNodeReferenceID("inputVolume", ct.GetID())
    node.SetNodeReferenceID("outputSegmentation", segmentation.GetID())
    node.SetParameter("device", "CPU")
    node.SetParameter("exact", "True")
    node.SetParameter("keepLargest", "True")
    node.SetParameter("skippedOrgans", "liver")
    assert ui.inputSelector.currentNode() is ct and ui.outputSelector.currentNode() is segmentation
    assert ui.deviceComboBox.currentText == "Processor (CPU)" and ui.exactCheckBox.checked
    assert ui.keepLargestCheckBox.checked
    assert [organ_box(ui, name).checked for name in ("liver", "kidney")] == [False, True]
    wait_until(lambda: ui.applyButton.enabled)


def test_what_the_panel_asks_for(small_ct, node, widget, ui):
    node.SetParameter("skippedOrgans", "kidney,pancreas")
    node.SetParameter("device", "CPU")
    node.SetParameter("exact", "True")
    node.SetParameter("keepLargest", "True")
    options = widget.panel.options()
    assert options.organs == ("liver", "spleen") and options.device == "cpu" and options.exact is True
    assert options.keep_largest is True
    assert options.model.endswith("flareseg-lite")


def test_a_model_that_is_not_there_any_more(node, ui):
    node.SetParameter("model", "gone")
    assert ui.modelComboBox.currentText.startswith("flareseg-lite")


def test_another_module_is_open(make_ct, node, widget, ui):
    slicer.util.selectModule("SegmentEditor")
    node.SetParameter("exact", "True")
    assert not ui.exactCheckBox.checked, "a panel that is not in view follows nothing"
    slicer.util.selectModule("FlareSeg")
    assert ui.exactCheckBox.checked


def test_closing_the_scene_begins_anew(make_ct, node, widget, ui):
    node.SetNodeReferenceID("inputVolume", make_ct().GetID())
    ui.exactCheckBox.click()
    slicer.mrmlScene.Clear(0)
    parameters = widget.logic.getParameterNode()
    assert parameters.inputVolume is None and not parameters.exact
    assert ui.inputSelector.currentNode() is None and not ui.exactCheckBox.checked
    assert ui.applyButton.toolTip == "Choose a CT first."
    again = make_ct()
    ui.inputSelector.setCurrentNode(again)
    assert widget.logic.getParameterNode().inputVolume is again


def test_closing_the_scene_while_another_module_is_open(make_ct, node, widget, ui):
    make_ct()
    slicer.util.selectModule("SegmentEditor")
    slicer.mrmlScene.Clear(0)
    slicer.util.selectModule("FlareSeg")
    assert ui.inputSelector.currentNode() is None and ui.applyButton.toolTip == "Choose a CT first."


def test_the_panel_can_be_reloaded(widget, ui):
    slicer.util.moduleSelector().leave()
    slicer.modules.flareseg.close()
    slicer.util.selectModule("FlareSeg")
    other = slicer.modules.flareseg.widgetRepresentation().self()
    assert other is not widget and other.ui.applyButton.toolTip == "Choose a CT first."
    assert widget._parameterNode is None and widget.Observations == []
