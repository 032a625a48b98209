"""What ends a run before its time: each time a clear message, an unchanged scene, no process and no file left."""

import os
from pathlib import Path

import psutil
import pytest
import slicer
from standin import dialogs
from standin.waiting import wait_until

#: Enough slices that the worker is still at them when the test acts.
LONG = {"size": (160, 160, 120), "spacing": (2.2, 2.2, 2.5)}


def nodes():
    """IDs of all nodes that a user sees."""
    found = (slicer.mrmlScene.GetNthNode(index) for index in range(slicer.mrmlScene.GetNumberOfNodes()))
    return sorted(node.GetID() for node in found if not node.GetHideFromEditors())


#: Processes that tests before have left on purpose (multiprocessing keeps a server to fork from).
EARLIER: set[psutil.Process] = set()


@pytest.fixture(autouse=True)
def earlier_processes():
    EARLIER.clear()
    EARLIER.update(psutil.Process().children(recursive=True))


def children():
    """Processes that the test has started and that still run."""
    started = [child for child in psutil.Process().children(recursive=True) if child not in EARLIER]
    return [child for child in started if child.status() != psutil.STATUS_ZOMBIE]


def nothing_is_left():
    wait_until(lambda: not children(), 5)
    folder = Path(slicer.app.temporaryPath)
    return not folder.is_dir() or not list(folder.iterdir())


@pytest.fixture
def running(make_ct, widget, ui):
    """A run that has segmented its first slice; its CT."""
    ct = make_ct("long", **LONG)
    ui.inputSelector.setCurrentNode(ct)
    ui.deviceComboBox.currentIndex = ui.deviceComboBox.findText("Processor (CPU)")
    wait_until(lambda: ui.applyButton.enabled)
    ui.applyButton.click()
    wait_until(lambda: ui.progressLabel.text.startswith("Slice ") and not ui.progressLabel.text.startswith("Slice 0"))
    return ct


def ended(widget, ui):
    """Wait for the end and return the sentence that the user reads."""
    wait_until(lambda: widget._job is None, 5)
    assert not ui.cancelButton.enabled and not ui.progressBar.visible
    return ui.progressLabel.text


def test_cancel(running, widget, ui):
    before = nodes()
    ui.cancelButton.click()
    assert not ui.cancelButton.enabled, "it cannot be pressed twice"
    assert ended(widget, ui) == "Stopped; the scene is unchanged."
    assert nodes() == before and nothing_is_left()
    assert ui.applyButton.enabled and ui.resultsTable.rowCount == 0
    lines = ui.logText.toPlainText().splitlines()
    assert lines[-2].startswith("Seconds: handing over ") and lines[-1] == "Stopped; the scene is unchanged."


def test_cancel_before_the_worker_is_there(make_ct, widget, ui):
    ui.inputSelector.setCurrentNode(make_ct("long", **LONG))
    wait_until(lambda: ui.applyButton.enabled)
    ui.applyButton.click()
    ui.cancelButton.click()
    assert ended(widget, ui) == "Stopped; the scene is unchanged." and nothing_is_left()


def test_the_worker_is_killed(running, widget, ui):
    """Linux ends it like this when memory runs out."""
    before = nodes()
    with dialogs.answered("memory ran out") as shown:
        for child in children():
            child.kill()
        assert "memory ran out" in ended(widget, ui)
    assert shown and nodes() == before and nothing_is_left()
    assert ui.applyButton.enabled


def test_the_worker_crashes(running, widget, ui):
    import signal

    before = nodes()
    with dialogs.answered("The segmentation failed unexpectedly"):
        for child in children():
            child.send_signal(signal.SIGSEGV)
        assert "diagnostic report" in ended(widget, ui)
    assert nodes() == before and nothing_is_left()
    ui.copyReportButton.click()
    assert "exit status -11" in slicer.app.clipboard().text()


def test_the_scene_is_closed(running, widget, ui):
    slicer.mrmlScene.Clear(0)
    assert ended(widget, ui) == "The scene was closed; the segmentation was stopped."
    assert not any("Segmentation" in node or "Volume" in node for node in nodes()) and nothing_is_left()
    assert ui.applyButton.toolTip == "Choose a CT first."


def test_the_input_is_deleted(running, widget, ui):
    slicer.mrmlScene.RemoveNode(running)
    assert ended(widget, ui) == "The input volume was deleted; the segmentation was stopped."
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0 and nothing_is_left()


def test_another_node_is_deleted(running, make_ct, widget, ui):
    slicer.mrmlScene.RemoveNode(make_ct("other"))
    slicer.app.processEvents()
    assert widget._job is not None and widget._job.running
    ui.cancelButton.click()
    ended(widget, ui)


def test_the_module_is_closed(running, widget, ui):
    slicer.util.moduleSelector().leave()
    slicer.modules.flareseg.close()
    assert nothing_is_left()


def test_a_run_goes_on_while_another_module_is_open(small_ct, widget, ui):
    wait_until(lambda: ui.applyButton.enabled)
    ui.applyButton.click()
    slicer.util.selectModule("SegmentEditor")
    wait_until(lambda: widget._job is None)
    slicer.util.selectModule("FlareSeg")
    assert ui.progressLabel.text == "Done." and ui.resultsTable.rowCount == 4


@pytest.fixture
def no_room(tmp_path):
    """Let this process and its children write no more than 100 kB into a file, as on a full disk."""
    resource = pytest.importorskip("resource")
    import signal

    previous, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, previous[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, previous)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk(no_room, small_ct, widget, ui):
    before = nodes()
    wait_until(lambda: ui.applyButton.enabled)
    with dialogs.answered("make room there"):
        ui.applyButton.click()
        assert "temporary folder" in ended(widget, ui)
    assert nodes() == before and nothing_is_left()


@pytest.mark.parametrize("kind", ["missing", "a file", "read-only"])
def test_an_unwritable_temporary_folder(small_ct, widget, ui, tmp_path, kind):
    folder = tmp_path / "temporary"
    if kind == "a file":
        folder.write_text("")
    if kind == "read-only":
        folder.mkdir(mode=0o500)
        if os.access(folder, os.W_OK):
            pytest.skip("the administrator may write everywhere")
    slicer.app.temporaryPath = str(folder)
    before = nodes()
    wait_until(lambda: ui.applyButton.enabled)
    with dialogs.answered("cannot be written to"):
        ui.applyButton.click()
        assert "temporary folder" in ended(widget, ui)
    assert nodes() == before and ui.applyButton.enabled


def test_the_input_is_moved_meanwhile(small_ct, widget, ui):
    """Labels of the old place must not come over the new one."""
    before = nodes()
    wait_until(lambda: ui.applyButton.enabled)
    ui.applyButton.click()
    small_ct.SetOrigin(1.0, 2.0, 3.0)
    wait_until(lambda: widget._job is None)
    assert ui.progressLabel.text == "The input volume was changed meanwhile; segment it again."
    assert nodes() == before


def test_the_output_is_deleted_meanwhile(small_ct, widget, ui):
    output = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    ui.outputSelector.setCurrentNode(output)
    wait_until(lambda: ui.applyButton.enabled)
    ui.applyButton.click()
    slicer.mrmlScene.RemoveNode(output)
    wait_until(lambda: widget._job is None)
    assert ui.progressLabel.text == "The output segmentation was deleted meanwhile; segment again."
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_a_defect_in_the_import_leaves_no_node(small_ct, widget, ui, monkeypatch):
    before = nodes()

    def fail(*_):
        raise RuntimeError("a defect")

    monkeypatch.setattr("FlareSegModuleLib.result_import._put_beside", fail)
    wait_until(lambda: ui.applyButton.enabled)
    with dialogs.answered("failed unexpectedly"):
        ui.applyButton.click()
        wait_until(lambda: widget._job is None)
    assert nodes() == before and widget.logic.getParameterNode().lastResult is None
    ui.copyReportButton.click()
    assert "a defect" in slicer.app.clipboard().text()
