"""Whether the elements of a DICOM file can be as long as they say: GDCM makes room for that before it reads them.

A file of a kilobyte could so claim gigabytes, which GDCM does not give back. Encoding of elements: DICOM PS3.5,
section 7; the file's beginning: PS3.10, section 7.1.
"""

from __future__ import annotations

import mmap
import re
import struct
from pathlib import Path

UNDEFINED = 0xFFFFFFFF
#: Value representations with a length of four bytes behind two reserved ones, and those with two bytes (PS3.5, 7.1.2).
LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
SHORT = frozenset((b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH",
                   b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US"))
#: Items, their ends and the ends of sequences have no value representation.
ITEM_GROUP = 0xFFFE
PIXEL_DATA = (0x7FE0, 0x0010)
_TRANSFER_SYNTAX = re.compile(rb"\x02\x00\x10\x00UI..([0-9.]+)", re.DOTALL)
IMPLICIT, DEFLATED, BIG_ENDIAN = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.2"


def lengths_fit(path: Path) -> bool:
    """Whether no element up to the pixels claims more bytes than the file has.

    Sequences and items of undefined length are walked into, others are passed over. What cannot be opened or is too
    short to be DICOM passes: its reader will say so.
    """
    try:
        with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _all_fit(content)
    except (OSError, ValueError):  # ValueError: an empty file
        return True


def _all_fit(content: mmap.mmap) -> bool:
    marked = content[128:132] == b"DICM"
    found = _TRANSFER_SYNTAX.search(content[:1024]) if marked else None
    syntax = found[1] if found else b""
    offset, end = 132 if marked else 0, len(content)
    while offset + 8 <= end:
        meta = content[offset:offset + 2] == b"\x02\x00"
        if not meta and syntax == DEFLATED:
            return True
        order = ">" if syntax == BIG_ENDIAN and not meta else "<"
        tag = struct.unpack_from(f"{order}2H", content, offset)
        offset, length = _value(content, offset + 4, order, tag[0] == ITEM_GROUP or syntax == IMPLICIT and not meta)
        if length != UNDEFINED:
            offset += length
        if offset > end:
            return False
        if tag == PIXEL_DATA and length != UNDEFINED:
            return True
    return True


def _value(content: mmap.mmap, offset: int, order: str, implicit: bool) -> tuple[int, int]:
    """Where an element's value begins, and its length; a representation that is none is taken for half a length."""
    kind = content[offset:offset + 2]
    if not implicit and kind in SHORT:
        return offset + 4, struct.unpack_from(f"{order}H", content, offset + 2)[0]
    if not implicit and kind in LONG:
        offset += 4
    if offset + 4 > len(content):
        return offset + 4, 0
    return offset + 4, struct.unpack_from(f"{order}I", content, offset)[0]
