"""A folder that belongs to one batch: made or refused, and freed of what killed processes have left in it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import FlareSegError
from .folder_lock import LOCK_FILE
from .staging import PREFIX


def claim(out: Path, file: str, document: dict[str, Any], folders: Iterable[str], what: str) -> None:
    """Make a folder a batch's own, with its folders in it, or refuse one that is something else's.

    Parameters
    ----------
    file : str
        Name of the JSON file that says what the batch is.
    document : dict
        What must be the same for the batch to go on; JSON-ready.
    folders : iterable of str
        Names of the folders that it writes into.
    what : str
        For the message: "simulation with other settings or cases".

    Raises
    ------
    FlareSegError
        "output_exists", "output_unwritable".
    """
    from ..results.writing import atomic_path

    path, text = out / file, json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if path.is_file():
        try:
            same = json.loads(path.read_text(encoding="utf-8")) == json.loads(text)
        except (OSError, ValueError):
            same = False
        if not same:
            raise FlareSegError("output_exists", f"{out} holds a {what}; choose another folder.")
    elif out.exists() and (not out.is_dir() or any(each.name != LOCK_FILE for each in out.iterdir())):
        raise FlareSegError("output_exists", f"{out} exists and is not empty; choose another folder.")
    try:
        for folder in (out / name for name in folders):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"{out} cannot be written ({error.strerror}); choose another "
                                                 "folder.") from error
    if not path.is_file():
        with atomic_path(path) as partial:
            partial.write_text(text, encoding="utf-8")


def sweep(folders: Iterable[Path]) -> None:
    """Remove what processes that were killed have left in folders: staged files, and files half-written."""
    for folder in folders:
        for leftover in folder.glob(f"{PREFIX}*"):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
        for leftover in folder.glob(".*.partial*"):
            with suppress(OSError):
                leftover.unlink()
