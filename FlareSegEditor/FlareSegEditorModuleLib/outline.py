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
        self._corners = None  # of the lesion's surface, (n, 3) RAS, before any move

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
        if surface.GetNumberOfPoints() == 0:
            self.hide()
            return
        self._make()
        self._corners = numpy_support.vtk_to_numpy(surface.GetPoints().GetData())
        self._transform.SetAndObserveTransformNodeID(parent.GetID() if parent is not None else None)
        self.move(np.eye(4))
        self._model.SetAndObservePolyData(surface)
        self._model.GetDisplayNode().SetVisibility(True)

    @property
    def shown(self) -> bool:
        """Whether there is a lesion to see."""
        return self._corners is not None

    def extent(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Centre (RAS) and size (mm) of the box about the lesion along the columns of a rotation matrix."""
        along = self._corners @ frame
        low, high = along.min(axis=0), along.max(axis=0)
        return frame @ (low + high) / 2, high - low

    def move(self, matrix: np.ndarray, refused: bool = False) -> None:
        """Show the lesion moved by a matrix (`motions`), without working anything out again; red where it cannot be."""
        if self._transform is None or not self.shown:
            return
        self._transform.SetMatrixTransformToParent(matrix_of(matrix))
        colour = RED if refused else YELLOW
        if self._model.GetDisplayNode().GetColor() != colour:
            self._model.GetDisplayNode().SetColor(*colour)

    def hide(self) -> None:
        """Show nothing."""
        self._corners = None
        if self._model is not None and self._model.GetDisplayNode() is not None:
            self._model.GetDisplayNode().SetVisibility(False)

    def remove(self) -> None:
        """Take the nodes out of the scene."""
        for node in (self._model, self._transform):
            if node is not None and slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node)
        self._model = self._transform = self._corners = None

    def _make(self) -> None:
        """Somebody may have deleted them."""
        scene = slicer.mrmlScene
        if self._model is not None and scene.IsNodePresent(self._model) and scene.IsNodePresent(self._transform):
            return
        self.remove()
        self._transform = as_helper(scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", _("Lesion outline move")),
                                    True)
        self._model = as_helper(scene.AddNewNodeByClass("vtkMRMLModelNode", _("Lesion outline")), True)
        self._model.CreateDefaultDisplayNodes()
        display = self._model.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetVisibility2D(True)
        display.SetSliceIntersectionThickness(2)
        display.SetColor(*YELLOW)
        display.SetOpacity(0.35)
        self._model.SetAndObserveTransformNodeID(self._transform.GetID())


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
