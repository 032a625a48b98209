"""A folder that one process at a time adds files to, and what a process that died there had begun."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ..errors import FlareSegError

LOCK_FILE = ".flareseg-lock"


class Journal:
    """Which new files are about to appear in a locked folder, on disk until they all have.

    Parameters
    ----------
    folder : Path
        Must be there.
    file : file object
        The locked file.
    """

    def __init__(self, folder: Path, file: IO[bytes]):
        self._folder, self._file = folder, file

    def begin(self, targets: list[Path]) -> None:
        """Note the new files that are about to be moved into place."""
        self._write(json.dumps([target.relative_to(self._folder).as_posix() for target in targets]).encode("utf-8"))

    def end(self) -> None:
        """All of them are in place."""
        self._write(b"")

    def take_back(self) -> list[Path]:
        """Remove what a process that died had put there in part; return those files."""
        self._file.seek(0)
        try:
            names = json.loads(self._file.read() or b"[]")
        except ValueError:
            names = []
        begun = [self._folder / str(name) for name in names if isinstance(names, list)]
        gone = [path for path in begun if path.resolve().is_relative_to(self._folder.resolve()) and path.is_file()]
        for path in gone:
            path.unlink()
        self.end()
        return gone

    def _write(self, data: bytes) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._file.write(data)
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def locked(folder: Path) -> Iterator[Journal]:
    """Hold a folder's lock; the system lets go of it when the process ends, however that comes.

    What a process that died had put there in part is removed first.

    Raises
    ------
    FlareSegError
        "output_exists" where another process holds it, "output_unwritable".
    """
    try:
        file = open(folder / LOCK_FILE, "a+b")
    except OSError as error:
        raise FlareSegError("output_unwritable", f"{folder} cannot be written ({error.strerror}); choose another "
                                                 "folder.") from error
    with file:
        try:
            _lock(file)
            if not os.path.samestat(os.fstat(file.fileno()), os.stat(folder / LOCK_FILE)):
                raise OSError("its holder has removed it meanwhile")
        except OSError as error:
            raise FlareSegError("output_exists", f"Another program is adding to {folder}; wait until it has "
                                                 "ended.") from error
        journal = Journal(folder, file)
        journal.take_back()
        try:
            yield journal
        finally:
            with suppress(OSError):  # Windows removes no open file; an empty one is left there
                (folder / LOCK_FILE).unlink()


def _lock(file: IO[bytes]) -> None:
    """Lock at once or raise OSError."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(2**30)  # far beyond the journal, which others may read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
