"""Surfaces of the edited organs ("Show 3D"): Slicer drops them when labels change; made anew when the person pauses."""

from __future__ import annotations

import qt
import slicer

PAUSE_MS = 1000


class Surfaces:
    """Making them takes seconds on a large CT, so not at every change."""

    def __init__(self):
        self._canvas = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.connect("timeout()", self.flush)

    def outdate(self, canvas) -> None:
        """The organs have changed."""
        if canvas.surfaces_lost:
            self._canvas = canvas
            self._timer.start()

    def flush(self) -> None:
        """Make now what is to be made."""
        canvas = self._canvas
        self.stop()
        if canvas is not None and slicer.mrmlScene.IsNodePresent(canvas.segmentation):
            canvas.surfaces_lost = False
            canvas.segmentation.CreateClosedSurfaceRepresentation()

    def stop(self) -> None:
        """The edit is closed."""
        self._timer.stop()
        self._canvas = None
