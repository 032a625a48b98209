import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.volumes.dicom_lengths import lengths_fit

META = b"\0" * 128 + b"DICM" + b"\x02\x00\x10\x00UI\x14\x00"
EXPLICIT, IMPLICIT, BIG = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0", b"1.2.840.10008.1.2.2\0"
PIXELS = b"\xe0\x7f\x10\x00OW\0\0\x04\0\0\0abcd"


def written(tmp_path, *parts):
    path = tmp_path / "slice.dcm"
    path.write_bytes(b"".join(parts))
    return path


def plain(group, element, value, order="<"):
    return struct.pack(f"{order}HHI", group, element, len(value)) + value


def explicit(group, element, kind, value, order="<"):
    return struct.pack(f"{order}HH2sH", group, element, kind, len(value)) + value


SEQUENCE = (struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 2**32 - 1) + struct.pack("<HHI", 0xFFFE, 0xE000, 2**32 - 1)
            + explicit(8, 0x1150, b"UI", b"1.2\0") + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
            + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
FRAGMENTS = (struct.pack("<HH2sHI", 0x7FE0, 16, b"OB", 0, 2**32 - 1) + plain(0xFFFE, 0xE000, b"") +
             plain(0xFFFE, 0xE000, b"jpeg") + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))


@pytest.mark.parametrize("parts", [
    (META, EXPLICIT, explicit(8, 0x60, b"CS", b"CT"), PIXELS),
    (META, EXPLICIT, SEQUENCE, explicit(8, 0x60, b"CS", b"CT"), PIXELS, b"garbage behind the pixels"),
    (META, EXPLICIT, SEQUENCE, FRAGMENTS),
    (META, IMPLICIT, plain(8, 0x60, b"CT"), plain(0x28, 2, b"x" * 0x4C55), plain(0x7FE0, 16, b"abcd")),
    (META, BIG, explicit(8, 0x60, b"CS", b"CT", ">"), explicit(0x28, 16, b"US", b"\1\0", ">")),
    (explicit(8, 0x60, b"CS", b"CT"), PIXELS),
    (b"",), (b"short",),
])
def test_whole_files_fit(tmp_path, parts):
    assert lengths_fit(written(tmp_path, *parts))


@pytest.mark.parametrize("last", [plain(8, 0x60, b"CT")[:4] + b"\xff\xff\xff\x7f", PIXELS[:8] + b"\xf0\xff\xff\xff",
                                  struct.pack("<HH2sHI", 8, 0x1140, b"SQ", 0, 2**31), PIXELS[:-1],
                                  explicit(8, 0x60, b"CS", b"x" * 60000)[:20]])
@pytest.mark.parametrize("before", [b"", SEQUENCE, SEQUENCE[:20]])
def test_what_claims_more_than_there_is_does_not(tmp_path, last, before):
    assert not lengths_fit(written(tmp_path, META, EXPLICIT, before, last))


@given(st.binary(max_size=200))
def test_any_bytes_are_judged(tmp_path_factory, data):
    assert lengths_fit(written(tmp_path_factory.mktemp("any"), META, EXPLICIT, data)) in (True, False)
