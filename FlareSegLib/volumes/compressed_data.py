"""NRRD and MetaImage before ITK sees them: headers that end its process, voxels that are damaged or not there.

Both formats keep a text header and, in the same file or in one beside it, voxels as they are or a gzip or zlib stream,
whose own checksum is proved here: ITK reads damaged ones without a word. See
https://teem.sourceforge.net/nrrd/format.html and ITK's MetaIO documentation.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from ..errors import FlareSegError

HEADER_LIMIT = 1 << 16
CHUNK_BYTES = 1 << 18
LONGEST_FIELD = 512
#: Of the largest image that is read (`sitk_bridge.MOST_VOXELS`) with 8 bytes a voxel; more keep their reader busy.
MOST_BYTES = 1 << 34
#: A name of many data files in a NRRD header: one number, of few digits.
NUMBERED_FILES = re.compile(r"[^%]*%0?\d?d[^%]*", re.ASCII)
#: What a byte can become at most when it is unpacked by zlib (https://zlib.net/zlib_tech.html).
MOST_PER_BYTE = 1032
GZIP_OR_ZLIB = 47  # zlib's window bits: recognise either header


def check_compressed_data(path: Path) -> None:
    """Raise "unreadable" where the compressed voxels of a NRRD or MetaImage file fail their checksum.

    So does a header that names a pipe or a device as its data file, on which a reader would wait, a NRRD header whose
    lines are too long for ITK, and a MetaImage of several data files.
    Files without compression, or with headers that this does not understand, pass: ITK says what is wrong with them.
    """
    try:
        start = _start(path)
        if start.startswith(b"NRRD"):
            _check_nrrd_lines(path)
        else:
            _check_metaimage(path, start)
        _check_data_file(path, start)
        place = compressed_voxels(path)
        if place is not None and not stream_is_whole(*place):
            raise FlareSegError("unreadable", f"The compressed voxels of {path} are damaged or cut short; "
                                              "copy or export it again.")
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise FlareSegError("unreadable", f"{path} or its data file cannot be opened; check that both are there and "
                                          "readable.") from error


def _check_nrrd_lines(path: Path) -> None:
    """Refuse what ITK's reader has no room for: it ends the process with a segmentation fault.

    That is fields of too many letters (comments and pairs of key and value may be of any length), and numbers of many
    digits in the names of data files. A carriage return alone ends a line, too, and only an empty line the header.
    """
    with open(path, encoding="latin-1") as stream:
        line = stream.readline(LONGEST_FIELD + 1)
        while line.rstrip("\n"):
            pair = line[line.find(":"):][:2] == ":="
            if len(line) > LONGEST_FIELD and not (line.startswith("#") or pair):
                raise FlareSegError("unreadable", f"{path} holds a line of its header that is far too long; export it "
                                                  "again.")
            files = re.match(r"data ?file:(.*%.*)", line, re.IGNORECASE | re.DOTALL)
            if files and not NUMBERED_FILES.fullmatch(files[1]):
                raise FlareSegError("unreadable", f"{path} names its data files in a way that cannot be followed; "
                                                  "export it as one file.")
            while line and not line.endswith("\n"):  # the rest of a long one
                line = stream.readline(HEADER_LIMIT)
            line = stream.readline(LONGEST_FIELD + 1)


def _start(path: Path) -> bytes:
    """The beginning of a file; of a NRRD with all line ends as they are understood here."""
    with open(path, "rb") as stream:
        start = stream.read(HEADER_LIMIT)
    return re.sub(rb"\r(?!\n)", b"\n", start) if start.startswith(b"NRRD") else start


def _check_metaimage(path: Path, start: bytes) -> None:
    """Refuse numbers of dimensions that ITK counts for ever, and lists and patterns of data files.

    ITK hands a pattern to printf, divides by its step, and gives memory that nobody has filled for files that are not
    listed: the process ends, or noise is taken for a CT.
    """
    dimensions = re.findall(rb"NDims[ \t]*=[ \t]*([^\r\n]*)", start)
    if not all(re.fullmatch(rb"[1-9][ \t]*", each) for each in dimensions):
        raise FlareSegError("unreadable", f"{path} tells of dimensions that no image has; export it again.")
    named = re.search(rb"ElementDataFile[^\n]*?[=:]([^\n]*)", start)
    if named is None:
        raise FlareSegError("unreadable", f"{path} has no header that tells where its voxels are; export it again.")
    if b"%" in named[1] or named[1].strip().upper().startswith(b"LIST"):
        raise FlareSegError("unreadable", f"{path} has its voxels in several files, which are not read; export it as "
                                          "one file.")


def _check_data_file(path: Path, start: bytes) -> None:
    data_file = _named_data_file(path, start)
    if data_file.exists() and not (data_file.is_file() or data_file.is_dir()):
        raise FlareSegError("unreadable", f"{path} names as its data file something that is no file; export it again.")


def _named_data_file(path: Path, start: bytes) -> Path:
    """What a header names as the file of its voxels, be it a list, a pattern or nothing that exists."""
    if start.startswith(b"NRRD"):
        named = _field(re.split(rb"\n\r?\n", start, maxsplit=1)[0], rb"data ?file:[ \t]*([^\r\n]+?)[ \t]*\r?$")
    else:
        named = _field(start, rb"ElementDataFile[ \t]*[=:][ \t]*([^\r\n]+?)[ \t]*\r?$")
    return path if named is None or named[1].upper() == b"LOCAL" else path.parent / named[1].decode("utf-8", "replace")


def check_voxels_can_be_there(path: Path, voxels: int) -> None:
    """Raise "unreadable" where a header tells of more voxels than its file can hold, before room is made for them."""
    data_file = _named_data_file(path, _start(path))
    if data_file.is_file() and voxels > MOST_PER_BYTE * data_file.stat().st_size:
        raise FlareSegError("unreadable", f"{path} was cut short: it tells of {voxels} voxels, which are not there; "
                                          "copy or export it again.")


def compressed_voxels(path: Path) -> tuple[Path, int] | None:
    """File and byte offset where the compressed voxels begin; None where they are stored plainly."""
    start = _start(path)
    found = _nrrd_header(start) if start.startswith(b"NRRD") else _metaimage_header(start)
    if found is None:
        return None
    data_file, end = found
    return (path, end) if data_file is None else (path.parent / data_file, 0)


def _nrrd_header(start: bytes) -> tuple[str | None, int] | None:
    """Name of the data file (None: the same file) and end of the header of a gzip-encoded NRRD; else None."""
    blank_line = re.search(rb"\r?\n\r?\n", start)
    header, end = (start[:blank_line.start()], blank_line.end()) if blank_line else (start, len(start))
    if not _field(header, rb"encoding:[ \t]*gz(?:ip)?\s*$") or _field(header, rb"(?:byte|line) ?skip:"):
        return None
    return _data_file(_field(header, rb"data ?file:[ \t]*(.+?)\s*$"), end)


def _metaimage_header(start: bytes) -> tuple[str | None, int] | None:
    """The same of a compressed MetaImage, whose header ends with the line ElementDataFile."""
    last = _field(start, rb"ElementDataFile[ \t]*=[ \t]*([^\r\n]+?)[ \t]*\r?\n")
    if last is None or not _field(start[:last.end()], rb"CompressedData[ \t]*=[ \t]*True"):
        return None
    return _data_file(None if last[1] == b"LOCAL" else last, last.end())


def _field(header: bytes, pattern: bytes) -> re.Match[bytes] | None:
    return re.search(rb"^" + pattern, header, re.MULTILINE | re.IGNORECASE)


def _data_file(named: re.Match[bytes] | None, header_end: int) -> tuple[str | None, int] | None:
    """Lists and patterns of data files are left to ITK."""
    name = named[1].decode("utf-8", "replace") if named else None
    return None if name and ("%" in name or name.startswith("LIST")) else (name, header_end)


def stream_is_whole(path: Path, offset: int) -> bool:
    """Whether a gzip or zlib stream from that byte on decompresses to its end and its checksum holds.

    However little a stream has for however much, it is unpacked in small pieces, up to `MOST_BYTES`.
    """
    unpack, length = zlib.decompressobj(GZIP_OR_ZLIB), 0
    with open(path, "rb") as stream:
        stream.seek(offset)
        try:
            while not unpack.eof and length <= MOST_BYTES and (
                    chunk := unpack.unconsumed_tail or stream.read(CHUNK_BYTES)):
                length += len(unpack.decompress(chunk, CHUNK_BYTES))
        except zlib.error:
            return False
    return unpack.eof
