"""The outline of the chosen lesion in all views; while a handle is dragged only its transform changes."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util import numpy_support

from .clones import matrix_of
from .edit_node import as_helper
from .patient_space import index_to_ras

YELLOW, RED = (1.0, 0.85, 0.1), (1.0, 0.15, 0.1)


class Outline:
    """A model node under a transform node, under the CT's transform; both are made when there is something to show."""

    def __init__(self):
        self._model = self._transform = None
        self.centre = None  # of the lesion's box, RAS, before any move
        self.size_mm = None

    def show(self, note, grid, parent) -> None:
        """Show a lesion where it lies; None hides.

        Parameters
        ----------
        note : Note or None
            Of the library, with the lesion's cover.
        grid : Grid
            Of the case.
        parent : vtkMRMLTransformNode or None
            The CT's transform.
        """
        if note is None or note.box is None:
            self.hide()
            return
        surface = lesion_surface(note, grid)
        bounds = np.reshape(surface.GetBounds(), (3, 2))
        self.centre, self.size_mm = bounds.mean(axis=1), np.ptp(bounds, axis=1)
        self._make()
        self._transform.SetAndObserveTransformNodeID(parent.GetID() if parent is not None else None)
        self.move((0.0, 0.0, 0.0))
        self._model.SetAndObservePolyData(surface)
        self._model.GetDisplayNode().SetVisibility(True)

    def move(self, offset_ras, scale: float = 1.0, refused: bool = False) -> None:
        """Show the lesion moved (mm) and larger, without working anything out again; red where it cannot be."""
        if self._transform is None or self.centre is None:
            return
        matrix = np.eye(4)
        matrix[:3, :3] *= scale
        matrix[:3, 3] = np.asarray(offset_ras) + self.centre * (1 - scale)
        self._transform.SetMatrixTransformToParent(matrix_of(matrix))
        colour = RED if refused else YELLOW
        if self._model.GetDisplayNode().GetColor() != colour:
            self._model.GetDisplayNode().SetColor(*colour)

    def hide(self) -> None:
        """Show nothing."""
        self.centre = None
        if self._model is not None and self._model.GetDisplayNode() is not None:
            self._model.GetDisplayNode().SetVisibility(False)

    def remove(self) -> None:
        """Take the nodes out of the scene."""
        for node in (self._model, self._transform):
            if node is not None and slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node)
        self._model = self._transform = self.centre = None

    def _make(self) -> None:
        """Somebody may have deleted them."""
        scene = slicer.mrmlScene
        if self._model is not None and scene.IsNodePresent(self._model) and scene.IsNodePresent(self._transform):
            return
        self.remove_quietly()
        self._transform = as_helper(scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", _("Lesion outline move")), True)
        self._model = as_helper(scene.AddNewNodeByClass("vtkMRMLModelNode", _("Lesion outline")), True)
        self._model.CreateDefaultDisplayNodes()
        display = self._model.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetVisibility2D(True)
        display.SetSliceIntersectionThickness(2)
        display.SetColor(*YELLOW)
        display.SetOpacity(0.35)
        self._model.SetAndObserveTransformNodeID(self._transform.GetID())

    def remove_quietly(self) -> None:
        """What is left of them."""
        centre = self.centre
        self.remove()
        self.centre = centre


def lesion_surface(note, grid):
    """The surface of a lesion, vtkPolyData in RAS: where half of a voxel belongs to it."""
    cover = np.pad(note.cover(), 1)
    image = vtk.vtkImageData()
    image.SetDimensions(*cover.shape[::-1])
    image.SetOrigin(-1, -1, -1)
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(cover.ravel(), deep=True))
    contour = vtk.vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, 0.5)
    contour.ComputeNormalsOff()
    contour.ComputeGradientsOff()
    contour.ComputeScalarsOff()
    transform = vtk.vtkTransform()
    transform.SetMatrix(matrix_of(index_to_ras(grid, note.box)))
    placed = vtk.vtkTransformPolyDataFilter()
    placed.SetTransform(transform)
    placed.SetInputConnection(contour.GetOutputPort())
    placed.Update()
    return placed.GetOutput()
