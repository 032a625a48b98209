import gzip
import struct

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.errors import FlareSegError
from FlareSegLib.volumes.nifti_header import check_nifti, parse_header
from FlareSegLib.volumes.sitk_bridge import sitk_from_volume

GOOD_SFORM = [[-0.8, 0, 0, 0], [0, -0.9, 0, 0], [0, 0, 2.5, 0]]


@pytest.fixture
def nifti(ct, tmp_path):
    path = tmp_path / "ct.nii"
    sitk.WriteImage(sitk_from_volume(ct), str(path))
    return path


def with_geometry(path, sform, sform_code=1, qform_code=1, pixdim=None):
    content = bytearray(path.read_bytes())
    struct.pack_into("<hh", content, 252, qform_code, sform_code)
    struct.pack_into("<12f", content, 280, *np.ravel(sform))
    if pixdim:
        struct.pack_into("<3f", content, 80, *pixdim)
    path.write_bytes(content)
    return path


def code_of(path):
    with pytest.raises(FlareSegError) as caught:
        check_nifti(path)
    return caught.value.code


def test_whole_files_of_either_byte_order(nifti):
    check_nifti(nifti)
    content = nifti.read_bytes()
    assert parse_header(content).file_bytes == len(content)
    big = bytearray(348)
    struct.pack_into(">i", big, 0, 348)
    struct.pack_into(">8h", big, 40, 3, 5, 4, 3, 1, 1, 1, 1)
    struct.pack_into(">h", big, 72, 16)
    struct.pack_into(">f", big, 108, 352)
    big[344:347] = b"n+1"
    assert parse_header(bytes(big)).file_bytes == 352 + 120


@pytest.mark.parametrize("lost", [1, 5000, 100_000, -3])
def test_truncation_by_bytes(nifti, lost):
    content = nifti.read_bytes()
    nifti.write_bytes(content[:-lost])
    assert code_of(nifti) == "unreadable"


@pytest.mark.parametrize("lost", [1, 8, 9, 5000])
def test_truncated_gzip(nifti, lost):
    nifti.write_bytes(gzip.compress(nifti.read_bytes())[:-lost])
    assert code_of(nifti) == "unreadable"


def test_a_flipped_bit_in_gzip_fails_its_checksum(nifti):
    packed = bytearray(gzip.compress(nifti.read_bytes(), compresslevel=0))
    packed[len(packed) // 2] ^= 1
    nifti.write_bytes(packed)
    assert code_of(nifti) == "unreadable"


def test_gzip_in_several_members_is_whole(nifti):
    content = nifti.read_bytes()
    nifti.write_bytes(gzip.compress(content[:1000]) + gzip.compress(content[1000:]))
    check_nifti(nifti)


def test_whole_gzip_of_too_few_voxels(nifti):
    nifti.write_bytes(gzip.compress(nifti.read_bytes()[:-2]))
    assert code_of(nifti) == "unreadable"


@pytest.mark.parametrize("rank", [0, 8, 3 * 256, -1])
def test_a_rank_that_makes_itk_swap_bytes_is_refused(nifti, rank):
    content = bytearray(nifti.read_bytes())
    struct.pack_into("<h", content, 40, rank)
    nifti.write_bytes(content)
    assert code_of(nifti) == "unreadable"


def test_voxels_are_as_wide_as_their_type_whatever_bitpix_says(nifti):
    content = bytearray(nifti.read_bytes())
    struct.pack_into("<h", content, 72, 0)
    nifti.write_bytes(content[:-1])
    assert code_of(nifti) == "unreadable"


@pytest.mark.parametrize(("content", "code"), [
    (b"", "unreadable"), (b"hello", "unreadable"), (b"\x1f\x8b\x08rest", "unreadable"), (bytes(400), "unreadable"),
    (struct.pack("<i", 540) + bytes(600), "unsupported_type"),
])
def test_other_content(tmp_path, content, code):
    path = tmp_path / "x.nii.gz"
    path.write_bytes(content)
    assert code_of(path) == code


@pytest.mark.parametrize(("sform", "options", "code"), [
    ([[0.8, 0, 0.5, 0], [0, 0.9, 0, 0], [0, 0, 2.45, 0]], {}, "sheared_geometry"),
    ([[0.8, 0, 0.5, 0], [0, 0.9, 0, 0], [0, 0, 2.45, 0]], {"qform_code": 0}, "sheared_geometry"),
    ([[1.2, 0, 0, 0], [0, 0.9, 0, 0], [0, 0, 2.5, 0]], {}, "invalid_geometry"),
    ([[np.nan, 0, 0, 0], [0, 0.9, 0, 0], [0, 0, 2.5, 0]], {}, "invalid_geometry"),
    ([[0, 0, 0, 0], [0, 0.9, 0, 0], [0, 0, 2.5, 0]], {}, "invalid_geometry"),
    (GOOD_SFORM, {"pixdim": (0, 0.9, 2.5)}, "invalid_geometry"),
    (GOOD_SFORM, {"pixdim": (np.nan, 0.9, 2.5)}, "invalid_geometry"),
])
def test_contradictory_geometry(nifti, sform, options, code):
    assert code_of(with_geometry(nifti, sform, **options)) == code


def test_an_unused_sform_is_not_looked_at(nifti):
    check_nifti(with_geometry(nifti, np.zeros((3, 4)), sform_code=0))


def test_a_gzip_bomb_is_left_early(nifti, monkeypatch):
    monkeypatch.setattr("FlareSegLib.volumes.nifti_header.LARGEST_REST", 1 << 20)
    whole = nifti.read_bytes()
    nifti.write_bytes(gzip.compress(whole + bytes(1 << 20)))
    check_nifti(nifti)
    nifti.write_bytes(gzip.compress(whole + bytes(1 << 26)) + b"what lies behind is not read")
    with pytest.raises(FlareSegError, match="far more than") as caught:
        check_nifti(nifti)
    assert caught.value.code == "unreadable"
