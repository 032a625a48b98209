"""Edits that a crash has interrupted: written while they are made, offered when the same case is edited again."""

from __future__ import annotations

import logging

import qt

from FlareSegLib.errors import FlareSegError


#: After the last change; a disk can take its time, and no hand waits for it.
DELAY_MS = 250


class Autosave:
    """Writes an edit a moment after it was changed."""

    def __init__(self):
        self._editing = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.connect("timeout()", self.flush)

    def want(self, editing) -> None:
        """The edit was changed."""
        self._editing = editing
        self._timer.start()

    def flush(self) -> None:
        """Write now what is to be written."""
        self._timer.stop()
        editing, self._editing = self._editing, None
        if editing is not None:
            keep(editing)


def keep(editing) -> None:
    """Write the edit; a full disk must not end the editing."""
    from FlareSegLib.disease import autosave

    try:
        autosave.keep(editing.edit)
    except (FlareSegError, OSError) as error:
        logging.warning("FlareSegEditor: the edit could not be autosaved: %s", error)


def interrupted(editing):
    """Return the edit of this very case that was kept and is another than the one that is open; None for none."""
    from FlareSegLib.disease import autosave

    kept = autosave.find_kept(*editing.hashes, editing.find)
    return kept if kept is not None and not editing.entries and kept.entries else None


def forget(editing) -> None:
    """The edit is saved with the scene, or not wanted any more."""
    from FlareSegLib.disease import autosave

    autosave.forget(editing.edit)
