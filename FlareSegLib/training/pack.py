"""A training set in one small file, for machines that take little: a lent GPU, a cluster behind a slow line.

A packed file is a tar archive of a slice store with 8-bit HU: normalisation clips HU to a narrow range anyway, and
256 steps over that range lose half a step of about one HU. Where it would still be too large, slices are left out
evenly.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..arrays import Floats, Labels
from ..errors import FlareSegError
from ..models.bundle import new_folder
from ..preprocessing.normalisation import Normalisation
from .slice_store import (RECORD_ENDING, STORE_FILE, HuCode, SliceStore, StoredCase, claim_store,
                          open_store, write_case)

ENDINGS = (STORE_FILE, RECORD_ENDING, ".image.b2nd", ".labels.b2nd")


def eight_bits(normalisation: Normalisation) -> HuCode:
    """Return the code that spreads 256 values over the range that normalisation keeps."""
    return HuCode("uint8", normalisation.lower, (normalisation.upper - normalisation.lower) / 255)


def pack(store: SliceStore, file: str | Path, megabytes: float, work_folder: str | Path) -> tuple[Path, int]:
    """Write a store as one file no larger than `megabytes` (10^6 bytes), and return it with the slices' stride.

    Parameters
    ----------
    work_folder : str or Path
        Must not exist; the packed store is made there and then removed.

    Raises
    ------
    FlareSegError
        "output_exists", "output_unwritable", "bad_option" where not even every 64th slice fits.
    """
    file = Path(file)
    if file.exists():
        raise FlareSegError("output_exists", f"{file} exists already; choose another name.")
    stride = 1
    while stride <= 64:
        folder = Path(work_folder) / f"every-{stride}"
        size = _shrink(store, folder, stride)
        if size <= megabytes * 1e6:
            _archive(folder, file)
            return file, stride
        stride = max(stride + 1, int(np.ceil(stride * size / (megabytes * 1e6))))
    raise FlareSegError("bad_option", f"Not even every 64th slice fits into {megabytes:g} MB; allow more, or train at "
                                      "a coarser spacing.")


def unpack(file: str | Path, folder: str | Path) -> SliceStore:
    """Unpack a file into a folder that does not exist yet, and open the store.

    Raises
    ------
    FlareSegError
        "unreadable" for what is no packed training set, "output_exists", "output_unwritable".
    """
    with new_folder(folder) as temporary:
        try:
            with tarfile.open(file) as archive:
                for member in _safe_members(archive):
                    archive.extract(member, temporary, filter="data")
        except (tarfile.TarError, EOFError) as error:
            raise FlareSegError("unreadable", f"{file} is no packed training set, or damaged.") from error
    return open_store(folder)


def _shrink(store: SliceStore, folder: Path, stride: int) -> int:
    """Store every stride-th slice with 8 bits; return the bytes its archive will take."""
    code = eight_bits(store.fingerprint().normalisation)
    claim_store(folder, replace(store.description, hu=code))
    for case in store.cases:
        chosen = range(stride // 2, case.record.slices, stride)
        chosen = chosen or range(case.record.slices // 2, case.record.slices // 2 + 1)
        record = replace(case.record, slices=len(chosen), slices_with={}, sources=())
        write_case(folder, record, _slices(case, chosen), code)
    return _archive_size([path.stat().st_size for path in folder.iterdir()])


def _slices(case: StoredCase, chosen: range) -> Iterator[tuple[Floats, Labels]]:
    for index in chosen:
        yield case.slice(index)


def _archive_size(sizes: list[int]) -> int:
    """Bytes of a tar archive of files of these sizes: a header each, whole blocks, two empty ones, whole records."""
    block, record = tarfile.BLOCKSIZE, tarfile.RECORDSIZE
    content = sum(block + -(-size // block) * block for size in sizes) + 2 * block
    return -(-content // record) * record


def _archive(folder: Path, file: Path) -> None:
    partial = file.with_name(f".{os.getpid()}.{file.name}")
    try:
        with tarfile.open(partial, "w") as archive:
            for path in sorted(folder.iterdir()):
                archive.add(path, path.name)
        os.replace(partial, file)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"{file} cannot be written; choose another place.") from error
    finally:
        partial.unlink(missing_ok=True)


def _safe_members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Plain files with a store's names, none in a folder: nothing else is ever unpacked."""
    for member in archive:
        if not member.isfile() or "/" in member.name or "\\" in member.name or not member.name.endswith(ENDINGS):
            raise FlareSegError("unreadable", "The file holds something that no packed training set has; it was not "
                                              "unpacked.")
        yield member
