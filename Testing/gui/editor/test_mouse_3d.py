"""Placing and dragging in the 3D view: Slicer's own picking on the organs' surfaces."""

import numpy as np
import pytest
import slicer

from FlareSegLib.disease.pointing import REACH_MM


@pytest.fixture
def view3d(work):
    """A 3D view of the edited organs' surfaces, seen from the front."""
    from standin.mouse_view_3d import MouseView3D

    work.editing.canvas.segmentation.CreateClosedSurfaceRepresentation()
    view = MouseView3D()
    yield view
    view.close()


def centre_of(entry):
    """RAS, mm."""
    return np.asarray(entry.operation.centre) * (-1, -1, 1)


@pytest.mark.parametrize("direction", [(0, 1, 0), (1, 0.5, 0), (0, 1, 1)])
def test_a_click_on_an_organs_surface_places_the_disease_there(editor, work, view3d, inside, direction):
    deep = np.array(inside("liver"))
    view3d.look_from(direction, deep)
    editor.panel.cards.choose("hypo_metastasis")
    view3d.move(deep)
    assert work.editing.entries == (), "moving over the view places nothing"
    view3d.click(deep)
    entry, = work.editing.entries
    assert entry.operation.organ == "liver", editor.ui.messageLabel.text
    case = work.editing.case
    assert case.labels[tuple(np.rint(case.grid.index_of(entry.operation.centre)).astype(int))] == 1
    away = centre_of(entry) - deep
    along = away @ np.array(direction) / np.linalg.norm(direction)
    reach = max(REACH_MM, *work.editing.case.grid.spacing)
    assert along > 5 and np.linalg.norm(away - along * np.array(direction) / np.linalg.norm(direction)) < reach + 2, \
        "it lies where the line of sight enters the organ"


def test_a_click_on_another_organ_is_refused(editor, work, view3d, inside):
    deep = np.array(inside("spleen"))
    view3d.look_from(deep - np.array(inside("liver")), deep)  # from the side away from the liver
    editor.panel.cards.choose("renal_mass")
    view3d.click(deep)
    assert work.editing.entries == () and "Renal mass: " in editor.ui.messageLabel.text and work.placement.active
    work.placement.stop()


def test_a_lesion_is_dragged_over_the_surface(editor, work, view3d, inside):
    deep = np.array(inside("liver"))
    view3d.look_from((0, 1, 0), deep)
    editor.panel.cards.choose("hypo_metastasis")
    view3d.click(deep)
    entry, = work.editing.entries
    placed = slicer.util.arrayFromVolume(work.editing.canvas.ct).copy()
    work.surfaces.flush()  # they come back a second after an edit
    start = centre_of(entry)
    view3d.drag(start, start + (6.0, 0, 4.0), start + (12.0, 0, 8.0))
    moved = centre_of(work.editing.entries[0]) - start
    assert moved[[0, 2]] == pytest.approx((12, 8), abs=4), editor.ui.messageLabel.text
    assert not np.array_equal(slicer.util.arrayFromVolume(work.editing.canvas.ct), placed)
    work.editing.undo()
    assert np.array_equal(slicer.util.arrayFromVolume(work.editing.canvas.ct), placed)


def test_the_tip_moves_in_parallel_with_the_screen(editor, work, view3d, inside, monkeypatch):
    """On the organ's surface, as other points are, a lesion could only be turned towards who looks at it."""
    monkeypatch.setattr("FlareSegEditorModuleLib.editing.new_seed", lambda: 7)
    key = editor.logic.add(work.editing, "laceration", ras=inside("liver"))
    work.choose(key)
    work.surfaces.flush()
    tip, pivot = np.array(work.tip.node.GetNthControlPointPosition(0)), np.array(work._axis[0])
    view3d.look_from((1, 0, 0), pivot)
    wanted = np.array([tip[0], *(pivot + np.linalg.norm(tip - pivot) * np.array([0, -0.6, 0.8]))[1:]])
    view3d.drag(tip, (tip + wanted) / 2, wanted)
    assert work.editing.entry(key).operation.parameters.azimuth is not None, editor.ui.messageLabel.text
    way = np.array(work.tip.node.GetNthControlPointPosition(0)) - pivot
    assert way / np.linalg.norm(way) == pytest.approx((wanted - pivot) / np.linalg.norm(wanted - pivot), abs=0.05)
