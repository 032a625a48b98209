"""Message boxes and file dialogs, which a test answers beforehand; what nobody answers fails.

    with dialogs.answered("Replace them?", qt.QMessageBox.No) as shown:
        button.click()
    assert len(shown) == 1
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import qt

from .widget_properties import stored


class UnexpectedDialog(AssertionError):
    """A dialog that no test has announced; in Slicer it would wait for the user."""


@dataclass
class _Answer:
    """An announced dialog: part of its text, what to answer, the texts it has been asked for."""

    part: str
    value: object
    shown: list[str] = field(default_factory=list)


_announced: list[_Answer] = []


@contextmanager
def answered(part: str, value=None, times: int = 1) -> Iterator[list[str]]:
    """Within this context dialogs whose text holds `part` are answered with `value`; it must be `times` of them.

    Yields the list of their texts. For a file dialog `part` is of its title, or "" for any.
    """
    answer = _Answer(part, value)
    _announced.append(answer)
    try:
        yield answer.shown
    finally:
        _announced.remove(answer)
    if len(answer.shown) != times:
        raise AssertionError(f"{len(answer.shown)} dialogs with {part!r} were shown, not {times}")


def _answer(text: str):
    for each in reversed(_announced):
        if each.part in text:
            each.shown.append(text)
            return each.value
    raise UnexpectedDialog(f"nobody has announced this dialog: {text}")


class ctkMessageBox(qt.QMessageBox):
    """CTK's message box, which slicer.util's dialogs use."""

    dontShowAgainSettingsKey, setDontShowAgainSettingsKey = stored("dontShowAgainSettingsKey", str, "")

    def exec_(self):
        answer = _answer(self.text)
        return qt.QMessageBox.Ok if answer is None else answer


def _path(default):
    def ask(parent=None, title="", *_arguments):
        answer = _answer(title)
        return default if answer is None else answer
    return staticmethod(ask)


def install() -> None:
    """Replace what would open a window and wait."""
    for name, default in (("getOpenFileName", ""), ("getSaveFileName", ""), ("getExistingDirectory", ""),
                          ("getOpenFileNames", ())):
        setattr(qt.QFileDialog, name, _path(default))

    def refuse(self, *_):
        raise UnexpectedDialog(f"a {type(self).__name__} waits for the user; the stand-in answers message boxes of "
                               "slicer.util and file dialogs only")

    for cls in (qt.QDialog, qt.QMessageBox, qt.QFileDialog, qt.QInputDialog, qt.QProgressDialog):
        cls.exec_ = cls.exec = refuse
