"""The tip of a lesion that runs a way: a second point, dragged to turn the lesion and to make it longer or shorter."""

from __future__ import annotations

import numpy as np
from slicer.i18n import tr as _

from .chosen_node import ChosenNode
from .handles import CHOSEN, new_point_node


class Tip(ChosenNode):
    """A Markups point, shown in slices that it does not lie in, too; it tells its RAS (of the CT, mm)."""

    def show(self, key: str | None, ras=None, ct=None) -> None:
        """Show the tip of a lesion, or none."""
        def place(node) -> None:
            if node.GetNumberOfControlPoints() == 0:
                node.AddControlPoint(*map(float, ras), _("tip"))
            elif np.linalg.norm(np.subtract(node.GetNthControlPointPosition(0), ras)) > 1e-6:
                node.SetNthControlPointPosition(0, *map(float, ras))

        self._follow(key, ct, place)

    def _new(self):
        node = new_point_node(_("Lesion tip"))
        node.SetHideFromEditors(True)
        display = node.GetDisplayNode()
        display.SetGlyphType(display.Diamond2D)
        display.SetSnapMode(display.SnapModeUnconstrained)  # in a 3D view it would jump onto its organ's surface
        display.SetSelectedColor(*CHOSEN)
        display.SetSliceProjection(True)
        display.SetSliceProjectionOpacity(1.0)
        return node

    def _state(self) -> tuple | None:
        if self.node.GetNumberOfDefinedControlPoints() != 1:
            return None
        return (self.node.GetNthControlPointPosition(0),)
