"""Time for Python's other threads while Slicer's event loop runs."""

from __future__ import annotations

import time

import qt

#: Slicer's event loop holds Python's lock; so long in each interval the main thread waits and lets others work.
SHARE_MS, INTERVAL_MS = 15, 50


class Sharing:
    """While it runs, Python's other threads get a share of the time."""

    def __init__(self):
        self._timer = qt.QTimer()
        self._timer.setInterval(INTERVAL_MS)
        self._timer.connect("timeout()", lambda: time.sleep(SHARE_MS / 1000))

    def start(self) -> None:
        """Begin to share."""
        self._timer.start()

    def stop(self) -> None:
        """The main thread has all of the time again."""
        self._timer.stop()
