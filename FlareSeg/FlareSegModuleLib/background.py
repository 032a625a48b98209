"""Work beside the GUI thread: a thread that posts messages, and a timer that hands them on in the GUI thread.

Slicer's event loop holds Python's interpreter lock, so a thread of Python runs only while Python code in the GUI thread
waits for something. The timer therefore waits a moment for the thread each time: short enough that no eye sees it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import qt
import slicer

#: Between two looks, and how long a look lets the thread work.
INTERVAL_MS, TURN_SECONDS = 25, 0.005


class Background:
    """A function in a thread. It must touch neither Qt nor MRML.

    Parameters
    ----------
    work : callable
        ``work(post)``; ``post(message)`` may be called any number of times.

    Attributes
    ----------
    value, error
        What `work` returned or raised, once `ended`.
    """

    def __init__(self, work: Callable[[Callable], object]):
        self._work = work
        self._messages: queue.SimpleQueue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.value: object = None
        self.error: BaseException | None = None

    def start(self) -> Background:
        """Start the thread."""
        self._thread.start()
        return self

    @property
    def ended(self) -> bool:
        """True once `work` has returned or raised."""
        return not self._thread.is_alive()

    def poll(self) -> list:
        """Return the messages that have come since the last call, without waiting."""
        waiting = []
        while not self._messages.empty():
            waiting.append(self._messages.get())
        return waiting

    def join(self, seconds: float) -> None:
        """Wait for the end, at most so long."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self.value = self._work(self._messages.put)
        except BaseException as error:  # handed on to whoever follows
            self.error = error


class Follower:
    """Calls ``on_message(message)`` and, once, ``on_end(background)`` in the GUI thread."""

    def __init__(self, background: Background, on_end: Callable, on_message: Callable = lambda message: None):
        self._background = background
        self._on_message, self._on_end = on_message, on_end
        self.done = False
        self._timer = qt.QTimer()
        self._timer.setInterval(INTERVAL_MS)
        self._timer.connect("timeout()", self.look)
        self._timer.start()

    def look(self) -> None:
        """Hand on what has come; the timer does this."""
        if self.done:
            return
        background, on_message, on_end = self._background, self._on_message, self._on_end
        background.join(TURN_SECONDS)
        ended = background.ended  # asked first: all messages of an ended thread are there
        for message in background.poll():
            on_message(message)
        if ended and not self.done:
            self.stop()
            on_end(background)

    def stop(self) -> None:
        """Hand on nothing more, and let go of everything: Qt may keep the timer's slot, and so this object."""
        self.done = True
        self._timer.stop()
        self._background = self._on_message = self._on_end = None

    def wait(self) -> None:
        """Return when the work has ended; the windows stay alive meanwhile."""
        while not self.done:
            slicer.app.processEvents()
            self.look()


def in_background(work: Callable[[], object], on_end: Callable[[Background], None]) -> Follower:
    """Run ``work()`` in a thread and call ``on_end(background)`` in the GUI thread."""
    return Follower(Background(lambda post: work()).start(), on_end)
