"""Exceptions that nobody catches: in slots, timers, event handlers and VTK observers.

Slicer prints them and goes on. Here they are kept, and `raise_collected` turns them into a failed test.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

_collected: list[BaseException] = []


class UncaughtError(AssertionError):
    """Something failed in a slot, a timer or an observer; the message holds the tracebacks."""


def install() -> None:
    """Keep what PySide6 and VTK hand to ``sys.excepthook``."""
    previous = sys.excepthook

    def keep(kind, error, trace):
        if issubclass(kind, Exception):
            _collected.append(error)
        else:
            previous(kind, error, trace)

    sys.excepthook = keep


def raise_collected() -> None:
    """Raise `UncaughtError` if anything has failed since the last call."""
    found = list(_collected)
    _collected.clear()
    if found:
        raise UncaughtError("\n".join("".join(traceback.format_exception(error)) for error in found)) from found[0]


@contextmanager
def expected() -> Iterator[list[BaseException]]:
    """Within this context failures are wanted: they are listed, and fail no test."""
    raise_collected()
    wanted: list[BaseException] = []
    try:
        yield wanted
    finally:
        wanted += _collected
        _collected.clear()
