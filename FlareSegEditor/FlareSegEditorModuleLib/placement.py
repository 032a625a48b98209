"""Placing by a click: Slicer's own place mode, until a place is accepted or the person leaves the mode."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
from slicer.util import VTKObservationMixin

from .handles import new_point_node


class Placement(VTKObservationMixin):
    """Waits for a click.

    Parameters
    ----------
    on_place : callable
        ``on_place(node, ras) -> bool`` (RAS of the CT, mm): whether the place is accepted. Then the node is the
        caller's; otherwise the person may click again.
    on_end : callable
        Called without arguments when the mode is left, either way.
    """

    def __init__(self, on_place: Callable, on_end: Callable[[], None]):
        super().__init__()
        self._on_place, self._on_end = on_place, on_end
        self._node = None

    @property
    def active(self) -> bool:
        """Whether a click is waited for."""
        return self._node is not None

    def start(self, title: str, transform_id: str | None) -> None:
        """Wait for a click in any view."""
        self.stop()
        self._node = new_point_node(title)
        self._node.SetAndObserveTransformNodeID(transform_id)
        self.addObserver(self._node, self._node.PointPositionDefinedEvent, self._on_defined)
        interaction = self._interaction()
        self._enter_place_mode()
        self.addObserver(interaction, interaction.InteractionModeChangedEvent, self._on_mode_changed)

    def stop(self) -> None:
        """Wait no longer."""
        if self._node is None:
            return
        node, self._node = self._node, None
        self.removeObservers()
        if slicer.mrmlScene.IsNodePresent(node):
            slicer.mrmlScene.RemoveNode(node)
        interaction = self._interaction()
        if interaction.GetCurrentInteractionMode() == interaction.Place:
            interaction.SwitchToViewTransformMode()
        self._on_end()

    def _interaction(self):
        return slicer.app.applicationLogic().GetInteractionNode()

    def _enter_place_mode(self) -> None:
        logic = slicer.modules.markups.logic()
        logic.SetActiveList(self._node)
        logic.StartPlaceMode(False)

    def _on_defined(self, caller=None, event=None) -> None:
        node = self._node
        if node is None or node.GetNumberOfDefinedControlPoints() == 0:
            return
        if self._on_place(node, node.GetNthControlPointPosition(0)):
            self._node = None
            self.removeObservers()
            self._on_end()
        else:
            # The view is still at work on this click.
            qt.QTimer.singleShot(0, self._try_again)

    def _try_again(self) -> None:
        if self._node is not None and slicer.mrmlScene.IsNodePresent(self._node):
            self._node.RemoveAllControlPoints()
            self._enter_place_mode()

    def _on_mode_changed(self, caller=None, event=None) -> None:
        """Left by a right click or another tool; after a click the answer decides."""
        qt.QTimer.singleShot(0, self._look_whether_left)

    def _look_whether_left(self) -> None:
        interaction = self._interaction()
        if self._node is not None and interaction.GetCurrentInteractionMode() != interaction.Place:
            self.stop()
