"""From the panel to a data set that training accepts; recipes as files."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import slicer
from standin import dialogs
from standin.waiting import wait_until

from FlareSegLib.disease.case import make_case
from FlareSegLib.disease.catalogue import find
from FlareSegLib.disease.recipe import read_recipe
from FlareSegLib.disease.simulation import replay
from FlareSegLib.training.raw_checks import check_dataset
from FlareSegLib.training.raw_data import find_raw_dataset
from FlareSegLib.volumes.reading import read_label_map, read_volume


@pytest.fixture
def edited(editor, work, inside):
    """A cyst in the kidney."""
    editor.logic.add(work.editing, "renal_cyst", ras=inside("kidney", "first"), diameter=22.0)
    return work.editing


def export(editor, folder: Path, name: str, dialog: str | None = None):
    ui = editor.ui
    ui.exportFolderEdit.setCurrentPath(str(folder))
    ui.caseNameEdit.text = name
    assert ui.exportButton.enabled, ui.exportButton.toolTip
    if dialog is None:
        ui.exportButton.click()
        assert not ui.beginButton.enabled and not ui.undoButton.enabled, "nothing is edited meanwhile"
        wait_until(lambda: not editor.sections.exports.running)
    else:
        with dialogs.answered(dialog):
            ui.exportButton.click()
            wait_until(lambda: not editor.sections.exports.running)
    return ui.exportLabel.text


def test_what_is_missing_is_said(editor, work):
    ui = editor.ui
    assert not ui.exportButton.enabled and "nothing to export" in ui.exportButton.toolTip
    editor.logic.add(work.editing, "hypo_metastasis")
    assert not ui.exportButton.enabled and "folder" in ui.exportButton.toolTip
    ui.exportFolderEdit.setCurrentPath("/somewhere")
    assert ui.exportButton.enabled and ui.caseNameEdit.text == "patient_edited"
    ui.patientEdit.text = ""
    assert not ui.exportButton.enabled and "name" in ui.exportButton.toolTip


@pytest.mark.parametrize("layout", ["nnU-Net v2", "nnU-Net v1 (Decathlon)", "FLARE21"])
def test_exported_cases_can_be_trained_on(patient, editor, edited, tmp_path, layout):
    out = tmp_path / "脾臓 data"
    editor.ui.layoutComboBox.currentIndex = editor.ui.layoutComboBox.findText(layout)
    editor.ui.operatorEdit.text = "A. Person"
    flare = layout == "FLARE21"
    names = ["train_000", "train_001"] if flare else ["patient", "patient_edited"]
    assert export(editor, out, "patient_edited").startswith(f"Added {', '.join(names)}.")
    dataset = find_raw_dataset(out)
    check_dataset(dataset)
    assert [case.name for case in dataset.cases] == names
    ct, labels = (read(path) for read, path in ((read_volume, dataset.cases[1].image),
                                                (read_label_map, dataset.cases[1].labels)))
    assert np.array_equal(ct.array, slicer.util.arrayFromVolume(edited.canvas.ct)), "what was seen is what was written"
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(edited.canvas.segmentation, "kidney", edited.canvas.ct) > 0
    assert np.array_equal(labels.array == 2, mask)
    recipe = read_recipe(out / "recipes" / f"{names[1]}.json", find)
    assert recipe.operator == "A. Person" and recipe.utc.endswith("Z")
    original = make_case(read_volume(dataset.cases[0].image), read_label_map(dataset.cases[0].labels))[0]
    again = replay(recipe, original, find)
    assert np.array_equal(again.hu, make_case(ct, labels)[0].hu)
    assert (out / "previews" / f"{names[1]}.png").stat().st_size > 5000
    lines = [json.loads(line) for line in (out / "audit.jsonl").read_text("utf-8").splitlines()]
    assert [line.get("operator") for line in lines] == [None, "A. Person"]


def test_a_model_is_trained_on_what_was_exported(patient, editor, edited, tmp_path):
    import math

    import torch

    from FlareSegLib.models.bundle import read_bundle
    from FlareSegLib.networks.spec import UNet2DSpec
    from FlareSegLib.training.paper_training import prepare_store, train_model
    from FlareSegLib.training.protocol import TrainingProtocol
    from FlareSegLib.training.team import Team
    from FlareSegLib.training.trainer import TrainerOptions

    export(editor, tmp_path / "data", "patient_edited")
    store = prepare_store(tmp_path / "data", tmp_path / "slices")
    protocol = TrainingProtocol(grid=(64, 64), batch=2, forced_foreground=1, epochs=1, iterations=3)
    losses = []
    model = train_model(store, tmp_path / "run", UNet2DSpec((4, 8, 16)), protocol, Team(0, 1, torch.device("cpu")),
                        TrainerOptions("float32"), on_step=lambda step, loss: losses.append(loss))
    assert [case.record.name for case in store.cases] == ["patient", "patient_edited"]
    assert len(losses) == 3 and all(map(math.isfinite, losses)) and read_bundle(model).organs


def test_a_second_case_beside_the_first(editor, edited, tmp_path):
    export(editor, tmp_path / "d", "one")
    assert export(editor, tmp_path / "d", "two").startswith("Added two."), "the original is there already"
    assert [case.name for case in find_raw_dataset(tmp_path / "d").cases] == ["one", "patient", "two"]
    text = export(editor, tmp_path / "d", "two", dialog="has a case two already")
    assert "choose another name" in text and editor.ui.undoButton.enabled


def test_a_failure_leaves_the_data_set_as_it_was(editor, edited, tmp_path, monkeypatch):
    """The disk is full in the middle of it."""
    export(editor, tmp_path / "d", "one")

    def files():
        return {path: path.read_bytes() for path in (tmp_path / "d").rglob("*") if path.is_file()}

    before, replaced, replace = files(), [], os.replace

    def full(source, target):
        replaced.append(target)
        if len(replaced) == 3:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    export(editor, tmp_path / "d", "two", dialog="No space left")
    assert len(replaced) == 3 and files() == before


def test_a_recipe_there_and_back(editor, work, edited, tmp_path):
    before = slicer.util.arrayFromVolume(edited.canvas.ct).copy()
    with dialogs.answered("Save the recipe", str(tmp_path / "recipe.json")):
        editor.ui.saveRecipeButton.click()
    editor.ui.undoButton.click()
    with dialogs.answered("Load a recipe", str(tmp_path / "recipe.json")):
        editor.ui.loadRecipeButton.click()
    assert np.array_equal(slicer.util.arrayFromVolume(edited.canvas.ct), before)


def test_a_recipe_on_another_case(make_patient, editor, work, edited, tmp_path):
    with dialogs.answered("Save the recipe", str(tmp_path / "recipe.json")):
        editor.ui.saveRecipeButton.click()
    ct, segmentation = make_patient("other", 2)
    editor.ui.inputSelector.setCurrentNode(ct)
    editor.ui.segmentationSelector.setCurrentNode(segmentation)
    editor.ui.beginButton.click()
    with dialogs.answered("Load a recipe", str(tmp_path / "recipe.json")):
        editor.ui.loadRecipeButton.click()
    entry, = work.editing.entries
    assert entry.operation.disease == "renal_cyst" and entry.operation.parameters.diameter == 22.0
    assert work.editing.why_not(entry.key, np.asarray(entry.operation.centre) * (-1, -1, 1)) == ""


def test_what_is_no_recipe_is_refused(editor, work, edited, tmp_path):
    (tmp_path / "other.json").write_text("{}")
    with dialogs.answered("Load a recipe", str(tmp_path / "other.json")):
        editor.ui.loadRecipeButton.click()
    assert "recipe" in editor.ui.messageLabel.text and len(work.editing.entries) == 1
