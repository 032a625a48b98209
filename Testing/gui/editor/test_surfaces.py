"""Surfaces of the edited organs are never those of before."""

import slicer
from standin.waiting import wait_until

SURFACE = "Closed surface"


def test_surfaces_are_made_anew_in_a_pause(editor, work, inside):
    segmentation = work.editing.canvas.segmentation
    segmentation.CreateClosedSurfaceRepresentation()
    before = segmentation.GetSegmentation().GetSegment("kidney").GetRepresentation(SURFACE).GetNumberOfPoints()
    editor.logic.add(work.editing, "renal_cyst", ras=inside("kidney", "first"), diameter=40.0, exophytic=0.8)
    assert not segmentation.GetSegmentation().ContainsRepresentation(SURFACE), "no old surface is shown"
    wait_until(lambda: segmentation.GetSegmentation().ContainsRepresentation(SURFACE))
    after = segmentation.GetSegmentation().GetSegment("kidney").GetRepresentation(SURFACE).GetNumberOfPoints()
    assert after != before
    editor.ui.undoButton.click()
    wait_until(lambda: segmentation.GetSegmentation().ContainsRepresentation(SURFACE))
    again = segmentation.GetSegmentation().GetSegment("kidney").GetRepresentation(SURFACE).GetNumberOfPoints()
    assert again == before


def test_without_surfaces_none_are_made(editor, work, inside):
    editor.logic.add(work.editing, "renal_cyst", ras=inside("kidney", "first"))
    work.surfaces.flush()
    assert not work.editing.canvas.segmentation.GetSegmentation().ContainsRepresentation(SURFACE)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLModelNode") >= 1
