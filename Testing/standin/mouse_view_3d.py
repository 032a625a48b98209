"""A 3D view for a test's mouse clicks, as `mouse_view` is a slice view: Slicer's own style, managers and picking."""

from __future__ import annotations

import numpy as np
import slicer

from .mouse_view import PIXELS, Mouse

MANAGERS = ("vtkMRMLCameraDisplayableManager", "vtkMRMLSegmentationsDisplayableManager3D",
            "vtkMRMLModelDisplayableManager",
            "vtkMRMLMarkupsDisplayableManager")
AWAY_MM = 600.0


class MouseView3D(Mouse):
    """A 3D view with its camera; both nodes go with the scene, and the view with them."""

    def __init__(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLViewNode", "View1")
        node.SetLayoutName("1")
        self.camera = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCameraNode", "Camera1")
        self.camera.SetLayoutName("1")
        super().__init__(node, MANAGERS)
        self.style = slicer.vtkMRMLThreeDViewInteractorStyle()
        self.style.SetDisplayableManagers(self.group)
        self.style.SetInteractor(self.interactor)

    def look_from(self, direction, at) -> None:
        """Look at a point (RAS, mm) from a direction."""
        self.camera.SetFocalPoint(at)
        self.camera.SetPosition(np.asarray(at) + AWAY_MM * np.asarray(direction) / np.linalg.norm(direction))
        self.camera.SetViewUp(0, 0, 1)
        self.renderer.ResetCameraClippingRange()

    def pixel(self, ras) -> tuple[int, int]:
        """Where a point of the patient is in the view."""
        matrix = self.renderer.GetActiveCamera().GetCompositeProjectionTransformMatrix(1.0, -1, 1)
        x, y, _z, w = matrix.MultiplyPoint((*map(float, ras), 1.0))
        return round((x / w + 1) * PIXELS / 2), round((y / w + 1) * PIXELS / 2)

    def close(self) -> None:
        """Nothing of it hears of the scene any more."""
        self.style.SetInteractor(None)
        self.group.SetMRMLDisplayableNode(None)
        for node in (self.node, self.camera):
            if slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node)
