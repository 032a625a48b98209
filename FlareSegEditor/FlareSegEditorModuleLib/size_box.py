"""The box about the chosen lesion: its faces are dragged for another size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from .clones import matrix_of
from .edit_node import as_helper
from .handles import CHOSEN


class SizeBox(VTKObservationMixin):
    """A ROI that turns with the lesion's axis.

    Parameters
    ----------
    on_resize, on_resized : callable
        ``on_resize(key, side, scale)`` while a face is dragged, and when it is let go: which of its three sides differs
        most, and its new length over the old one. Side 0 lies along the axis.
    on_begin : callable
        ``on_begin(key)`` when one is taken hold of.
    """

    def __init__(self, on_resize: Callable, on_resized: Callable, on_begin: Callable):
        super().__init__()
        self._on_resize, self._on_resized, self._on_begin = on_resize, on_resized, on_begin
        self.node = self._key = self._size = None
        self._following = False

    def show(self, key: str | None, centre=None, size=None, frame=None, ct=None) -> None:
        """Show the box of a lesion (RAS, mm; `frame`: columns of a rotation matrix), or none."""
        self._following = True
        try:
            self._key, self._size = key, None if size is None else np.maximum(size, 1e-3)
            if key is None:
                if self.node is not None and self.node.GetDisplayNode() is not None:
                    self.node.GetDisplayNode().SetVisibility(False)
                return
            box = self._make()
            if box.GetTransformNodeID() != ct.GetTransformNodeID():
                box.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
            matrix = np.eye(4)
            matrix[:3, :3], matrix[:3, 3] = frame, centre
            box.SetAndObserveObjectToNodeMatrix(matrix_of(matrix))
            box.SetSize(*map(float, size))
            box.GetDisplayNode().SetVisibility(True)
        finally:
            self._following = False

    def remove(self) -> None:
        """Take it out of the scene."""
        if self.node is not None and slicer.mrmlScene.IsNodePresent(self.node):
            slicer.mrmlScene.RemoveNode(self.node)
        self.node = self._key = None
        self.removeObservers()

    def _make(self):
        if self.node is not None and slicer.mrmlScene.IsNodePresent(self.node):
            return self.node
        self.node = as_helper(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", _("Lesion size")), True)
        self.node.CreateDefaultDisplayNodes()
        display = self.node.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetHandlesInteractive(True)
        display.SetScaleHandleVisibility(True)
        display.SetTranslationHandleVisibility(False)  # the control point is for that
        display.SetRotationHandleVisibility(False)  # the tip is
        display.SetFillVisibility(False)
        display.SetPropertiesLabelVisibility(False)
        display.SetPointLabelsVisibility(False)
        display.SetSelectedColor(*CHOSEN)
        self.addObserver(self.node, self.node.PointModifiedEvent, self._told(self._on_resize))
        self.addObserver(self.node, self.node.PointEndInteractionEvent, self._told(self._on_resized))
        self.addObserver(self.node, self.node.PointStartInteractionEvent,
                         self._told(lambda key, *_: self._on_begin(key)))
        return self.node

    def _told(self, tell: Callable) -> Callable:
        def slot(caller=None, event=None):
            if not self._following and self._key is not None:
                ratios = np.maximum(np.asarray(self.node.GetSize()) / self._size, 1e-3)
                side = int(np.argmax(np.abs(np.log(ratios))))
                tell(self._key, side, float(ratios[side]))
        return slot
