"""What Slicer would only print: exceptions in slots, timers, event handlers and VTK observers, errors of VTK, MRML, Qt.

Here they are kept, and `raise_collected` turns them into a failed test.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import vtk
from PySide6 import QtCore

#: What Qt says about the platform without a screen, and MRML about the stand-in's slice; not about the code.
HARMLESS = ("propagateSizeHints", "QFontDatabase", "XDG_RUNTIME_DIR", "orientation preset name: Reformat")
_collected: list[BaseException] = []


class UncaughtError(AssertionError):
    """Something failed in a slot, a timer or an observer; the message holds the tracebacks."""


class ReportedError(Exception):
    """An error or warning that VTK, MRML or Qt has reported as text."""


def install() -> None:
    """Keep what PySide6 and VTK hand to ``sys.excepthook``, and what VTK and Qt report."""
    previous = sys.excepthook

    def keep(kind, error, trace):
        if issubclass(kind, Exception):
            _collected.append(error)
        else:
            previous(kind, error, trace)

    sys.excepthook = keep
    vtk.vtkOutputWindow.GetInstance().AddObserver("ErrorEvent", _vtk_error)
    QtCore.qInstallMessageHandler(_qt_message)


@vtk.calldata_type(vtk.VTK_STRING)
def _vtk_error(caller, event, text):
    _report(text)


def _qt_message(kind, context, text):
    if kind not in (QtCore.QtMsgType.QtDebugMsg, QtCore.QtMsgType.QtInfoMsg):
        _report(text)


def _report(text: str) -> None:
    if not any(part in text for part in HARMLESS):
        _collected.append(ReportedError(text))


def raise_collected() -> None:
    """Raise `UncaughtError` if anything has failed since the last call."""
    found = list(_collected)
    _collected.clear()
    if found:
        raise UncaughtError("\n".join("".join(traceback.format_exception(error)) for error in found)) from found[0]


def forget() -> None:
    """A new test begins."""
    _collected.clear()


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
