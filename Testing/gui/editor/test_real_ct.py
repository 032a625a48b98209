"""On a real CT with silver labels, where it is there: place by a click, drag, undo, export."""

import numpy as np
import pytest
import slicer
from FlareSegModuleLib.volume_nodes import node_from_volume
from standin.waiting import wait_until

from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.training.raw_checks import check_dataset
from FlareSegLib.training.raw_data import find_raw_dataset
from FlareSegLib.volumes.reading import read_label_map, read_volume

#: Slices about the kidneys: enough for a mass, and loaded within seconds.
SLICES = 56


@pytest.fixture
def patient(real_data, scene, edits):
    """CT and organs of a patient, the slices about the kidneys; instead of the synthetic one."""
    from FlareSegModuleLib.result_import import import_result
    from FlareSegModuleLib.run import RunResult

    folder = real_data / "ct" / "ircad01"
    if not (folder / "organs4_silver.nii.gz").is_file():
        pytest.skip("the real CT ircad01 with its silver labels is not there")
    ct, labels = read_volume(folder / "ct.nii.gz"), read_label_map(folder / "organs4_silver.nii.gz")
    middle = int(np.median(np.nonzero((labels.array == 2).any(axis=(1, 2)))[0]))
    part = slice(max(0, middle - SLICES // 2), middle + SLICES // 2)
    node = node_from_volume(type(ct)(np.ascontiguousarray(ct.array[part]), ct.spacing, ct.origin, ct.direction), "real")
    slicer.util.setSliceViewerLayers(background=node)
    return node, import_result(RunResult({}, np.ascontiguousarray(labels.array[part]), (0, 0, 0)), FLARE_ORGANS, node)


def test_a_renal_mass_from_the_click_to_the_data_set(patient, editor, work, view, tmp_path):
    editing, ct = work.editing, patient[0]
    before = slicer.util.arrayFromVolume(ct).copy()
    depth = editing.session.scene.depth("kidney")
    node = np.unravel_index(np.argmax(depth.mm), depth.mm.shape)
    deepest = np.array(node) * depth.steps + [part.start for part in depth.box]
    ras = tuple(editing.case.grid.point_of(deepest) * (-1, -1, 1))
    view.look_at(ras)
    editor.panel.cards.choose("renal_mass")
    view.click(ras)
    entry, = editing.entries
    editor.panel.sliders.control("diameter").value = 28.0
    placed = slicer.util.arrayFromVolume(editing.canvas.ct).copy()
    view.look_at(ras)
    view.drag(ras, tuple(np.add(ras, (1, 1, 0))), tuple(np.add(ras, (2, 2, 0))))
    assert editing.entries[0].operation.centre != entry.operation.centre, editor.ui.messageLabel.text
    editor.ui.undoButton.click()
    assert np.array_equal(slicer.util.arrayFromVolume(editing.canvas.ct), placed)
    editor.ui.redoButton.click()
    note, = editing.done(entry.key).notes
    assert 4 < note.lesion_ml < 25 and abs(note.achieved_hu - note.requested_hu) < 10
    assert np.array_equal(slicer.util.arrayFromVolume(ct), before)
    editor.ui.exportFolderEdit.setCurrentPath(str(tmp_path / "d"))
    editor.ui.exportButton.click()
    wait_until(lambda: not editor.sections.exports.running, 60)
    assert editor.ui.exportLabel.text.startswith("Added"), editor.ui.exportLabel.text
    check_dataset(find_raw_dataset(tmp_path / "d"))
