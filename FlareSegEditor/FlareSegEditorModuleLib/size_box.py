"""The box about the chosen lesion: its faces are dragged for another size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import slicer
from slicer.i18n import tr as _

from .chosen_node import ChosenNode
from .clones import matrix_of
from .edit_node import as_helper
from .handles import CHOSEN


class SizeBox(ChosenNode):
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
        super().__init__(on_resize, on_resized, on_begin)
        self._size = None

    def show(self, key: str | None, centre=None, size=None, frame=None, ct=None) -> None:
        """Show the box of a lesion (RAS, mm; `frame`: columns of a rotation matrix), or none."""
        def place(box) -> None:
            matrix = np.eye(4)
            matrix[:3, :3], matrix[:3, 3] = frame, centre
            box.SetAndObserveObjectToNodeMatrix(matrix_of(matrix))
            box.SetSize(*map(float, size))

        self._size = None if size is None else np.maximum(size, 1e-3)
        self._follow(key, ct, place)

    def _new(self):
        node = as_helper(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", _("Lesion size")), True)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetHandlesInteractive(True)
        display.SetScaleHandleVisibility(True)
        display.SetTranslationHandleVisibility(False)  # the control point is for that
        display.SetRotationHandleVisibility(False)  # the tip is
        display.SetFillVisibility(False)
        display.SetPropertiesLabelVisibility(False)
        display.SetPointLabelsVisibility(False)
        display.SetSelectedColor(*CHOSEN)
        return node

    def _state(self) -> tuple[int, float]:
        ratios = np.maximum(np.asarray(self.node.GetSize()) / self._size, 1e-3)
        side = int(np.argmax(np.abs(np.log(ratios))))
        return side, float(ratios[side])
