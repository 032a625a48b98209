"""DICOM SEG, read back by highdicom and by dcmqi, which share no code with each other."""

import json
import logging
import subprocess
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from FlareSegLib.errors import FlareSegError
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.results.dicom_seg import check_dicom_seg, write_dicom_seg
from FlareSegLib.volumes.dicom import find_series, read_series
from FlareSegLib.volumes.volume import Volume

highdicom = pytest.importorskip("highdicom")
pydicom = pytest.importorskip("pydicom")
SHAPE = (7, 5, 6)
ANY_ORDER = (3, 1, 0, 2, 6, 5, 4)


def grid(direction=np.eye(3), seed=0) -> Volume:
    array = np.random.default_rng(seed).integers(-1000, 1000, SHAPE).astype(np.int16)
    return Volume(array, (0.7, 0.8, 2.5), (-10.5, 20.25, -300.0), tuple(np.asarray(direction, float).ravel()))


def labels_on(ct: Volume, values=(0, 1, 2, 3, 4), seed=1) -> Volume:
    """Noise of labels, with slices that hold none at both ends and in the middle."""
    array = np.random.default_rng(seed).choice(np.array(values, np.uint8), ct.array.shape)
    array[[0, 3, -1]] = 0
    return ct.with_array(array)


def written(folder, labels=None):
    """Read the series in `folder`, write a SEG for it, return the series, the label map and the SEG's file."""
    series = find_series(folder)
    labels = labels_on(read_series(series)) if labels is None else labels
    path = folder.parent / "seg.dcm"
    write_dicom_seg(path, labels, FLARE_ORGANS, series, "tiny 1")
    return series, labels, path


def assert_same_places(segmentation, labels: Volume):
    """Each labelled voxel lies where the CT's does, in patient coordinates, and there are no others."""
    volume = segmentation.get_volume(combine_segments=True)
    index = np.argwhere(volume.array)
    places = index @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    scaled = (places - labels.origin) @ labels.direction_matrix / labels.spacing
    ijk = np.rint(scaled).astype(int)
    assert np.abs(scaled - ijk).max() < 1e-3
    found = np.zeros_like(labels.array)
    found[tuple(ijk[:, ::-1].T)] = volume.array[tuple(index.T)]
    np.testing.assert_array_equal(found, labels.array)


@settings(max_examples=8)
@given(axes=st.permutations(range(3)), flips=st.tuples(*[st.sampled_from((-1, 1))] * 3), turned=st.booleans(),
       order=st.permutations(range(SHAPE[0])), seed=st.integers(0, 99))
def test_each_voxel_lies_where_the_ct_has_it(write_dicom_ct, axes, flips, turned, order, seed):
    """Axial, coronal and sagittal series, flipped, oblique, of files in any order; by patient coordinates and by the
    images that the frames refer to."""
    direction = np.eye(3)[:, list(axes)] * flips
    direction[:, 2] = np.cross(direction[:, 0], direction[:, 1])  # DICOM has no left-handed series
    if turned:
        direction = Rotation.from_euler("zyx", (20, -35, 10), degrees=True).as_matrix() @ direction
    with TemporaryDirectory() as name:
        ct = grid(direction, seed)
        write_dicom_ct(Path(name) / "ct", ct, order)
        series, labels, path = written(Path(name) / "ct")
        segmentation = highdicom.seg.segread(path)
        np.testing.assert_array_equal(read_series(series).array, ct.array)
        assert_same_places(segmentation, labels)
        by_image = segmentation.get_pixels_by_source_instance(
            [f"{series.uid}.{k + 1}" for k in range(SHAPE[0])], combine_segments=True,
            assert_missing_frames_are_empty=True)
        np.testing.assert_array_equal(by_image, labels.array)


@pytest.mark.parametrize("order", [range(SHAPE[0]), range(SHAPE[0])[::-1], ANY_ORDER])
def test_on_an_enhanced_ct_frames_refer_to_frames(tmp_path, write_dicom_ct, order):
    write_dicom_ct(tmp_path / "ct", grid(), order, enhanced=True)
    series, labels, path = written(tmp_path / "ct")
    segmentation = highdicom.seg.segread(path)
    assert_same_places(segmentation, labels)
    by_frame = segmentation.get_pixels_by_source_frame(
        f"{series.uid}.1", [order.index(k) + 1 for k in range(SHAPE[0])], combine_segments=True,
        assert_missing_frames_are_empty=True)
    np.testing.assert_array_equal(by_frame, labels.array)


def test_dcmqi_reads_it_on_the_ct_s_grid(tmp_path, write_dicom_ct):
    """The reader that 3D Slicer uses. The CT's slice thickness (5 mm) is not the distance of its slices (2.5 mm)."""
    pytest.importorskip("dcmqi")
    direction = Rotation.from_euler("zyx", (20, -35, 10), degrees=True).as_matrix()
    write_dicom_ct(tmp_path / "ct", grid(direction), ANY_ORDER)
    _, labels, path = written(tmp_path / "ct")
    reader = Path(sys.executable).with_name("segimage2itkimage")
    done = subprocess.run([reader, "--inputDICOM", path, "--outputDirectory", tmp_path, "--mergeSegments",
                           "--outputType", "nrrd", "--prefix", "read"], capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "ERROR" not in said.upper() and "absent" not in said and "E: " not in said
    image = sitk.ReadImage(str(tmp_path / "read-1.nrrd"))
    found = np.zeros_like(labels.array)
    for index in np.argwhere(sitk.GetArrayViewFromImage(image))[:, ::-1].tolist():
        place = np.array(image.TransformIndexToPhysicalPoint(index))
        i, j, k = np.rint((place - labels.origin) @ labels.direction_matrix / labels.spacing).astype(int)
        found[k, j, i] = image[index]
    np.testing.assert_array_equal(found, labels.array)
    segments = json.loads((tmp_path / "read-meta.json").read_text())["segmentAttributes"][0]
    assert [segment["recommendedDisplayRGBValue"] for segment in segments] == [list(o.colour) for o in FLARE_ORGANS]
    assert [segment["SegmentedPropertyTypeCodeSequence"]["CodeMeaning"] for segment in segments] == [
        "Liver", "Kidney", "Spleen", "Pancreas"]
    assert [segment.get("SegmentedPropertyTypeModifierCodeSequence", {}).get("CodeValue") for segment in segments] == [
        None, "51440002", None, None]


def test_what_it_says_of_itself(tmp_path, write_dicom_ct):
    write_dicom_ct(tmp_path / "ct", grid())
    series, _, path = written(tmp_path / "ct")
    found = highdicom.seg.segread(path)
    assert found.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.4" and found.SegmentationType == "BINARY"
    assert (found.Modality, found.ContentLabel, found.ContentQualification) == ("SEG", "ABDOMINAL_ORGANS", "RESEARCH")
    assert found.Manufacturer == "FlareSeg" and found.SeriesNumber == 1003 and found.ContentCreatorName == ""
    assert found.SeriesInstanceUID != series.uid and found.StudyInstanceUID == "1.2.826.0.1.1"
    assert found.FrameOfReferenceUID == "1.2.826.0.1.2" and str(found.PatientName) == "SECRET^NAME"
    assert {item.ReferencedSOPInstanceUID for item in found.ReferencedSeriesSequence[0].ReferencedInstanceSequence} == {
        f"{series.uid}.{k + 1}" for k in range(SHAPE[0])}
    for number, organ in enumerate(FLARE_ORGANS, start=1):
        segment = found.get_segment_description(number)
        assert (segment.segment_label, segment.algorithm_type.value) == (organ.name, "AUTOMATIC")
        assert segment.segmented_property_category.value == "123037004"
        assert (segment.segmented_property_type.value, segment.segmented_property_type.scheme_designator,
                segment.segmented_property_type.meaning) == (organ.code.value, "SCT", organ.code.meaning)
        algorithm = segment.SegmentationAlgorithmIdentificationSequence[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("FlareSeg", found.SoftwareVersions)
        assert "tiny 1" in str(algorithm.AlgorithmParameters)
    kidney = found.SegmentSequence[1].SegmentedPropertyTypeCodeSequence[0]
    modifier = kidney.SegmentedPropertyTypeModifierCodeSequence[0]
    assert (modifier.CodingSchemeDesignator, modifier.CodeValue) == ("SCT", "51440002")


@pytest.mark.parametrize(("values", "names"), [((0, 3), ["spleen"]), ((0, 2, 4), ["kidney", "pancreas"]),
                                               ((0,), ["liver", "kidney", "spleen", "pancreas"])])
def test_segments_are_what_was_found_numbered_without_a_gap(tmp_path, write_dicom_ct, values, names):
    write_dicom_ct(tmp_path / "ct", grid())
    ct = read_series(find_series(tmp_path / "ct"))
    _, labels, path = written(tmp_path / "ct", labels_on(ct, values))
    found = highdicom.seg.segread(path)
    assert [segment.SegmentLabel for segment in found.SegmentSequence] == names
    uids = [f"1.2.826.0.1.70.{k + 1}" for k in range(SHAPE[0])]
    masks = found.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True)
    labels_of = {organ.name: organ.label for organ in FLARE_ORGANS}
    for number, name in enumerate(names):
        np.testing.assert_array_equal(masks[..., number], labels.array == labels_of[name])


UNRULY = {"PatientName": "SECRET" * 20 + "=\N{GREEK SMALL LETTER ALPHA}=x=SECRET", "PatientID": "SECRET" * 20,
          "PatientBirthDate": "SECRET.1901", "StudyDate": "01.02.2020 SECRET", "StudyTime": "SECRET o'clock",
          "PatientSex": "SECRET", "AccessionNumber": "SECRET" * 9, "StudyID": "SECRET" * 9}


@pytest.mark.parametrize("element", UNRULY)
def test_values_that_break_the_rules_are_not_quoted(tmp_path, write_dicom_ct, capfd, caplog, element):
    """Whether it comes to a SEG or to an error."""
    caplog.set_level(logging.DEBUG)
    write_dicom_ct(tmp_path / "ct", grid(), **{element: UNRULY[element]})
    caplog.clear()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            _, labels, path = written(tmp_path / "ct")
            assert path.exists()
        except FlareSegError as error:
            assert error.code == "unreadable" and error.__cause__ is None and error.__suppress_context__
            assert "SECRET" not in str(error) and list(tmp_path.iterdir()) == [tmp_path / "ct"]
    assert "SECRET" not in "".join((*capfd.readouterr(), caplog.text, *(str(each.message) for each in warned)))


def test_names_in_other_letters_arrive(tmp_path, write_dicom_ct):
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    write_dicom_ct(tmp_path / "ct", grid(), PatientName=name)
    _, _, path = written(tmp_path / "ct")
    assert str(pydicom.dcmread(path).PatientName) == name


def test_elements_that_anonymisers_take_out_are_left_empty(tmp_path, write_dicom_ct):
    gone = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
            "StudyTime", "SeriesNumber", "SpecificCharacterSet", "PositionReferenceIndicator")
    write_dicom_ct(tmp_path / "ct", grid(), **dict.fromkeys(gone))
    _, labels, path = written(tmp_path / "ct")
    found = highdicom.seg.segread(path)
    assert found.PatientID == "" and found.SeriesNumber == 1000
    assert_same_places(found, labels)


@pytest.mark.parametrize("thickness", [None, ""])
def test_a_ct_that_does_not_tell_its_slice_thickness(tmp_path, write_dicom_ct, thickness):
    write_dicom_ct(tmp_path / "ct", grid(), SliceThickness=thickness)
    _, labels, path = written(tmp_path / "ct")
    found = highdicom.seg.segread(path)
    measures = found.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SpacingBetweenSlices == pytest.approx(labels.spacing[2])
    assert_same_places(found, labels)


def failure(folder) -> FlareSegError:
    with pytest.raises(FlareSegError) as caught:
        check_dicom_seg(find_series(folder))
    return caught.value


def test_what_a_reference_needs_is_missing(tmp_path, write_dicom_ct):
    write_dicom_ct(tmp_path / "ct", grid(), FrameOfReferenceUID=None)
    error = failure(tmp_path / "ct")
    assert error.code == "unsupported_type" and "FrameOfReferenceUID" in str(error)


def test_an_enhanced_ct_of_several_files(tmp_path, write_dicom_ct):
    ct = grid()
    for number, part in enumerate((slice(0, 4), slice(4, 7))):
        half = Volume(ct.array[part], ct.spacing, tuple(ct.index_to_physical((0, 0, part.start))), ct.direction)
        write_dicom_ct(tmp_path / "ct", half, enhanced=True, SOPInstanceUID=f"1.2.826.0.1.71.{number}")
        next((tmp_path / "ct").glob("*_000.dcm")).rename(tmp_path / "ct" / f"part{number}.dcm")
    error = failure(tmp_path / "ct")
    assert error.code == "unsupported_type" and "several" in str(error)


def test_without_the_packages(tmp_path, write_dicom_ct, monkeypatch):
    write_dicom_ct(tmp_path / "ct", grid())
    monkeypatch.setitem(sys.modules, "highdicom", None)
    error = failure(tmp_path / "ct")
    assert error.code == "missing_package" and "pip install highdicom pydicom" in str(error)


def test_nothing_is_left_behind_or_overwritten(tmp_path, write_dicom_ct):
    write_dicom_ct(tmp_path / "ct", grid())
    series, labels, path = written(tmp_path / "ct")
    before = path.read_bytes()
    for target, code in ((path, "output_exists"), (tmp_path / "seg.nii", "bad_option")):
        with pytest.raises(FlareSegError) as caught:
            write_dicom_seg(target, labels, FLARE_ORGANS, series, "tiny 1")
        assert caught.value.code == code
    series.slices[4].path.write_bytes(b"gone bad")
    with pytest.raises(FlareSegError) as caught:
        write_dicom_seg(path, labels, FLARE_ORGANS, series, "tiny 1", overwrite=True)
    assert caught.value.code == "unreadable" and path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ct", "seg.dcm"]
