"""Several output files that appear together or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from ..errors import FlareSegError

#: Names of temporary folders begin with this, so that a leftover (power cut) is recognised.
PREFIX = ".flareseg-"
STOPPED = "Stopped; nothing was written."


class Staging:
    """Files grow in hidden folders beside their targets and are moved into place when all are complete.

    A folder beside the target lies on the target's file system, so moving is a rename; the file keeps its own
    name in it, so writers that look at the suffix or refuse existing files work as usual. All methods may be
    called from any thread: the worker discards from the one that listens for "cancel".

    Parameters
    ----------
    announce : callable, optional
        Called with each temporary folder's path just before it is made, for a parent that cleans up after a
        process it had to kill.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Staging() as staging:
    ...     target = Path(folder) / "organs.txt"
    ...     with staging.file(target) as staged:
    ...         _ = staged.write_text("liver")
    ...     before = target.exists()
    ...     staging.commit()
    ...     print(before, target.read_text())
    False liver
    """

    def __init__(self, announce: Callable[[Path], None] | None = None):
        self._announce = announce
        self._lock = threading.RLock()
        self._folders: dict[Path, Path] = {}
        self._moves: dict[Path, Path] = {}
        self._closed = False
        self.committed = False

    def __enter__(self) -> Staging:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    @contextlib.contextmanager
    def file(self, target: str | Path) -> Iterator[Path]:
        """Yield where to write the file that will become `target`; failures speak of `target`.

        Raises
        ------
        FlareSegError
            "output_unwritable" where no folder can be made beside the target, "cancelled" after `discard`.
        """
        target = Path(target)
        with self._lock:
            self._refuse_when_closed()
            if target.parent not in self._folders:
                self._make_folder(target.parent)
            staged = self._moves[target] = self._folders[target.parent] / target.name
        try:
            yield staged
        except FlareSegError as error:
            raise FlareSegError(error.code, str(error).replace(str(staged), str(target))) from error

    def commit(self, overwrite: bool | Collection[Path] = False) -> None:
        """Move all files into place; if one cannot be moved, the others are taken back.

        Parameters
        ----------
        overwrite : bool or collection of Path
            Whether files that are there are replaced, or which.

        Raises
        ------
        FlareSegError
            "output_exists" for a target that has appeared meanwhile (without `overwrite`),
            "output_unwritable" where a rename fails, "cancelled" after `discard`.
        """
        with self._lock:
            self._refuse_when_closed()
            backups: dict[Path, Path | None] = {}
            try:
                for target, staged in self._moves.items():
                    backups[target] = self._back_up(target, overwrite)
                    os.replace(staged, target)
                self.committed = True
            except BaseException as error:
                self._take_back(backups)
                if isinstance(error, OSError):
                    raise _unwritable(target, error) from error
                raise
            finally:
                self.discard()

    def discard(self) -> bool:
        """Remove everything temporary; return False if the files had been moved into place before."""
        with self._lock:
            self._closed = True
            for folder in self._folders.values():
                _remove(folder)
            return not self.committed

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise FlareSegError("cancelled", STOPPED)

    def _make_folder(self, parent: Path) -> None:
        folder = parent / f"{PREFIX}{uuid.uuid4().hex[:12]}"
        self._folders[parent] = folder  # known before it exists: Ctrl-C may come at any point
        if self._announce:
            self._announce(folder)
        try:
            folder.mkdir()
        except OSError as error:
            raise _unwritable(parent, error) from error

    def _back_up(self, target: Path, overwrite: bool | Collection[Path]) -> Path | None:
        """Copy the file that is about to be replaced; a copy, so that the replacing itself stays atomic."""
        if not target.exists():
            return None
        if not (overwrite if isinstance(overwrite, bool) else target in overwrite):
            raise FlareSegError("output_exists", f"{target} has appeared meanwhile; choose another name or "
                                                 "allow overwriting (--overwrite).")
        backup = self._moves[target].with_name(f"{target.name}.before")
        shutil.copy2(target, backup)
        return backup

    def _take_back(self, backups: dict[Path, Path | None]) -> None:
        for target, backup in backups.items():
            if self._moves[target].exists():  # was not moved
                continue
            with contextlib.suppress(OSError):
                if backup is None:
                    target.unlink(missing_ok=True)
                else:
                    os.replace(backup, target)


def _remove(folder: Path) -> None:
    """Remove a folder into which another thread may still be writing."""
    for _ in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


def _unwritable(path: Path, error: OSError) -> FlareSegError:
    reason = error.strerror or type(error).__name__
    return FlareSegError("output_unwritable", f"Cannot write to {path} ({reason}); choose another folder.")
