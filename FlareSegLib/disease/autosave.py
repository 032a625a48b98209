"""Edits on disk while they are made: what a crash of the program cannot take."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..errors import FlareSegError
from .document import read_document
from .edits import Edit, edit_from, edit_text
from .recipe import Find

#: The oldest files beyond this many are removed.
MOST_FILES = 50


def edits_folder() -> Path:
    """The user's folder of autosaved edits: the environment's FLARESEG_EDITS, else ~/.flareseg/edits."""
    chosen = os.environ.get("FLARESEG_EDITS")
    return Path(chosen).expanduser() if chosen else Path.home() / ".flareseg" / "edits"


def _file(image_sha256: str, labels_sha256: str) -> Path:
    return edits_folder() / f"{image_sha256[:20]}-{labels_sha256[:20]}.json"


def keep(edit: Edit) -> None:
    """Write an edit; one without operations is forgotten. It holds no patient data: hashes and operations only.

    Raises
    ------
    FlareSegError
        "output_unwritable".
    """
    from ..results.writing import atomic_path

    if not edit.entries:
        forget(edit)
        return
    path = _file(edit.image_sha256, edit.labels_sha256)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"{path.parent} cannot be made ({error.strerror}).") from error
    with atomic_path(path, overwrite=True) as partial:
        partial.write_text(edit_text(edit), encoding="utf-8")
    _remove_oldest()


def find_kept(image_sha256: str, labels_sha256: str, find: Find) -> Edit | None:
    """Return the edit that was kept of a case (`recipe.source_of`); None where there is none that can be read."""
    path = _file(image_sha256, labels_sha256)
    if not path.is_file():
        return None
    try:
        edit = edit_from(read_document(path), find)
    except FlareSegError:
        return None
    same = (edit.image_sha256, edit.labels_sha256) == (image_sha256, labels_sha256)
    return edit if same and edit.entries else None


def forget(edit: Edit) -> None:
    """It is saved elsewhere, or not wanted any more."""
    with suppress(OSError):
        _file(edit.image_sha256, edit.labels_sha256).unlink(missing_ok=True)


def _remove_oldest() -> None:
    with suppress(OSError):
        files = sorted(edits_folder().glob("*.json"), key=lambda path: path.stat().st_mtime)
        for path in files[:-MOST_FILES]:
            path.unlink(missing_ok=True)
