"""The quality gate's verdict on an edit, worked out beside the GUI when the person pauses."""

from __future__ import annotations

from collections.abc import Callable

import qt
from FlareSegModuleLib.background import Background, Follower

from .sharing import Sharing

PAUSE_MS = 1500


class Superseded(Exception):
    """The list was changed meanwhile."""


class QualityCheck:
    """Simulates the list anew from the originals, in a thread, and tells the result.

    Parameters
    ----------
    on_result : callable
        ``on_result(entries, simulation)``: what was judged, and `FlareSegLib.disease.simulation.Simulation` without its
        case.
    on_begin : callable
        Called without arguments when the work begins.
    """

    def __init__(self, on_result: Callable, on_begin: Callable[[], None] = lambda: None):
        self._on_result, self._on_begin = on_result, on_begin
        self._follower = self._wanted = None
        self._sharing = Sharing()
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.connect("timeout()", self.begin)

    def want(self, editing) -> None:
        """The list has changed: judge it once the person pauses."""
        self.stop()
        self._wanted = editing
        if editing is not None and any(entry.shown for entry in editing.entries):
            self._timer.start()

    def begin(self) -> None:
        """Judge now."""
        editing = self._wanted
        if editing is None:
            return
        self._timer.stop()
        entries, case, find = editing.entries, editing.case, editing.find
        stopped = self._stopped = []

        def watch(scene, operation, change):
            if stopped:
                raise Superseded

        background = Background(lambda post: judged(case, entries, find, watch)).start()
        self._follower = Follower(background, lambda ended: self._ended(entries, ended))
        self._sharing.start()
        self._on_begin()

    @property
    def running(self) -> bool:
        """Whether a list is being judged or about to be."""
        return self._timer.isActive() or (self._follower is not None and not self._follower.done)

    def stop(self) -> None:
        """Tell nothing more; the thread ends after the operation it is at."""
        self._timer.stop()
        self._wanted = None
        if self._follower is not None:
            self._stopped.append(True)
            self._follower.stop()
            self._follower = None
        self._sharing.stop()

    def _ended(self, entries, background) -> None:
        self._sharing.stop()
        self._follower = None
        if background.error is None:
            self._on_result(entries, background.value)
        elif not isinstance(background.error, Superseded):
            raise background.error


def judged(case, entries, find, watch=lambda scene, operation, change: None):
    """Simulate the shown entries of a list; the result's case is left out, for it is the canvas' own."""
    from dataclasses import replace

    from FlareSegLib.disease.simulation import simulate

    made = simulate(case, [entry.operation for entry in entries if entry.shown], find, watch=watch)
    return replace(made, case=None)


def marks_of(editing, entries, simulation) -> dict[str, tuple[bool, str]]:
    """What the gate said of each entry: whether it passed, and the faults in words."""
    marks, number = {}, 0
    for entry in (each for each in entries if each.shown):
        done = editing.done(entry.key)
        count = len(done.parts) if done is not None else 1
        findings = [each for part in simulation.verdict.operations[number:number + count] for each in part]
        number += count
        faults = [f"{each.name}: {each.value:g}" for each in findings if not each.passed]
        marks[entry.key] = not faults, "\n".join(faults)
    return marks
