"""Handles in the views: a control point for the place of each operation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import slicer
from slicer.util import VTKObservationMixin

from .edit_node import as_helper
from .patient_space import to_ras

ENTRY = "FlareSegEditor.Entry"
CHOSEN, OTHERS = (1.0, 0.85, 0.1), (0.35, 0.75, 1.0)


class Handles(VTKObservationMixin):
    """The Markups nodes of an edit; they follow the list, and tell when the person drags one.

    Parameters
    ----------
    on_drag : callable
        ``on_drag(key, ras)`` while a point is dragged (RAS of the CT, mm).
    on_drop : callable
        ``on_drop(key, ras)`` when it is let go.
    on_choose : callable
        ``on_choose(key)`` when a handle is clicked on.

    Attributes
    ----------
    offered : vtkMRMLMarkupsFiducialNode or None
        The point that the person has just clicked: the next operation's handle, if it comes to that.
    """

    def __init__(self, on_drag: Callable, on_drop: Callable, on_choose: Callable):
        super().__init__()
        self._on_drag, self._on_drop, self._on_choose = on_drag, on_drop, on_choose
        self._points: dict[str, object] = {}
        self.offered = None
        self._following = False

    def follow(self, editing, chosen: str | None) -> None:
        """Show a handle for each shown operation that has a place, and no other."""
        self._following = True
        try:
            wanted = {entry.key: entry for entry in editing.entries if entry.shown
                      and entry.operation.centre is not None}
            for key in set(self._points) - set(wanted):
                self._remove(self._points.pop(key))
            for number, entry in enumerate(editing.entries, start=1):
                if entry.key in wanted:
                    title = f"{number} {editing.find(entry.operation.disease).title}"
                    self._show_point(entry, title, editing.ct, entry.key == chosen)
        finally:
            self._following = False

    def remove(self) -> None:
        """Take all handles out of the scene."""
        for node in self._points.values():
            self._remove(node)
        self._points = {}
        self.removeObservers()

    def node_of(self, key: str):
        """The point of an operation."""
        return self._points.get(key)

    def _show_point(self, entry, title: str, ct, chosen: bool) -> None:
        node = self._points.get(entry.key)
        if node is None or not slicer.mrmlScene.IsNodePresent(node):  # the person may have deleted it: only a handle
            node, self.offered = self.offered or new_point_node(title), None
            self._points[entry.key] = node
            self._observe_point(entry.key, node)
        ras = to_ras(entry.operation.centre)
        if node.GetTransformNodeID() != ct.GetTransformNodeID():
            node.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
        if node.GetNumberOfControlPoints() == 0:
            node.AddControlPoint(*ras)
        elif np.linalg.norm(np.subtract(node.GetNthControlPointPosition(0), ras)) > 1e-6:
            node.SetNthControlPointPosition(0, *ras)
        if node.GetName() != title:
            node.SetName(title)
            node.SetNthControlPointLabel(0, title)
        colour = CHOSEN if chosen else OTHERS
        if node.GetDisplayNode().GetSelectedColor() != colour:
            node.GetDisplayNode().SetSelectedColor(*colour)

    def _observe_point(self, key: str, node) -> None:
        def position():
            return node.GetNthControlPointPosition(0)

        def told(tell):
            def slot(caller=None, event=None):
                if not self._following and node.GetNumberOfDefinedControlPoints() == 1:
                    tell(key, position())
            return slot

        node.SetAttribute(ENTRY, key)
        self.addObserver(node, node.PointModifiedEvent, told(self._on_drag))
        self.addObserver(node, node.PointEndInteractionEvent, told(self._on_drop))
        self.addObserver(node, node.PointStartInteractionEvent, told(lambda key, ras: self._on_choose(key)))

    def _remove(self, node) -> None:
        if node is not None and slicer.mrmlScene.IsNodePresent(node):
            slicer.mrmlScene.RemoveNode(node)


def new_point_node(title: str):
    """Return a Markups node for one control point; it is not saved, the edit holds its place."""
    name = slicer.mrmlScene.GenerateUniqueName(title)
    node = as_helper(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name))
    node.SetMaximumNumberOfControlPoints(1)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSaveWithScene(False)
    display.SetTextScale(2.2)
    display.SetGlyphScale(2.2)
    display.SetOccludedVisibility(True)  # in a 3D view it lies within its organ's surface
    display.SetOccludedOpacity(0.6)
    display.SetPointLabelsVisibility(True)
    display.SetPropertiesLabelVisibility(False)
    return node
