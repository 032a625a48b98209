"""Qt's event loop as Slicer runs it: it holds Python's interpreter lock.

Slicer starts the loop in C++ and its PythonQt is built without thread support, so a thread of Python gets its turn only
while Python code runs in the GUI thread, or waits there. PySide6 would let go of the lock: threads that work with it
may starve in Slicer. Here Qt is called through ctypes, which keeps the lock; where that does not work (no Linux),
through PySide6.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import PySide6
import qt
from shiboken6 import getCppPointer

LIBRARY = Path(PySide6.__file__).parent / "Qt" / "lib" / "libQt6Core.so.6"
PROCESS_EVENTS = "_ZN16QCoreApplication13processEventsE6QFlagsIN10QEventLoop17ProcessEventsFlagEE"
EXEC = "_ZN10QEventLoop4execE6QFlagsINS_17ProcessEventsFlagEE"
HOLDS_THE_LOCK = LIBRARY.is_file()


def process_events(flags=0) -> None:
    """Do what waits to be done, and no more."""
    if HOLDS_THE_LOCK:
        _function(PROCESS_EVENTS, ctypes.c_int)(int(flags))
    else:
        qt.QCoreApplication.processEvents(qt.QEventLoop.ProcessEventsFlag(int(flags)))


def run(milliseconds: int) -> None:
    """Let the event loop run for so long."""
    loop, timer = qt.QEventLoop(), qt.QTimer()
    timer.setSingleShot(True)
    timer.timeout.connect(loop.quit)
    timer.start(milliseconds)
    if HOLDS_THE_LOCK:
        _function(EXEC, ctypes.c_void_p, ctypes.c_int)(getCppPointer(loop)[0], 0)
    else:
        loop.exec()


def _function(name: str, *argument_types):
    function = getattr(ctypes.PyDLL(str(LIBRARY)), name)
    function.argtypes = argument_types
    return function
