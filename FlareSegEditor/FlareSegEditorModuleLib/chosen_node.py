"""What the size box and the tip have in common: a Markups node about the chosen lesion, dragged by a person."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.util import VTKObservationMixin


class ChosenNode(VTKObservationMixin):
    """A node that is made when it is first shown, or has been deleted, and is hidden where there is nothing to show.

    Parameters
    ----------
    on_drag, on_dragged : callable
        ``(key, *state)`` while a person drags it, and when it is let go; a subclass's `_state` says what comes.
    on_begin : callable
        ``on_begin(key)`` when it is taken hold of.
    """

    def __init__(self, on_drag: Callable, on_dragged: Callable, on_begin: Callable):
        super().__init__()
        self._on_drag, self._on_dragged, self._on_begin = on_drag, on_dragged, on_begin
        self.node = self._key = None
        self._following = False

    def remove(self) -> None:
        """Take it out of the scene."""
        if self._in_scene():
            slicer.mrmlScene.RemoveNode(self.node)
        self.node = self._key = None
        self.removeObservers()

    def _follow(self, key: str | None, ct, place: Callable) -> None:
        """Show the node of a lesion where ``place(node)`` puts it, under the CT's transform; none for no lesion."""
        self._following = True
        try:
            self._key = key
            if key is None:
                if self.node is not None and self.node.GetDisplayNode() is not None:
                    self.node.GetDisplayNode().SetVisibility(False)
                return
            if not self._in_scene():
                self.node = self._new()
                self._observe()
            if self.node.GetTransformNodeID() != ct.GetTransformNodeID():
                self.node.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
            place(self.node)
            self.node.GetDisplayNode().SetVisibility(True)
        finally:
            self._following = False

    def _in_scene(self) -> bool:
        return self.node is not None and bool(slicer.mrmlScene.IsNodePresent(self.node))

    def _observe(self) -> None:
        self.addObserver(self.node, self.node.PointModifiedEvent, self._told(self._on_drag))
        self.addObserver(self.node, self.node.PointEndInteractionEvent, self._told(self._on_dragged))
        self.addObserver(self.node, self.node.PointStartInteractionEvent,
                         self._told(lambda key, *_: self._on_begin(key)))

    def _told(self, tell: Callable) -> Callable:
        def slot(caller=None, event=None):
            state = None if self._following or self._key is None else self._state()
            if state is not None:
                tell(self._key, *state)
        return slot

    def _new(self):
        """Make the node."""
        raise NotImplementedError

    def _state(self) -> tuple | None:
        """What a person has made of the node; None while it says nothing."""
        raise NotImplementedError
