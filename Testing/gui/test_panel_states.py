"""What the panel shows and allows, from an empty scene to a result."""

import numpy as np
import qt
import slicer
from standin.waiting import wait_until

IN_RUN = ("inputSelector", "outputSelector", "modelComboBox", "deviceComboBox", "exactCheckBox",
          "keepLargestCheckBox", "phantomButton")
OF_RESULT = ("show3DButton", "segmentEditorButton", "statisticsButton")


def checked(ui):
    wait_until(lambda: ui.inputVerdictLabel.text not in ("", "Checking..."))
    return ui.inputVerdictLabel.text


def test_an_empty_scene(widget, ui):
    assert not ui.applyButton.enabled and ui.applyButton.toolTip == "Choose a CT first."
    assert ui.inputVerdictLabel.text == "Choose a CT of the abdomen."
    assert not ui.cancelButton.enabled and not ui.progressBar.visible and ui.progressLabel.text == ""
    assert ui.resultsTable.rowCount == 0 and ui.resultsLabel.text == "No result yet."
    assert not any(getattr(ui, name).enabled for name in OF_RESULT)
    assert all(getattr(ui, name).enabled for name in IN_RUN)


def test_the_first_volume_is_chosen_when_the_panel_opens(scene, small_ct, widget, ui):
    assert ui.inputSelector.currentNode() is small_ct
    assert checked(ui).startswith("\u2713") or checked(ui).startswith("\u26a0")
    assert ui.applyButton.enabled and ui.applyButton.toolTip == "Segment the organs of the selected CT."


def test_a_volume_that_is_no_ct(make_ct, widget, ui):
    node = make_ct("no CT")
    slicer.util.updateVolumeFromArray(node, np.abs(slicer.util.arrayFromVolume(node)) % 200)
    ui.inputSelector.setCurrentNode(node)
    verdict = checked(ui)
    assert verdict.startswith("\u2717 ") and len(verdict) > 20
    assert not ui.applyButton.enabled and ui.applyButton.toolTip == verdict.removeprefix("\u2717 ")


def test_a_volume_without_an_image(widget, ui):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    ui.inputSelector.setCurrentNode(node)
    assert ui.inputVerdictLabel.text == "\u2717 The input volume holds no image; choose another volume."
    assert not ui.applyButton.enabled


def test_the_verdict_follows_the_voxels(make_ct, widget, ui):
    node = make_ct()
    ui.inputSelector.setCurrentNode(node)
    assert not checked(ui).startswith("\u2717")
    slicer.util.updateVolumeFromArray(node, slicer.util.arrayFromVolume(node) * 0)
    wait_until(lambda: ui.inputVerdictLabel.text.startswith("\u2717"))
    assert not ui.applyButton.enabled


def test_the_volume_goes(make_ct, widget, ui):
    node = make_ct()
    ui.inputSelector.setCurrentNode(node)
    checked(ui)
    slicer.mrmlScene.RemoveNode(node)
    assert ui.inputVerdictLabel.text == "Choose a CT of the abdomen." and not ui.applyButton.enabled


def test_no_organ(small_ct, widget, ui):
    checked(ui)
    boxes = [each for each in ui.organsWidget.children() if each.inherits("QCheckBox")]
    assert [box.text for box in boxes] == ["liver", "kidney", "spleen", "pancreas"]
    for box in boxes:
        assert ui.applyButton.enabled
        box.click()
    assert not ui.applyButton.enabled and ui.applyButton.toolTip == "Choose at least one organ."
    boxes[2].click()
    assert ui.applyButton.enabled


def test_no_model(no_model, small_ct, widget, ui):
    checked(ui)
    assert ui.modelComboBox.count == 0
    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == "There is no model; import one in the section Advanced."


def test_only_imported_models_can_be_removed(widget, ui):
    assert ui.modelComboBox.count >= 1
    assert not ui.removeModelButton.enabled and not ui.clearModelsButton.enabled


def test_running_and_done(small_ct, widget, ui):
    checked(ui)
    ui.applyButton.click()
    assert ui.cancelButton.enabled and not ui.applyButton.enabled
    assert ui.applyButton.toolTip == "A segmentation is running."
    assert ui.progressBar.visible and ui.progressLabel.text == "Starting..."
    assert not any(getattr(ui, name).enabled for name in IN_RUN)
    texts, values = [], []
    while widget._job is not None:
        wait_until(lambda: widget._job is None or ui.progressLabel.text not in texts)
        texts.append(ui.progressLabel.text)
        values.append(ui.progressBar.value)
    assert any(text.startswith("Slice ") for text in texts)
    assert values == sorted(values)
    assert ui.progressLabel.text == "Done." and not ui.progressBar.visible
    assert ui.applyButton.enabled and not ui.cancelButton.enabled
    assert all(getattr(ui, name).enabled for name in (*IN_RUN, *OF_RESULT))
    rows = [[ui.resultsTable.item(row, column).text() for column in range(3)] for row in range(4)]
    assert [row[0] for row in rows] == ["liver", "kidney", "spleen", "pancreas"]
    assert float(rows[0][1]) > 100 and 0 < float(rows[0][2]) < 200
    assert "slices" in ui.resultsLabel.text and "..." not in ui.resultsLabel.text


def test_the_table_and_what_to_look_at(widget, ui):
    """A row for each organ, all of them in view; below it every warning, also one that names no organ."""
    organs = [{"name": "liver", "voxels": 9, "volume_ml": 12.345, "mean_hu": 101.6},
              {"name": "spleen", "voxels": 0, "volume_ml": 0.0, "mean_hu": None}]
    report = {"organs": organs, "warnings": ["No spleen was found.", "Look at the scan."], "notes": ["A note."],
              "model": "m", "slices_run": 3, "seconds": 1.25, "device": "cpu", "precision": "float32"}
    widget.panel.results.show(report)
    slicer.app.processEvents()
    table = ui.resultsTable
    texts = [[table.item(row, column).text() for column in range(4)] for row in range(2)]
    assert texts == [["liver", "12.3", "102", "-"], ["spleen", "not found", "-", "\u26a0 1"]]
    assert table.item(1, 3).toolTip() == "No spleen was found."
    assert ui.resultsLabel.text.splitlines() == [
        "\u26a0 No spleen was found.", "\u26a0 Look at the scan.", "A note.", "m: 3 slices in 1.2 s on cpu (float32)."]
    wait_until(lambda: table.rowViewportPosition(1) + table.rowHeight(1) <= table.viewport().height, 2)
    widget.panel.results.show(None)
    assert not table.visible and ui.resultsLabel.text == "No result yet."


def test_the_tab_key_walks_down_the_panel(widget, ui):
    """Also over the organs' boxes, which are made for the model, and into the node selectors."""
    start = control = ui.setupButton
    names = []
    while not names or control is not start:
        if control.focusPolicy & qt.Qt.TabFocus and control.focusProxy() is None:
            names.append(control.objectName or control.parent().objectName)
        control = control.nextInFocusChain()
    assert [name for name in names if not name.endswith("CollapsibleButton")] == [
        "setupButton", "inputSelector", "phantomButton", "outputSelector", "organ_liver", "organ_kidney",
        "organ_spleen", "organ_pancreas", "modelComboBox", "deviceComboBox", "applyButton", "cancelButton",
        "resultsTable", "show3DButton", "segmentEditorButton", "statisticsButton", "exactCheckBox",
        "keepLargestCheckBox", "importFolderButton", "importZipButton", "removeModelButton", "clearModelsButton",
        "copyReportButton", "logText"]
    boxes = [ui.organsWidget.findChild(qt.QCheckBox, name) for name in names if name.startswith("organ_")]
    assert all(box.toolTip for box in boxes)


def test_how_long_it_still_takes(flareseg):
    from FlareSegModuleLib.progress_view import stage_text

    assert stage_text("segmenting", 0, 93, 0.0) == "Slice 0 of 93"
    assert stage_text("segmenting", 31, 93, 10.0) == "Slice 31 of 93, about 20 s left"
    assert stage_text("segmenting", 10, 93, 30.0) == "Slice 10 of 93, about 4 min left"


def test_nothing_is_clipped_in_a_narrow_panel(widget, ui):
    """Slicer's module panel is often no wider than this; all sections are open."""
    for name in ("setup", "inputs", "outputs", "method", "results", "advanced", "log"):
        getattr(ui, f"{name}CollapsibleButton").collapsed = False
    slicer.app.processEvents()
    assert widget.parent.minimumSizeHint().width() <= 440


def test_the_result_is_opened_in_other_modules(small_ct, make_ct, widget, ui):
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    widget.logic.getParameterNode().lastResult = segmentation
    ui.segmentEditorButton.click()
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    assert slicer.util.moduleSelector().selectedModule == "SegmentEditor"
    assert editor.segmentationNode() is segmentation and editor.sourceVolumeNode() is small_ct
    slicer.util.selectModule("FlareSeg")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(small_ct)
    ui.inputSelector.setCurrentNode(make_ct("the next one"))
    ui.statisticsButton.click()
    panel = slicer.modules.segmentstatistics.widgetRepresentation().self()
    assert panel.segmentationSelector.currentNode() is segmentation
    assert panel.scalarSelector.currentNode() is small_ct, "the result's own CT, not the next one"


def test_what_the_worker_says_is_shown(widget, ui):
    """A sentence for the user goes below the bar and into the log; what a library prints, into the log alone."""
    widget.panel.follow({"type": "log", "message": "The GPU ran out of memory; going on with the processor."})
    assert ui.progressLabel.text == "The GPU ran out of memory; going on with the processor."
    widget.panel.follow({"type": "log", "message": f"{slicer.app.temporaryPath}: warning", "stream": "stderr"})
    assert ui.progressLabel.text.startswith("The GPU") and ui.logText.toPlainText().splitlines() == [
        "The GPU ran out of memory; going on with the processor.", "TEMP: warning"]


def test_the_synthetic_ct(monkeypatch, widget, ui, flareseg):
    import FlareSegModuleLib.sample_data as sample_data

    small = {"size": (96, 96, 16), "spacing": (3.5, 3.5, 10.0)}
    monkeypatch.setattr(flareseg, "load_phantom", lambda: sample_data.load_phantom(**small))
    ui.phantomButton.click()
    node = ui.inputSelector.currentNode()
    assert node.GetName() == "FlareSegPhantom" and ui.phantomButton.enabled
    composite = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    assert composite.GetBackgroundVolumeID() == node.GetID()
    assert not checked(ui).startswith("\u2717") and ui.applyButton.enabled


def test_the_device_line_tells_device_and_runtime(real_probe, widget, ui):
    ui.exactCheckBox.checked = True
    ui.deviceComboBox.currentIndex = 3
    assert ui.deviceLabel.text == "Asking PyTorch for the device..."
    wait_until(lambda: not ui.deviceLabel.text.startswith("Asking"), 120)
    assert "CPU" in ui.deviceLabel.text and "float32" in ui.deviceLabel.text
    assert "the exact path is PyTorch's" in ui.deviceLabel.text


def test_the_diagnostic_report_holds_no_names(make_ct, widget, ui):
    node = make_ct("Mustermann^Max")
    ui.inputSelector.setCurrentNode(node)
    ui.copyReportButton.click()
    text = slicer.app.clipboard().text()
    assert "FlareSeg" in text and "96" in text and "Mustermann" not in text
    assert ui.logText.toPlainText().endswith("The diagnostic report is on the clipboard.")
