"""A picture file in a slice view."""

from __future__ import annotations

import slicer
import vtk

from .edit_node import as_helper

VIEW = "Red"


def show_picture(path: str, name: str):
    """Show a PNG picture in the red slice view, all of it; return its volume node."""
    reader = vtk.vtkPNGReader()
    reader.SetFileName(path)
    flip = vtk.vtkImageFlip()  # an axial view has the patient's right, the larger x, on its left
    flip.SetFilteredAxis(0)
    flip.SetInputConnection(reader.GetOutputPort())
    flip.Update()
    node = slicer.mrmlScene.GetFirstNodeByName(name)
    if node is None or not node.IsA("vtkMRMLVectorVolumeNode"):
        node = as_helper(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", name))
        node.CreateDefaultDisplayNodes()
    node.SetAndObserveImageData(flip.GetOutput())
    node.SetSpacing(1.0, 1.0, 1.0)
    composites = [each for each in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
                  if each.GetLayoutName() == VIEW]
    for composite in composites:
        composite.SetBackgroundVolumeID(node.GetID())
        composite.SetForegroundVolumeID(None)
        composite.SetLabelVolumeID(None)
    for logic in _slice_logics():
        if logic.GetSliceNode() is not None and logic.GetSliceNode().GetLayoutName() == VIEW:
            logic.GetSliceNode().SetOrientation("Axial")
            logic.FitSliceToAll()
    return node


def _slice_logics() -> list:
    logics = slicer.app.applicationLogic().GetSliceLogics()
    return [logics.GetItemAsObject(index) for index in range(logics.GetNumberOfItems())] if logics is not None else []
