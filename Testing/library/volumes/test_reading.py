import gzip
import os
import struct

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.errors import FlareSegError
from FlareSegLib.volumes.checks import check_ct
from FlareSegLib.volumes.reading import IMAGE_IO, read_label_map, read_volume
from FlareSegLib.volumes.sitk_bridge import sitk_from_volume

OBLIQUE = (0.96, -0.28, 0.0, 0.28, 0.96, 0.0, 0.0, 0.0, -1.0)


@pytest.fixture
def image(ct):
    image = sitk_from_volume(ct)
    image.SetDirection(OBLIQUE)
    return image


def code_of(path, read=read_volume, **options):
    with pytest.raises(FlareSegError) as caught:
        read(path, **options)
    return caught.value.code


@pytest.mark.parametrize("ending", IMAGE_IO)
@pytest.mark.parametrize("compressed", [False, True])
def test_every_format_keeps_voxels_and_places(ct, image, tmp_path, ending, compressed):
    path = tmp_path / f"ct{ending}"
    sitk.WriteImage(image, str(path), compressed)
    volume = read_volume(str(path))
    np.testing.assert_array_equal(volume.array, ct.array)
    assert volume.array.dtype == np.int16
    np.testing.assert_allclose(volume.spacing, ct.spacing, rtol=1e-6)
    np.testing.assert_allclose(volume.origin, ct.origin, atol=1e-4)
    np.testing.assert_allclose(volume.direction, OBLIQUE, atol=1e-6)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_spaces_other_letters_and_capitals_in_paths(ct, image, tmp_path, ending):
    folder = tmp_path / "Ünï cøde 肝臓"
    folder.mkdir()
    sitk.WriteImage(image, str(tmp_path / f"x{ending}"))
    path = (tmp_path / f"x{ending}").rename(folder / f"脾 CT é{ending.upper()}")
    np.testing.assert_array_equal(read_volume(path).array, ct.array)


@pytest.mark.parametrize(("stored", "kept"), [
    (np.float32, np.float32), (np.float64, np.float32), (np.int32, np.int16), (np.int8, np.int16),
    (np.uint16, np.int16),
])
def test_voxel_types(tmp_path, stored, kept):
    array = np.arange(60).reshape(3, 4, 5).astype(stored)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / "x.nrrd"))
    volume = read_volume(tmp_path / "x.nrrd")
    assert volume.array.dtype == kept
    np.testing.assert_array_equal(volume.array, array)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("stored", [np.uint8, np.int32, np.float64])
def test_label_maps(tmp_path, ending, stored):
    labels = (np.arange(60).reshape(3, 4, 5) % 5).astype(stored)
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(tmp_path / f"x{ending}"))
    volume = read_label_map(tmp_path / f"x{ending}")
    assert volume.array.dtype == np.uint8
    np.testing.assert_array_equal(volume.array, labels)


def test_an_image_is_no_label_map(ct, tmp_path):
    sitk.WriteImage(sitk_from_volume(ct.with_array(ct.array / np.float32(3))), str(tmp_path / "x.nrrd"))
    assert code_of(tmp_path / "x.nrrd", read_label_map) == "unsupported_type"


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("kept", [0, 0.02, 0.5, 0.999])
@pytest.mark.parametrize("compressed", [False, True])
def test_truncated_files_are_refused_without_chatter(image, tmp_path, capfd, ending, kept, compressed):
    path = tmp_path / f"ct{ending}"
    sitk.WriteImage(image, str(path), compressed)
    content = path.read_bytes()
    path.write_bytes(content[:int(len(content) * kept)])
    capfd.readouterr()
    assert code_of(path) == "unreadable"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("header", "data"), [(".mhd", ".raw"), (".nhdr", ".raw")])
def test_detached_data_cut_short_or_lost(image, tmp_path, header, data):
    path = tmp_path / f"ct{header}"
    sitk.WriteImage(image, str(path), False)
    content = path.with_suffix(data).read_bytes()
    path.with_suffix(data).write_bytes(content[:-10])
    assert code_of(path) == "unreadable"
    path.with_suffix(data).unlink()
    assert code_of(path) == "unreadable"


def test_paths_that_cannot_be_read(tmp_path, image):
    assert code_of(tmp_path / "absent.nii.gz") == "not_found"
    assert code_of(tmp_path / ("x" * 5000)) == "not_found"
    (tmp_path / "notes.txt").write_text("hello")
    assert code_of(tmp_path / "notes.txt") == "unsupported_type"
    (tmp_path / "text.nrrd").write_text("hello")
    assert code_of(tmp_path / "text.nrrd") == "unreadable"
    assert code_of(tmp_path, read_label_map) == "unreadable"
    sitk.WriteImage(image, str(tmp_path / "ct.nrrd"))
    assert code_of(tmp_path / "ct.nrrd", series="1") == "bad_option"


@pytest.mark.parametrize("name", ["ct.nii.gz", "ct.nrrd", "series"])
def test_what_this_user_may_not_read_is_not_called_damaged(tmp_path, image, monkeypatch, name):
    path = tmp_path / name
    if name == "series":
        path.mkdir()
    else:
        sitk.WriteImage(image, str(path))
    path.chmod(0)
    if os.name != "posix" or os.geteuid() == 0:  # who may read all the same
        monkeypatch.setattr(os, "access", lambda asked, mode, **_: asked != path)
    with pytest.raises(FlareSegError, match="may not be read by this user") as refusal:
        read_volume(path)
    path.chmod(0o700)
    assert refusal.value.code == "unreadable"


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_images_that_are_no_scalar_volume(image, tmp_path, ending):
    path = tmp_path / f"x{ending}"
    small = image[:8, :8, :8]
    sitk.WriteImage(sitk.JoinSeries([small, small]), str(path))
    assert code_of(path) == "not_3d"
    sitk.WriteImage(small[:, :, 0], str(path))
    assert code_of(path) == "not_3d"
    sitk.WriteImage(sitk.Compose([sitk.Cast(small, sitk.sitkUInt8)] * 3), str(path))
    assert code_of(path) == "unsupported_type"
    sitk.WriteImage(sitk.JoinSeries([small]), str(path))
    assert read_volume(path).size == (8, 8, 8)


def test_complex_nifti(tmp_path, image):
    real = sitk.Cast(image, sitk.sitkFloat32)
    sitk.WriteImage(sitk.RealAndImaginaryToComplex(real, real), str(tmp_path / "x.nii"))
    assert code_of(tmp_path / "x.nii") == "unsupported_type"


def test_sheared_nifti_is_refused_in_our_words_without_chatter(image, tmp_path, capfd):
    path = tmp_path / "sheared.nii"
    sitk.WriteImage(image, str(path))
    content = bytearray(path.read_bytes())
    struct.pack_into("<hh", content, 252, 0, 1)
    struct.pack_into("<12f", content, 280, 0.8, 0, 0.4, 0, 0, 0.9, 0, 0, 0, 0, 2.47, 0)
    path.write_bytes(content)
    with pytest.raises(FlareSegError, match="right angles") as caught:
        read_volume(path)
    assert caught.value.code == "sheared_geometry"
    assert "ITK" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_zero_spacing(image, tmp_path, ending):
    path = tmp_path / f"x{ending}"
    image.SetDirection((1, 0, 0, 0, 1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(path), False)
    head, data = path.read_bytes()[:700], path.read_bytes()[700:]
    assert b"2.5" in head
    path.write_bytes(head.replace(b"2.5", b"0.0", 1) + data)
    assert code_of(path) == "invalid_geometry"


def test_rescaled_nifti_is_in_hu(ct, tmp_path):
    path = tmp_path / "raw.nii"
    sitk.WriteImage(sitk_from_volume(ct.with_array(ct.array + np.int16(1024))), str(path))
    content = bytearray(path.read_bytes())
    struct.pack_into("<2f", content, 112, 1.0, -1024.0)
    path.with_suffix(".nii.gz").write_bytes(gzip.compress(content))
    np.testing.assert_array_equal(read_volume(path.with_suffix(".nii.gz")).array, ct.array)


def test_real_ct_and_labels_share_a_grid(real_data):
    case = real_data / "ct" / "ts_slab20"
    image, labels = read_volume(case / "ct.nii.gz"), read_label_map(case / "organs4_silver.nii.gz")
    assert image.array.dtype == np.int16 and labels.array.dtype == np.uint8
    assert image.size == labels.size == (512, 512, 20)
    np.testing.assert_allclose(image.origin, labels.origin, atol=1e-3)
    liver = image.array[labels.array == 1]
    assert 50 < np.median(liver) < 200


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "nrrd", "mha"])
def test_a_voxel_that_is_no_number_is_never_read_as_zero(tmp_path, ending):
    """ITK's NIfTI reader turns NaN into 0 without a word."""
    array = np.zeros((4, 300, 301), np.float32)
    array[3, 299, 299] = np.nan
    path = tmp_path / f"ct.{ending}"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    with pytest.raises(FlareSegError) as caught:
        check_ct(read_volume(path))
    assert caught.value.code == "not_finite"
