"""The batch tab: a real child process with the library, on two tiny cases."""

import json
from pathlib import Path

import numpy as np
import pytest
import slicer
from standin import dialogs
from standin.waiting import wait_until

from FlareSegLib.disease.append import Finished, append_cases
from FlareSegLib.disease.datasets import LAYOUTS
from FlareSegLib.training.raw_checks import check_dataset
from FlareSegLib.training.raw_data import find_raw_dataset


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> Path:
    """A data set of two synthetic CTs."""
    from FlareSegLib.phantom.phantom import make_phantom

    out = tmp_path_factory.mktemp("cases") / "脾臓"
    phantoms = [make_phantom(seed, (64, 56, 20), (5.5, 5.5, 9.0)) for seed in (1, 2)]
    append_cases(out, LAYOUTS["v2"], tuple(Finished(f"p{number}", f"p{number}", phantom.ct, phantom.label_map)
                                           for number, phantom in enumerate(phantoms)))
    return out


@pytest.fixture
def tab(editor, cases, tmp_path):
    """The tab with everything chosen: one variant of each case, cysts only."""
    ui = editor.ui
    ui.batchCasesEdit.setCurrentPath(str(cases))
    ui.batchOutputEdit.setCurrentPath(str(tmp_path / "made"))
    ui.batchVariantsSpinBox.value = 1
    for name in editor.sections.batch._diseases:
        weight = 1.0 if name == "renal_cyst" else 0.0
        row = editor.sections.batch._diseases.index(name)
        ui.mixTable.cellWidget(row, 1).value = weight
    return editor.sections.batch


def test_what_is_missing_is_said(editor):
    ui = editor.ui
    assert not ui.batchStartButton.enabled and "folder of the cases" in ui.batchStartButton.toolTip
    ui.batchCasesEdit.setCurrentPath("/a")
    assert "new data set" in ui.batchStartButton.toolTip
    ui.batchOutputEdit.setCurrentPath("/b")
    assert ui.batchStartButton.enabled
    ui.batchLikeEditCheckBox.checked = True
    assert "No edit" in ui.batchStartButton.toolTip and not ui.mixTable.enabled


def test_a_batch_from_start_to_contact_sheet(editor, tab, tmp_path):
    ui = editor.ui
    ui.batchStartButton.click()
    assert tab.running and not ui.batchStartButton.enabled and ui.batchCancelButton.enabled
    wait_until(lambda: not tab.running, 180)
    assert ui.batchLabel.text.startswith("4 cases were made, 0 were there."), ui.batchLabel.text
    assert ui.batchProgressBar.value == ui.batchProgressBar.maximum == 4
    dataset = find_raw_dataset(tmp_path / "made")
    check_dataset(dataset)
    assert [case.name for case in dataset.cases] == ["p0", "p0_sim000", "p1", "p1_sim000"]
    mix = json.loads((tmp_path / "made" / "simulation.json").read_text("utf-8"))["mix"]
    assert [entry["disease"] for entry in mix["entries"]] == ["renal_cyst"]
    ui.contactSheetButton.click()
    node = slicer.mrmlScene.GetFirstNodeByName("Contact sheet")
    composite = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
    assert composite.GetBackgroundVolumeID() == node.GetID() and slicer.util.arrayFromVolume(node).shape[-1] == 3
    from PIL import Image

    picture = np.asarray(Image.open(tmp_path / "made" / "contact_sheet_01.png"))
    shown = slicer.util.arrayFromVolume(node)[0]
    assert np.array_equal(shown[::-1, ::-1], picture), "upright, and not mirrored: anterior is up, right is left"
    Image.new("RGB", (8, 6)).save(tmp_path / "made" / "contact_sheet_02.png")
    for number, width in ((2, 8), (1, picture.shape[1])):
        ui.contactSheetButton.click()
        assert ui.contactSheetButton.text == f"Contact sheet {number} of 2"
        assert slicer.util.arrayFromVolume(node).shape[2] == width
    ui.batchStartButton.click()  # again: everything is there
    wait_until(lambda: not tab.running, 120)
    assert ui.batchLabel.text.startswith("0 cases were made, 4 were there.")


def test_a_batch_like_the_open_edit_and_cancelled(editor, work, tab, tmp_path):
    editor.logic.add(work.editing, "hypo_metastasis", diameter=12.0)
    editor.ui.batchLikeEditCheckBox.checked = True
    editor.ui.batchVariantsSpinBox.value = 50
    editor.ui.batchStartButton.click()
    wait_until(lambda: editor.ui.batchProgressBar.value >= 1, 120)
    editor.ui.batchCancelButton.click()
    wait_until(lambda: not tab.running, 10)
    assert editor.ui.batchLabel.text.startswith("Stopped.") and editor.ui.batchStartButton.enabled
    plan = json.loads((tmp_path / "made" / "simulation.json").read_text("utf-8"))
    assert plan["recipe"]["operations"][0]["parameters"]["diameter"] == 12.0


def test_what_fails_is_said(editor, tab, tmp_path):
    editor.ui.batchCasesEdit.setCurrentPath(str(tmp_path))
    editor.ui.batchOutputEdit.setCurrentPath(str(tmp_path.parent / "elsewhere"))
    with dialogs.answered("is no data set"):
        editor.ui.batchStartButton.click()
        wait_until(lambda: not tab.running, 60)
    assert editor.ui.batchStartButton.enabled


def test_closing_the_panel_ends_the_process(editor, tab):
    editor.ui.batchVariantsSpinBox.value = 50
    editor.ui.batchStartButton.click()
    worker = tab._worker
    editor.cleanup()
    assert not worker.running
