"""NRRD files as they pass between Slicer and its worker: an uncompressed CT there, a label map back.

Written here rather than by ITK or VTK because both hold Python's interpreter lock while they write, which would
freeze Slicer's window. Format: https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from FlareSegLib.volumes.volume import Volume

TYPES = {"int8": "signed char", "uint8": "unsigned char", "int16": "short", "uint16": "unsigned short",
         "int32": "int", "uint32": "unsigned int", "int64": "long long", "uint64": "unsigned long long",
         "float32": "float", "float64": "double"}
LABEL_TYPES = {"unsigned char", "uchar", "uint8", "uint8_t"}
#: Written at once, without the interpreter lock.
PIECE_BYTES = 2**23


def write_nrrd(path: Path, volume: Volume, check: Callable[[], None] = lambda: None) -> None:
    """Write a volume uncompressed, some slices at a time.

    Parameters
    ----------
    check : callable
        Called before each piece; what it raises ends the writing.

    Raises
    ------
    OSError
        For a full disk or a folder that cannot be written to.
    """
    with open(path, "wb") as file:
        file.write(_header(volume).encode("ascii"))
        slices = max(1, PIECE_BYTES // max(1, volume.array[:1].nbytes))
        for first in range(0, len(volume.array), slices):
            check()
            file.write(memoryview(np.ascontiguousarray(volume.array[first:first + slices])).cast("B"))


def read_label_array(path: Path) -> np.ndarray:
    """Return the voxels of a uint8 label map, (k, j, i); the file is raw or gzip-compressed.

    Raises
    ------
    ValueError
        For any other kind of file.
    """
    head, separator, data = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode("utf-8", "replace").splitlines() if ": " in line)
    if not separator or fields.get("type") not in LABEL_TYPES or fields.get("encoding") not in ("raw", "gzip", "gz"):
        raise ValueError("The worker's label map is of an unknown kind.")
    if fields["encoding"] != "raw":
        data = zlib.decompress(data, wbits=31)
    return np.frombuffer(data, np.uint8).reshape([int(n) for n in reversed(fields["sizes"].split())])


def crop_to_labels(labels: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Return the smallest part that holds all labels, as a copy, and its first voxel (i, j, k).

    One voxel of background is returned where there is no label at all.
    """
    first, stop = [], []
    for axis in range(3):
        filled = np.flatnonzero(labels.any(axis=tuple(other for other in range(3) if other != axis)))
        first.append(int(filled[0]) if filled.size else 0)
        stop.append(int(filled[-1]) + 1 if filled.size else 1)
    part = labels[tuple(map(slice, first, stop))]
    return np.ascontiguousarray(part), tuple(reversed(first))


def _header(volume: Volume) -> str:
    axes = (volume.direction_matrix * np.asarray(volume.spacing)).T
    return "\n".join((
        "NRRD0004",
        f"type: {TYPES[volume.array.dtype.name]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, volume.size))}",
        f"space directions: {' '.join(map(_vector, axes))}",
        "kinds: domain domain domain",
        f"endian: {sys.byteorder}",
        "encoding: raw",
        f"space origin: {_vector(volume.origin)}",
        "", ""))


def _vector(numbers) -> str:
    return f"({','.join(repr(float(number)) for number in numbers)})"
