"""Importing a model and removing it, in the panel's section Advanced."""

import shutil
import zipfile
from pathlib import Path

import pytest
import qt
import slicer
from standin import dialogs
from standin.waiting import wait_until

STARTER = Path(__file__).resolve().parents[2] / "Resources" / "Models" / "flareseg-lite"


@pytest.fixture
def own_model(tmp_path):
    """Folder of a model that a user might import."""
    folder = tmp_path / "own model"
    shutil.copytree(STARTER, folder)
    description = (folder / "model.json").read_text("utf-8")
    (folder / "model.json").write_text(description.replace('"flareseg-lite"', '"own"'), "utf-8")
    return folder


def imported(widget, ui):
    wait_until(lambda: widget.panel.models._importing is None, 120)
    return ui.logText.toPlainText().splitlines()[-1]


def test_import_a_folder_and_remove_it(own_model, widget, ui):
    with dialogs.answered("", str(own_model)):
        ui.importFolderButton.click()
    imported(widget, ui)
    assert ui.modelComboBox.currentText.startswith("own ") and ui.modelComboBox.count == 2
    assert widget.logic.getParameterNode().model == "own"
    assert ui.removeModelButton.enabled and ui.clearModelsButton.enabled

    with dialogs.answered("Delete the imported model(s) own", qt.QMessageBox.Cancel):
        ui.removeModelButton.click()
    assert ui.modelComboBox.count == 2
    with dialogs.answered("Delete the imported model(s) own", qt.QMessageBox.Ok):
        ui.removeModelButton.click()
    assert ui.modelComboBox.count == 1 and ui.modelComboBox.currentText.startswith("flareseg-lite")
    assert widget.logic.getParameterNode().model == "flareseg-lite"
    assert not ui.clearModelsButton.enabled


def test_import_a_zip_and_remove_all(own_model, tmp_path, widget, ui):
    path = tmp_path / "own.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in own_model.iterdir():
            archive.write(file, f"own/{file.name}")
    with dialogs.answered("Import a model", str(path)):
        ui.importZipButton.click()
    imported(widget, ui)
    assert ui.modelComboBox.currentText.startswith("own ")
    with dialogs.answered("Delete", qt.QMessageBox.Ok):
        ui.clearModelsButton.click()
    assert ui.modelComboBox.count == 1


def test_a_file_that_is_no_model(tmp_path, widget, ui):
    path = tmp_path / "something.zip"
    path.write_bytes(b"no zip")
    with dialogs.answered("Import a model", str(path)), dialogs.answered("not a readable zip"):
        ui.importZipButton.click()
        imported(widget, ui)
    assert ui.modelComboBox.count == 1


def test_the_file_dialog_is_closed_without_a_choice(widget, ui):
    with dialogs.answered(""):
        ui.importFolderButton.click()
    assert widget.panel.models._importing is None and ui.logText.toPlainText() == ""


def test_a_damaged_model_is_named_in_the_log(own_model, scene, request):
    import os

    folder = Path(os.environ["FLARESEG_MODELS"]) / "own"
    shutil.copytree(own_model, folder)
    (folder / "model.json").write_text("{", "utf-8")
    ui = request.getfixturevalue("ui")
    assert ui.logText.toPlainText().startswith("own: ") and ui.modelComboBox.count == 1
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
