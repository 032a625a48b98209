"""Reading what is looked at, and refusing what cannot be."""

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.errors import FlareSegError
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.results.dicom_seg import write_dicom_seg
from FlareSegLib.viewer.case import read_case
from FlareSegLib.volumes.dicom import find_series
from FlareSegLib.volumes.sitk_bridge import sitk_from_volume

from .conftest import make_volumes, write_files


def write_labels(path, label_map, fields=None):
    """Write a label map with header fields and return its path."""
    image = sitk_from_volume(label_map)
    for key, value in (fields or {}).items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path))
    return path


def refusal(*paths) -> FlareSegError:
    with pytest.raises(FlareSegError) as failure:
        read_case(*paths)
    return failure.value


def test_voxels_grid_and_organs_are_those_of_the_files(files):
    case = read_case(*files)
    assert case.ct.array.dtype == np.int16 and case.label_map.array.dtype == np.uint8
    ct, label_map = make_volumes()
    assert np.array_equal(case.ct.array, ct.array) and np.array_equal(case.label_map.array, label_map.array)
    assert case.organs == FLARE_ORGANS


def test_fractions_of_hu_are_rounded_and_giants_clipped(tmp_path):
    ct, label_map = make_volumes()
    floats = ct.array.astype(np.float32) + np.float32(0.4)
    floats[0, 0, 0] = 1e6
    case = read_case(*write_files(tmp_path, ct.with_array(floats), label_map))
    assert case.ct.array[0, 0, 0] == 32767
    assert np.array_equal(case.ct.array.ravel()[1:], ct.array.ravel()[1:])


def test_a_label_map_without_names_is_read_by_flares_numbers(tmp_path, files):
    _, label_map = make_volumes(read_case(*files).ct.direction)
    array = label_map.array.copy()
    array[0, 0, :3] = 9
    case = read_case(files[0], write_labels(tmp_path / "labels.nii.gz", label_map.with_array(array)))
    assert [(organ.label, organ.name) for organ in case.organs] == [
        *((organ.label, organ.name) for organ in FLARE_ORGANS), (9, "label 9")]


@pytest.fixture
def dicom_case(tmp_path, write_dicom_ct):
    """Folder of a DICOM CT, the SEG on it, the labels."""
    pytest.importorskip("highdicom")
    write_dicom_ct(tmp_path / "ct", make_volumes()[0])
    series = find_series(tmp_path / "ct")
    _, label_map = make_volumes()
    write_dicom_seg(tmp_path / "organs.dcm", label_map, FLARE_ORGANS, series, "tiny 1")
    return tmp_path / "ct", tmp_path / "organs.dcm", label_map


def test_a_dicom_seg_is_shown_on_its_ct_whatever_that_was_made_into(tmp_path, dicom_case):
    folder, segmentation, label_map = dicom_case
    converted, _ = write_files(tmp_path, *make_volumes())
    for ct in (folder, converted):
        case = read_case(ct, segmentation)
        assert np.array_equal(case.label_map.array, label_map.array) and case.organs == FLARE_ORGANS


def test_a_dicom_seg_of_another_scan_is_refused(tmp_path, dicom_case, write_dicom_ct):
    folder, segmentation, label_map = dicom_case
    write_dicom_ct(tmp_path / "other", make_volumes()[0], FrameOfReferenceUID="1.2.3")
    error = refusal(tmp_path / "other", segmentation)
    assert error.code == "invalid_geometry" and "frame of reference" in str(error)
    assert refusal(folder, next(folder.iterdir())).code == "unsupported_type"  # a CT
    assert refusal(tmp_path / "none.nii", segmentation).code == "not_found"
    assert refusal(folder, tmp_path / "none.dcm").code == "not_found"
    none = label_map.with_array(np.zeros_like(label_map.array))
    write_dicom_seg(tmp_path / "none.dcm", none, FLARE_ORGANS, find_series(folder), "tiny 1")
    assert refusal(folder, tmp_path / "none.dcm").code == "empty"


def test_names_in_a_seg_nrrd_are_believed_whatever_their_numbers(tmp_path, files):
    _, label_map = make_volumes(read_case(*files).ct.direction)
    fields = {"Segment0_LabelValue": "1", "Segment0_Name": "Spleen", "Segment1_LabelValue": "4",
              "Segment1_Name": "<b>tumour</b>", "Segment2_LabelValue": "7", "Segment2_Name": "liver",
              "Segment3_LabelValue": "x", "Segment3_Name": "kidney"}
    case = read_case(files[0], write_labels(tmp_path / "other.seg.nrrd", label_map, fields))
    assert {organ.label: organ.name for organ in case.organs} == {
        1: "spleen", 2: "label 2", 3: "label 3", 4: "<b>tumour</b>", 7: "liver"}
    assert case.organs[0].colour == FLARE_ORGANS[2].colour


@pytest.mark.parametrize("change, said", [
    (lambda image: image[:, :, 1:], "size"),
    (lambda image: (image.SetSpacing((4.5, 5.0, 6.0)), image)[1], "spacing"),
    (lambda image: (image.SetOrigin((0, 0, 0)), image)[1], "origin or direction"),
])
def test_another_grid_is_refused_and_the_difference_told(tmp_path, files, change, said):
    image = change(sitk.ReadImage(str(files[1])))
    sitk.WriteImage(image, str(tmp_path / "other.nii.gz"))
    error = refusal(files[0], tmp_path / "other.nii.gz")
    assert error.code == "invalid_geometry" and said in str(error)


def test_what_is_no_case_is_refused(tmp_path, files):
    ct, segmentation = files
    assert refusal(segmentation, ct).code == "unsupported_type"  # the wrong way round
    assert refusal(tmp_path / "none.nii", segmentation).code == "not_found"
    assert refusal(ct, tmp_path).code == "unreadable"
    damaged = tmp_path / "damaged.nii.gz"
    damaged.write_bytes(b"hello")
    assert str(refusal(ct, damaged)).startswith("The segmentation: ")
    assert refusal(segmentation, segmentation).code == "not_ct"
    _, label_map = make_volumes(read_case(*files).ct.direction)
    empty = write_labels(tmp_path / "empty.nii", label_map.with_array(np.zeros_like(label_map.array)))
    assert refusal(ct, empty).code == "empty"
