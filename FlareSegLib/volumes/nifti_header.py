"""What ITK's NIfTI reader does not tell.

A file cut short (it fills up with zeros), voxels that are no numbers (it makes them 0) and a sheared sform.
Field offsets are those of nifti1.h (https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h).
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import FlareSegError

HEADER_BYTES = 348
NIFTI2_HEADER_BYTES = 540
MAX_COSINE = 0.01  # axes more than 0.6 degrees off a right angle are sheared
MAX_SPACING_MISMATCH = 0.01  # of the spacing
CHUNK_BYTES = 1 << 22
#: What lies before the voxels is a header and extensions of a few kilobytes.
LARGEST_OFFSET = 1 << 26
#: Bytes behind the voxels; more are a stream that is made to keep its reader busy.
LARGEST_REST = 1 << 26
#: Bits a voxel by NIfTI-1 datatype code: ITK goes by the code, whatever the header's bitpix says.
BITS = {2: 8, 4: 16, 8: 32, 16: 32, 32: 64, 64: 64, 128: 24, 256: 8, 512: 16, 768: 32, 1024: 64, 1280: 64, 2304: 32}
FLOAT_TYPES = {16: "f4", 64: "f8"}  # NIfTI-1 datatype codes of floating-point voxels


@dataclass(frozen=True)
class NiftiHeader:
    """The part of a NIfTI-1 header that is checked.

    Attributes
    ----------
    voxel_offset, file_bytes : int
        Bytes before the voxels, and of header and voxels together, uncompressed.
    float_type : str or None
        numpy's name of the voxel type with byte order, where it is a floating-point one.
    spacing : numpy.ndarray
        pixdim 1 to 3, in the file's unit.
    sform : numpy.ndarray or None
        (3, 3) columns of the three axes, where the file has an sform.
    """

    voxel_offset: int
    file_bytes: int
    float_type: str | None
    spacing: np.ndarray
    sform: np.ndarray | None


def check_nifti(path: Path) -> None:
    """Raise unless the NIfTI file is whole and its geometry is free of shear and contradictions.

    The whole gzip stream is read once so that its checksum is proved (about half a second for 200 slices).

    Raises
    ------
    FlareSegError
        "unreadable" for a damaged or truncated file or another content, "unsupported_type" for NIfTI-2,
        "not_finite", "sheared_geometry", "invalid_geometry".
    """
    finite = True
    try:
        with _open(path) as stream:
            header = parse_header(stream.read(HEADER_BYTES))
            length = HEADER_BYTES + len(stream.read(max(header.voxel_offset - HEADER_BYTES, 0)))
            while (chunk := stream.read(CHUNK_BYTES)) and length <= header.file_bytes + LARGEST_REST:
                length += len(chunk)
                finite = finite and _is_finite(chunk, header.float_type)
    except (EOFError, OSError, zlib.error) as error:
        raise FlareSegError("unreadable", f"{path} is damaged or was cut short; copy or export it again.") from error
    if length < header.file_bytes:
        raise FlareSegError("unreadable", f"{path} was cut short: {length} of {header.file_bytes} bytes are there; "
                                          "copy or export it again.")
    if length > header.file_bytes + LARGEST_REST:
        raise FlareSegError("unreadable", f"{path} holds far more than the {header.file_bytes} bytes that its header "
                                          "tells of; export it again.")
    if not finite:
        raise FlareSegError("not_finite", f"{path} holds voxels that are not numbers (NaN or infinity); "
                                          "export the CT again.")
    check_geometry(header)


def _is_finite(chunk: bytes, float_type: str | None) -> bool:
    """Whether all whole voxels of a chunk are numbers; integers always are."""
    if float_type is None:
        return True
    width = np.dtype(float_type).itemsize
    return bool(np.isfinite(np.frombuffer(chunk, float_type, len(chunk) // width)).all())


def parse_header(block: bytes) -> NiftiHeader:
    """Read the fields of a NIfTI-1 header of either byte order.

    Raises
    ------
    FlareSegError
        "unreadable" for anything else, "unsupported_type" for NIfTI-2.
    """
    order = next((o for o in "<>" if block[:4] == struct.pack(o + "i", HEADER_BYTES)), None)
    if block[:4] in (struct.pack("<i", NIFTI2_HEADER_BYTES), struct.pack(">i", NIFTI2_HEADER_BYTES)):
        raise FlareSegError("unsupported_type", "The file is NIfTI-2, which is not read; save it as NIfTI-1 or NRRD.")
    if order is None or len(block) < HEADER_BYTES or block[344:347] != b"n+1":
        raise FlareSegError("unreadable", "The file's name says NIfTI but its content is something else or damaged; "
                                          "export it again.")
    dimensions = struct.unpack_from(order + "8h", block, 40)
    rank = dimensions[0]
    if not 1 <= rank <= 7:  # ITK would take this for the other byte order
        raise FlareSegError("unreadable", "The file's header is damaged: it tells of dimensions that no image has; "
                                          "export it again.")
    datatype, bits = struct.unpack_from(order + "2h", block, 70)
    bits = BITS.get(datatype, bits)
    float_type = order + FLOAT_TYPES[datatype] if datatype in FLOAT_TYPES else None
    pixdim = struct.unpack_from(order + "8f", block, 76)
    voxel_offset = struct.unpack_from(order + "f", block, 108)[0]
    sform_code = struct.unpack_from(order + "h", block, 254)[0]
    rows = np.array(struct.unpack_from(order + "12f", block, 280)).reshape(3, 4)
    voxels = int(np.prod([max(n, 0) for n in dimensions[1:1 + rank]], dtype=object))
    start = int(voxel_offset) if np.isfinite(voxel_offset) else HEADER_BYTES
    if start > LARGEST_OFFSET:
        raise FlareSegError("unreadable", "The file's header is damaged: its voxels would begin far behind it; export "
                                          "it again.")
    sform = rows[:, :3] if sform_code > 0 else None
    return NiftiHeader(start, start + voxels * bits // 8, float_type, np.abs(pixdim[1:4]), sform)


def check_geometry(header: NiftiHeader) -> None:
    """Raise "invalid_geometry" or "sheared_geometry" where the header's spacing and sform are unusable."""
    if not np.isfinite(header.spacing).all() or (header.spacing <= 0).any():
        raise FlareSegError("invalid_geometry", "The file's voxel spacing is zero or not a number; export it again "
                                                "with its true spacing.")
    if header.sform is None:
        return
    lengths = np.linalg.norm(header.sform, axis=0)
    if not np.isfinite(lengths).all() or (lengths <= 0).any():
        raise FlareSegError("invalid_geometry", "The file's sform matrix is zero or not a number; export the CT again.")
    cosines = np.abs((header.sform / lengths).T @ (header.sform / lengths) - np.eye(3))
    if cosines.max() > MAX_COSINE:
        raise FlareSegError("sheared_geometry", "The file's axes are not at right angles (a sheared sform, as of a "
                                                "CT with gantry tilt); resample it to a rectangular grid first.")
    if (np.abs(lengths - header.spacing) > MAX_SPACING_MISMATCH * header.spacing).any():
        raise FlareSegError("invalid_geometry", "The file contradicts itself: its pixdim and its sform give different "
                                                "voxel spacings; export the CT again.")


def _open(path: Path) -> BinaryIO | gzip.GzipFile:
    with open(path, "rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else open(path, "rb")
