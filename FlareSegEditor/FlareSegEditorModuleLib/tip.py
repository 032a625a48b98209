"""The tip of a lesion that runs a way: a second point, dragged to turn the lesion and to make it longer or shorter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from .handles import CHOSEN, new_point_node


class Tip(VTKObservationMixin):
    """A Markups point, shown in slices that it does not lie in, too.

    Parameters
    ----------
    on_turn, on_turned : callable
        ``on_turn(key, ras)`` while it is dragged (RAS of the CT, mm), and when it is let go.
    on_begin : callable
        ``on_begin(key)`` when it is taken hold of.
    """

    def __init__(self, on_turn: Callable, on_turned: Callable, on_begin: Callable):
        super().__init__()
        self._on_turn, self._on_turned, self._on_begin = on_turn, on_turned, on_begin
        self.node = self._key = None
        self._following = False

    def show(self, key: str | None, ras=None, ct=None) -> None:
        """Show the tip of a lesion, or none."""
        self._following = True
        try:
            self._key = key
            if key is None:
                if self.node is not None and self.node.GetDisplayNode() is not None:
                    self.node.GetDisplayNode().SetVisibility(False)
                return
            node = self._make()
            if node.GetTransformNodeID() != ct.GetTransformNodeID():
                node.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
            if node.GetNumberOfControlPoints() == 0:
                node.AddControlPoint(*map(float, ras), _("tip"))
            elif np.linalg.norm(np.subtract(node.GetNthControlPointPosition(0), ras)) > 1e-6:
                node.SetNthControlPointPosition(0, *map(float, ras))
            node.GetDisplayNode().SetVisibility(True)
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
        self.node = new_point_node(_("Lesion tip"))
        self.node.SetHideFromEditors(True)
        display = self.node.GetDisplayNode()
        display.SetGlyphType(display.Diamond2D)
        display.SetSelectedColor(*CHOSEN)
        display.SetSliceProjection(True)
        display.SetSliceProjectionOpacity(1.0)
        self.addObserver(self.node, self.node.PointModifiedEvent, self._told(self._on_turn))
        self.addObserver(self.node, self.node.PointEndInteractionEvent, self._told(self._on_turned))
        self.addObserver(self.node, self.node.PointStartInteractionEvent,
                         self._told(lambda key, ras: self._on_begin(key)))
        return self.node

    def _told(self, tell: Callable) -> Callable:
        def slot(caller=None, event=None):
            if not self._following and self._key is not None and self.node.GetNumberOfDefinedControlPoints() == 1:
                tell(self._key, self.node.GetNthControlPointPosition(0))
        return slot
