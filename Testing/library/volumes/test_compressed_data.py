import gzip
import os
import tracemalloc

import pytest
import SimpleITK as sitk

from FlareSegLib.errors import FlareSegError
from FlareSegLib.volumes.compressed_data import check_compressed_data, compressed_voxels
from FlareSegLib.volumes.reading import read_volume
from FlareSegLib.volumes.sitk_bridge import sitk_from_volume

FORMATS = {".nrrd": ".nrrd", ".mha": ".mha", ".nhdr": ".raw.gz", ".mhd": ".zraw"}


@pytest.fixture(params=FORMATS)
def written(request, ct, tmp_path):
    """A compressed file and the one that holds its voxels."""
    path = tmp_path / f"é ct{request.param}"
    sitk.WriteImage(sitk_from_volume(ct), str(path), True)
    return path, tmp_path / f"é ct{FORMATS[request.param]}"


def test_the_stream_is_found(written):
    path, data = written
    place, offset = compressed_voxels(path)
    assert place == data
    assert data.read_bytes()[offset:offset + 1] in (b"\x1f", b"\x78")
    check_compressed_data(path)


@pytest.mark.parametrize("where", [0.3, 0.5, 0.7, 0.97])
def test_damage_of_the_same_length_is_found(written, where, capfd):
    path, data = written
    content = bytearray(data.read_bytes())
    content[int(len(content) * where)] ^= 0x10
    data.write_bytes(content)
    capfd.readouterr()
    with pytest.raises(FlareSegError) as caught:
        read_volume(path)
    assert caught.value.code == "unreadable"
    assert capfd.readouterr() == ("", "")


def test_a_lost_data_file(written):
    path, data = written
    data.unlink()
    with pytest.raises(FlareSegError) as caught:
        check_compressed_data(path)
    assert caught.value.code == "unreadable"


@pytest.mark.parametrize("ending", FORMATS)
def test_plain_voxels_are_not_looked_at(ct, tmp_path, ending):
    path = tmp_path / f"ct{ending}"
    sitk.WriteImage(sitk_from_volume(ct), str(path), False)
    assert compressed_voxels(path) is None
    check_compressed_data(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"NRRD0004\n", b"NRRD0004\nencoding: gzip\n\n"])
def test_other_content_does_no_harm(tmp_path, content):
    path = tmp_path / "x.nrrd"
    path.write_bytes(content)
    with pytest.raises(FlareSegError) as caught:
        read_volume(path)
    assert caught.value.code == "unreadable"


def test_a_bomb_is_unpacked_in_small_pieces_and_left_early(tmp_path, monkeypatch):
    monkeypatch.setattr("FlareSegLib.volumes.compressed_data.MOST_BYTES", 1 << 25)
    path = tmp_path / "bomb.nrrd"
    header = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 6 5 4\nendian: little\nencoding: gzip\n\n"
    path.write_bytes(header + gzip.compress(bytes(1 << 26)))
    tracemalloc.start()
    try:
        with pytest.raises(FlareSegError) as caught:
            check_compressed_data(path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.code == "unreadable" and most < 4 << 20


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in this file system")
@pytest.mark.parametrize("name, header", [
    ("x.nhdr", b"NRRD0004\ntype: short\ndimension: 3\nsizes: 6 5 4\nencoding: raw\ndata file: pipe\n\n"),
    ("x.nhdr", b"NRRD0004\ntype: short\ndimension: 3\nsizes: 6 5 4\nencoding: gzip\ndata file: pipe\n\n"),
    ("x.mhd", b"NDims = 3\nDimSize = 6 5 4\nElementType = MET_SHORT\nElementDataFile = pipe\n")])
def test_a_data_file_on_which_one_would_wait_is_refused(tmp_path, name, header):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / name).write_bytes(header)
    with pytest.raises(FlareSegError, match="no file") as caught:
        read_volume(tmp_path / name)
    assert caught.value.code == "unreadable"


@pytest.mark.parametrize("line", ["type: " + 1200 * "s", 1200 * "x", "space directions: (1,0," + 1200 * "9" + ")"])
def test_header_lines_that_crash_itk_are_refused(ct, tmp_path, line):
    path = tmp_path / "ct.nrrd"
    sitk.WriteImage(sitk_from_volume(ct), str(path))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"NRRD0004\n", b"NRRD0004\n" + line.encode() + b"\n"))
    with pytest.raises(FlareSegError, match="far too long") as caught:
        read_volume(path)
    assert caught.value.code == "unreadable"
    harmless = b"NRRD0004\n#" + 5000 * b"c" + b"\nkey:=" + 70_000 * b"v" + b"\n"
    path.write_bytes(content.replace(b"NRRD0004\n", harmless))
    assert read_volume(path).size == ct.size


def test_sizes_that_no_ct_has_are_refused_before_room_is_made(tmp_path):
    path = tmp_path / "x.nrrd"
    path.write_bytes(b"NRRD0004\ntype: short\ndimension: 3\nsizes: 2048 2048 2048\nendian: little\n"
                     b"encoding: raw\n\nxx")
    with pytest.raises(FlareSegError, match="more than any CT"):
        read_volume(path)


@pytest.mark.parametrize("name, header", [
    ("x.nrrd", b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 512 512 200\nencoding: raw\n\nxx"),
    ("x.nrrd", b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 512 512 200\nencoding: raw\n\nx\ndata file: z\n"),
    ("x.nhdr", b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 512 512 200\nencoding: raw\ndata file: raw\n\n"),
    ("x.mha", b"NDims = 3\nDimSize = 512 512 200\nElementType = MET_UCHAR\ndata file: z\nElementDataFile: LOCAL\nxx"),
    ("x.mha", b"NDims = 3\nDimSize = 512 512 200\nElementType = MET_UCHAR\nElementDataFile = LOCAL\nxx")])
def test_voxels_that_are_not_there_get_no_room(tmp_path, name, header):
    (tmp_path / "raw").write_bytes(b"xx")
    (tmp_path / name).write_bytes(header)
    with pytest.raises(FlareSegError, match="cut short: it tells of 52428800 voxels") as caught:
        read_volume(tmp_path / name)
    assert caught.value.code == "unreadable"


def test_the_emptiest_of_all_images_is_read(tmp_path):
    """Nothing is packed tighter than zeros."""
    for name in ("x.nrrd", "x.mha"):
        sitk.WriteImage(sitk.Image((512, 512, 200), sitk.sitkUInt8), str(tmp_path / name), True)
        assert (tmp_path / name).stat().st_size < 60_000
        assert not read_volume(tmp_path / name).array.any()


def test_carriage_returns_end_lines(ct, tmp_path):
    path = tmp_path / "ct.nrrd"
    sitk.WriteImage(sitk_from_volume(ct), str(path), True)
    content = path.read_bytes()
    header, voxels = content[:content.index(b"\n\n") + 2], bytearray(content[content.index(b"\n\n") + 2:])
    old = header.replace(b"\n", b"\r")
    path.write_bytes(old + voxels)
    assert (read_volume(path).array == ct.array).all()
    path.write_bytes(old.replace(b"\r\r", b"\rkey:=value\r" + 1200 * b"x" + b"\r\r") + voxels)
    with pytest.raises(FlareSegError, match="far too long"):
        read_volume(path)
    voxels[len(voxels) // 2] ^= 0x10
    path.write_bytes(old + voxels)
    with pytest.raises(FlareSegError, match="damaged or cut short"):
        read_volume(path)


@pytest.mark.parametrize("files", [b"%d.raw 1 2 1", b"%d.raw 1 2 0", b"%s.raw", b"LIST\n1.raw\n",
                                   b"LIST 3\n1.raw\n2.raw"])
def test_metaimages_of_several_files_are_refused(tmp_path, files):
    for number in (1, 2):
        (tmp_path / f"{number}.raw").write_bytes(bytes([number, 0]) * 12)
    (tmp_path / "ct.mhd").write_bytes(b"NDims = 3\nDimSize = 4 3 2\nElementSize = 1 1 1\nElementType = MET_SHORT\n"
                                      b"ElementDataFile = " + files + b"\n")
    with pytest.raises(FlareSegError) as caught:
        read_volume(tmp_path / "ct.mhd")
    assert caught.value.code == "unreadable" and "several files" in str(caught.value)


@pytest.mark.parametrize("files, read", [
    (b"%d.raw 1 2 1\n", True), (b"%1d.raw 1 3 2\n", True), (b"LIST\n1.raw\n3.raw", True), (b"%999d.raw 1 2 1\n", False),
    (b"%d%d.raw 1 2 1\n", False), (b"%s.raw 1 2 1\n", False), (b"LIST\n1.raw", False), (b"%d.raw 1 2 0\n", False)])
def test_nrrds_of_several_files(tmp_path, files, read):
    for number in (1, 2, 3):
        (tmp_path / f"{number}.raw").write_bytes(bytes([number, 0]) * 12)
    (tmp_path / "ct.nhdr").write_bytes(b"NRRD0004\ntype: short\ndimension: 3\nsizes: 4 3 2\nspacings: 1 1 1\n"
                                       b"encoding: raw\nendian: little\ndata file: " + files + b"\n")
    if read:
        assert read_volume(tmp_path / "ct.nhdr").array[:, 0, 0].tolist() == ([1, 3] if b"3" in files else [1, 2])
        return
    with pytest.raises(FlareSegError) as caught:
        read_volume(tmp_path / "ct.nhdr")
    assert caught.value.code == "unreadable"
