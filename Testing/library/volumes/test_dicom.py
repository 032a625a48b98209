import os
import shutil
import struct

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.errors import FlareSegError
from FlareSegLib.volumes.dicom import list_series
from FlareSegLib.volumes.orientation import to_axial
from FlareSegLib.volumes.reading import read_volume

UID = "1.2.826.0.1.10"
OTHER = "1.2.826.0.1.20"


def failure(path, **options) -> FlareSegError:
    with pytest.raises(FlareSegError) as caught:
        read_volume(path, **options)
    assert "SECRET" not in str(caught.value)
    return caught.value


def without_position(folder, pattern="*"):
    """Take Image Position (Patient) out of files by giving it the next, unused tag (0020,0033)."""
    for path in folder.glob(pattern):
        content = path.read_bytes()
        assert b"\x20\x00\x32\x00" in content
        path.write_bytes(content.replace(b"\x20\x00\x32\x00", b"\x20\x00\x33\x00", 1))


def test_a_series_becomes_one_volume_from_bottom_to_top(tmp_path, write_series):
    voxels = write_series(tmp_path / "a", slices=14, step=2.5)
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.array, voxels)
    assert volume.array.dtype == np.int16
    np.testing.assert_allclose(volume.spacing, (0.7, 0.8, 2.5))
    np.testing.assert_allclose(volume.origin, (-10.5, 20, 0))
    np.testing.assert_allclose(volume.direction_matrix, np.eye(3))


def test_same_places_as_the_series_read_by_itk(tmp_path, write_series):
    """Slices are stored from head to feet."""
    write_series(tmp_path, slices=12, step=-2.0)
    volume = read_volume(tmp_path)
    files = sorted(str(p) for p in tmp_path.iterdir())
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files)
    image = reader.Execute()
    for index in ((0, 0, 0), (31, 23, 11), (5, 6, 7)):
        place = volume.index_to_physical(index)
        assert image[image.TransformPhysicalPointToIndex(place.tolist())] == volume.array[index[::-1]]


def test_coronal_series(tmp_path, write_series):
    positions = [10.0, 12, 14, 16, 18, 20, 22, 24, 26, 28]
    voxels = write_series(tmp_path, slices=10, positions=positions, t0020_0037="1\\0\\0\\0\\0\\-1")
    # the fixture moves slices along z, which lies in these images' plane: nothing is left along their normal
    assert failure(tmp_path).code == "not_3d"
    shutil.rmtree(tmp_path)
    for index, y in enumerate(positions):
        write_series(tmp_path, slices=10, skip=set(range(10)) - {index}, t0020_0037="1\\0\\0\\0\\0\\-1",
                     t0020_0032=f"5\\{y}\\300")
    volume = read_volume(tmp_path)
    np.testing.assert_array_equal(volume.array, voxels)
    np.testing.assert_allclose(volume.direction_matrix[:, 2], (0, 1, 0))
    axial, _ = to_axial(volume)
    np.testing.assert_allclose(axial.spacing, (0.7, 2.0, 0.8))


def test_rescale_slope_and_intercept_are_applied(tmp_path, write_series):
    voxels = write_series(tmp_path, t0028_1052="-1024", t0028_1053="2")
    volume = read_volume(tmp_path)
    # the writer divides by the slope, so that values come back to the nearest 2 HU
    assert np.abs(volume.array - voxels.astype(int)).max() <= 2
    assert volume.array.min() < -900


def test_one_file_stands_for_its_series(tmp_path, write_series):
    voxels = write_series(tmp_path, uid=UID)
    write_series(tmp_path, uid=OTHER, seed=2)
    file = next(tmp_path.glob(f"{UID}_*"))
    np.testing.assert_array_equal(read_volume(file).array, voxels)
    bare = file.rename(tmp_path / "IM0001")
    np.testing.assert_array_equal(read_volume(bare).array, voxels)


def test_several_series_are_listed_and_chosen(tmp_path, write_series):
    """By number, by key, by UID; the UID itself is not shown."""
    first = write_series(tmp_path / "a", uid=UID, slices=12)
    second = write_series(tmp_path / "b", uid=OTHER, slices=15, seed=2, t0020_0011="7")
    error = failure(tmp_path)
    keys = [series.key for series in list_series(tmp_path)]
    assert error.code == "several_series" and "--series" in str(error) and "studies" not in str(error)
    assert f"\n1: CT, 12 images of 32 x 24, 2.5 mm slices, study 1, key {keys[0]}" in str(error)
    assert f"\n2: CT, 15 images of 32 x 24, 2.5 mm slices, study 1, key {keys[1]}" in str(error)
    assert UID not in str(error) and OTHER not in str(error)
    np.testing.assert_array_equal(read_volume(tmp_path, series=UID).array, first)
    for wanted in ("2", keys[1], OTHER):
        np.testing.assert_array_equal(read_volume(tmp_path, series=wanted).array, second)
    assert failure(tmp_path, series="3").code == "bad_option"


def test_several_patients(tmp_path, write_series):
    """Their studies keep them apart, also where a bad anonymiser gave all series one UID."""
    voxels = [write_series(tmp_path / f"DOE^{letter}", uid=uid, seed=seed, t0020_000d=f"1.2.826.0.1.{seed}",
                           t0010_0010=f"SECRET^{letter}", t0008_103e="SECRET words")
              for letter, uid, seed in (("B", OTHER, 3), ("A", OTHER, 2), ("C", UID, 4))]
    error = failure(tmp_path)
    assert error.code == "several_series" and "3 CT series of 3 studies (several patients?)" in str(error)
    assert "DOE" not in str(error)
    assert [series.study for series in list_series(tmp_path)] == [1, 2, 3]
    for number, expected in ((1, voxels[1]), (2, voxels[0]), (3, voxels[2])):
        np.testing.assert_array_equal(read_volume(tmp_path, series=str(number)).array, expected)
    for number, key in enumerate(series.key for series in list_series(tmp_path)):
        np.testing.assert_array_equal(read_volume(tmp_path, series=key).array, voxels[(1, 0, 2)[number]])
    assert failure(tmp_path, series=OTHER).code == "several_series"
    np.testing.assert_array_equal(read_volume(next((tmp_path / "DOE^A").iterdir())).array, voxels[1])


def test_listing(tmp_path, write_series):
    write_series(tmp_path / "deep" / "er", uid=OTHER, t0020_0011="2")
    write_series(tmp_path, uid=UID, slices=3, t0020_0011="5", t0008_0060="MR")
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "junk.dcm").write_bytes(bytes(128) + b"DICM" + b"junk" * 50)
    found = list_series(tmp_path)
    assert [(s.number, s.uid, s.modality, s.images, s.size, s.slice_thickness) for s in found] == [
        (1, OTHER, "CT", 12, (32, 24), 2.5), (2, UID, "MR", 3, (32, 24), 2.5)]
    assert "SECRET" not in repr(found)


def test_localizer_report_and_other_modality_do_not_get_in_the_way(tmp_path, write_series):
    voxels = write_series(tmp_path, slices=16)
    write_series(tmp_path, uid="1.2.826.0.1.30", slices=2, t0008_0008="ORIGINAL\\PRIMARY\\LOCALIZER")
    write_series(tmp_path, uid="1.2.826.0.1.40", slices=1)
    without_position(tmp_path, "1.2.826.0.1.40*")
    write_series(tmp_path, uid="1.2.826.0.1.50", slices=20, t0008_0060="PT")
    assert len(list_series(tmp_path)) == 4
    np.testing.assert_array_equal(read_volume(tmp_path).array, voxels)


def test_a_copy_of_a_file_counts_once(tmp_path, write_series):
    voxels = write_series(tmp_path)
    (tmp_path / "copies").mkdir()
    for path in list(tmp_path.glob("*.dcm"))[:4]:
        shutil.copy(path, tmp_path / "copies" / path.name)
    np.testing.assert_array_equal(read_volume(tmp_path).array, voxels)


def test_folder_with_spaces_and_other_letters(tmp_path, write_series):
    voxels = write_series(tmp_path / "Ünï cøde 肝臓" / "é è")
    np.testing.assert_array_equal(read_volume(tmp_path / "Ünï cøde 肝臓").array, voxels)


def test_missing_slices(tmp_path, write_series):
    write_series(tmp_path, slices=12, skip={4, 5, 9})
    error = failure(tmp_path)
    assert error.code == "missing_slices" and "3 of 12" in str(error) and "2 after slice 4" in str(error)


def test_uneven_spacing(tmp_path, write_series):
    write_series(tmp_path, slices=12, positions=[0, 2.5, 5, 7.5, 10, 12.5, 16, 19.5, 23, 26.5, 30, 33.5])
    assert failure(tmp_path).code == "non_uniform_spacing"


def test_gantry_tilt(tmp_path, write_series):
    write_series(tmp_path, shift_per_mm=np.tan(np.radians(10)))
    assert failure(tmp_path).code == "sheared_geometry"


def test_two_phases_in_one_series(tmp_path, write_series):
    write_series(tmp_path, slices=12, positions=[0, 2.5, 5, 7.5, 10, 12.5] * 2)
    assert failure(tmp_path).code == "not_3d"


def test_mr_only(tmp_path, write_series):
    write_series(tmp_path, t0008_0060="MR")
    assert failure(tmp_path).code == "not_ct" and "MR" in str(failure(tmp_path))
    assert failure(tmp_path, series="1").code == "not_ct"
    assert failure(next(tmp_path.iterdir())).code == "not_ct"


@pytest.mark.parametrize("odd", [{"shape": (24, 40)}, {"t0020_0037": "0\\1\\0\\0\\0\\-1"}])
def test_mixed_size_or_orientation(tmp_path, write_series, odd):
    write_series(tmp_path, slices=12, skip={11})
    write_series(tmp_path, slices=12, skip=set(range(11)), **odd)
    assert failure(tmp_path).code == "invalid_geometry"


def test_images_without_position(tmp_path, write_series):
    write_series(tmp_path)
    without_position(tmp_path)
    assert failure(tmp_path).code == "invalid_geometry"


@pytest.mark.parametrize("index", [0, 5, 11])
def test_an_image_cut_short_is_not_passed_over(tmp_path, write_series, capfd, index):
    write_series(tmp_path)
    path = sorted(tmp_path.iterdir())[index]
    path.write_bytes(path.read_bytes()[:-300])
    capfd.readouterr()
    assert failure(tmp_path).code == "unreadable"
    assert failure(path).code == "unreadable"
    assert capfd.readouterr() == ("", "")


def empty(path):
    path.write_bytes(b"")


def shorten(path):
    path.write_bytes(path.read_bytes()[:-300])


def only_the_start(path):
    path.write_bytes(path.read_bytes()[:140])


def overwrite(path):
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("damage", [empty, shorten, only_the_start, overwrite])
def test_one_damaged_file_is_named_and_the_rest_is_told_to_be_fine(tmp_path, write_series, damage):
    """The last slice: without it the series would look whole."""
    write_series(tmp_path / "DOE^JANE" / "deep")
    path = min((tmp_path / "DOE^JANE" / "deep").iterdir())
    damage(path)
    for given, where in ((tmp_path, ""), (tmp_path / "DOE^JANE" / "deep", "DOE^JANE")):
        error = failure(given)
        assert error.code == "unreadable" and "all other 11 images can be read" in str(error)
        assert f"{path.name} in {given} is damaged" in str(error) and "\n" not in str(error)
        assert where or "DOE" not in str(error)


def test_of_many_damaged_files_a_few_are_named(tmp_path, write_series):
    write_series(tmp_path)
    paths = sorted(tmp_path.iterdir())
    for path in paths[3:8]:
        shorten(path)
    error = failure(tmp_path)
    assert f"{paths[3].name}, {paths[4].name}, {paths[5].name} and 2 more in" in str(error)
    assert "all other 7 images can be read" in str(error)
    for path in paths:
        shorten(path)
    assert "there is no other image" in str(failure(tmp_path))


def test_an_image_that_this_user_may_not_read_is_not_called_damaged(tmp_path, write_series, monkeypatch):
    """What may not be read looks empty; root may read all, so that the system's answer is put in its place."""
    write_series(tmp_path)
    path = min(tmp_path.iterdir())
    empty(path)
    monkeypatch.setattr(os, "access", lambda asked, mode, **_: asked != path)
    error = failure(tmp_path)
    assert error.code == "unreadable"
    assert str(error) == f"{path.name} in {tmp_path} may not be read by this user (permission denied); ask their owner."


def test_an_empty_file_without_ending_beside_a_ct(tmp_path, write_series):
    write_series(tmp_path)
    for index, path in enumerate(sorted(tmp_path.iterdir())):
        path.rename(tmp_path / f"IM{index:04d}")
    assert read_volume(tmp_path).array.shape[0] == 12
    empty(tmp_path / "IM0011")
    assert "IM0011" in str(failure(tmp_path))


def test_pixels_that_cannot_be_unpacked_are_named(tmp_path, write_series):
    write_series(tmp_path, slices=12)
    paths = sorted(tmp_path.iterdir())
    for path in paths:
        compress(path)
    assert read_volume(tmp_path).array.shape == (12, 24, 32)
    content = bytearray(paths[4].read_bytes())
    content[-340:-280] = b"\xff" * 60
    paths[4].write_bytes(content)
    error = failure(tmp_path)
    assert error.code == "unreadable" and paths[4].name in str(error)
    assert "all other 11 images can be read" in str(error) and str(tmp_path) not in str(error)


def compress(path):
    """Write a DICOM image anew as lossless JPEG."""
    image = sitk.ReadImage(str(path))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.SetFileName(str(path))
    writer.Execute(image)


def dicom_file(path, sop_class, modality, meta_header=True):
    """Write a DICOM file that holds no image (explicit VR, little endian)."""
    def element(tag, kind, value):
        value = value.encode() + (b"" if len(value) % 2 == 0 else b"\0" if kind == "UI" else b" ")
        return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, kind.encode(), len(value)) + value

    meta = element(0x00020002, "UI", sop_class) + element(0x00020010, "UI", "1.2.840.10008.1.2.1")
    data = element(0x00080016, "UI", sop_class) + element(0x00080060, "CS", modality) \
        + element(0x00100010, "PN", "SECRET^NAME")
    start = bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(meta)) + meta if meta_header else b""
    path.write_bytes(start + data)


def test_files_that_are_no_images_do_not_disturb(tmp_path, write_series):
    voxels = write_series(tmp_path)
    dicom_file(tmp_path / "DICOMDIR", "1.2.840.10008.1.3.10", "")
    dicom_file(tmp_path / "report.dcm", "1.2.840.10008.5.1.4.1.1.88.11", "SR")
    dicom_file(tmp_path / "old report.dcm", "1.2.840.10008.5.1.4.1.1.88.11", "SR", meta_header=False)
    dicom_file(tmp_path / "IM0099", "1.2.840.10008.5.1.4.1.1.11.1", "PR")
    dicom_file(tmp_path / "private.dcm", "1.3.12.2.1107.5.9.1", "CT")
    for name in ("notes.txt", "README", "Thumbs.db", "index.html", "._IM0001.dcm", ".DS_Store", "picture.jpg"):
        (tmp_path / name).write_text("hello")
    (tmp_path / "LOCKFILE.txt").touch()
    np.testing.assert_array_equal(read_volume(tmp_path).array, voxels)


def test_something_odd_in_another_folder_does_not_disturb(tmp_path, write_series):
    voxels = write_series(tmp_path / "ct")
    (tmp_path / "viewer").mkdir()
    (tmp_path / "viewer" / "odd.dcm").write_text("no DICOM")
    (tmp_path / "viewer" / "VERSION").touch()
    np.testing.assert_array_equal(read_volume(tmp_path).array, voxels)


@pytest.mark.parametrize("sop_class", ["1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"])
def test_multi_frame_ct_as_itk_writes_it(tmp_path, sop_class):
    pytest.importorskip("pydicom")
    path = tmp_path / "ct.dcm"
    write_multi_frame(path, sop_class, 14)
    for given in (path, tmp_path):
        volume = read_volume(given)
        np.testing.assert_array_equal(volume.array, np.arange(14 * 24 * 32).reshape(14, 24, 32))
        np.testing.assert_allclose(volume.spacing, (0.7, 0.8, 2.5))
    shorten(path)
    assert "ct.dcm" in str(failure(tmp_path))


def write_multi_frame(path, sop_class, frames):
    """Write an enhanced CT; SimpleITK makes its functional groups with each frame's position."""
    image = sitk.GetImageFromArray(np.arange(frames * 24 * 32, dtype=np.int16).reshape(frames, 24, 32))
    image.SetSpacing((0.7, 0.8, 2.5))
    tags = {"0008|0008": "ORIGINAL\\PRIMARY\\VOLUME\\NONE", "0008|0016": sop_class, "0008|0018": "1.2.826.0.1.60.1",
            "0008|0060": "CT", "0020|000d": "1.2.826.0.1.1", "0020|000e": "1.2.826.0.1.60",
            "0010|0010": "SECRET^NAME"}
    for key, value in tags.items():
        image.SetMetaData(key, value)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.Execute(image)
    assert sop_class.encode() in path.read_bytes()[:1024]


def test_a_single_image(tmp_path, write_series):
    write_series(tmp_path, slices=1)
    assert failure(tmp_path).code == "not_3d"


def test_folders_without_dicom(tmp_path):
    assert failure(tmp_path).code == "not_found"
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "README").write_text("hello")
    assert failure(tmp_path).code == "not_found"


def test_files_that_only_look_like_dicom(tmp_path):
    (tmp_path / "x.dcm").write_bytes(bytes(128) + b"DICM" + b"junk" * 50)
    assert failure(tmp_path / "x.dcm").code == "unreadable"
    (tmp_path / "empty.dcm").write_bytes(b"")
    assert failure(tmp_path / "empty.dcm").code == "unreadable"
    assert failure(tmp_path).code == "not_found"
