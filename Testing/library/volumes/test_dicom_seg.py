"""DICOM SEG read back as a label map: what we write, what highdicom writes of others' making, what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from FlareSegLib.errors import FlareSegError
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.results.dicom_seg import write_dicom_seg
from FlareSegLib.volumes.dicom import find_series, read_series
from FlareSegLib.volumes.dicom_seg import (check_frame_of_reference, frame_of_reference, grid_of, is_dicom_seg,
                                           label_map_on, read_dicom_seg)
from FlareSegLib.volumes.reading import read_label_map, read_volume
from FlareSegLib.volumes.volume import Volume

highdicom = pytest.importorskip("highdicom")
pydicom = pytest.importorskip("pydicom")
SHAPE = (7, 5, 6)  # 30 voxels a frame: frames do not begin at whole bytes
OBLIQUE = (0.8, 0.6, 0.0, -0.6, 0.8, 0.0, 0.0, 0.0, 1.0)
TURNED = (0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


def grid(direction=OBLIQUE) -> Volume:
    array = np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(np.int16)
    return Volume(array, (0.7, 0.8, 2.5), (-10.5, 20.25, -300.0), direction)


def noise(ct: Volume, seed=1) -> Volume:
    """Labels 0 to 4; one slice in the middle and the last one hold none."""
    array = np.random.default_rng(seed).integers(0, 5, ct.array.shape).astype(np.uint8)
    array[[3, -1]] = 0
    return ct.with_array(array)


@pytest.fixture
def ct_folder(tmp_path, write_dicom_ct):
    write_dicom_ct(tmp_path / "ct", grid(), order=(3, 1, 0, 2, 6, 5, 4))
    return tmp_path / "ct"


@pytest.fixture
def ours(ct_folder):
    """CT, labels and the file that we write of them."""
    series = find_series(ct_folder)
    ct = read_series(series)
    labels = noise(ct)
    write_dicom_seg(ct_folder.parent / "organs.dcm", labels, FLARE_ORGANS, series, "tiny 1")
    return ct, labels, ct_folder.parent / "organs.dcm"


def foreign(folder, masks, described, kind="BINARY", change=lambda segmentation: None):
    """A SEG of highdicom on the series in a folder: masks (segment, k, j, i), and (label, type code) of each."""
    series = find_series(folder)
    ct = read_series(series)
    files = sorted((pydicom.dcmread(one.path) for one in series.slices),
                   key=lambda file: np.dot(ct.direction_matrix[:, 2], file.ImagePositionPatient))
    category = highdicom.sr.CodedConcept("123037004", "SCT", "Anatomical Structure")
    segments = [highdicom.seg.SegmentDescription(number, label, category, highdicom.sr.CodedConcept(*code), "MANUAL")
                for number, (label, code) in enumerate(described, 1)]
    pixels = np.stack(masks, -1) if kind != "LABELMAP" else masks
    segmentation = highdicom.seg.Segmentation(
        files, pixels, kind, segments, highdicom.UID(), 7, highdicom.UID(), 1, "maker", "model", "1", "1")
    change(segmentation)
    path = folder.parent / "foreign.dcm"
    segmentation.save_as(path)
    return ct, path


def refusal(read, *args) -> FlareSegError:
    with pytest.raises(FlareSegError) as caught:
        read(*args)
    return caught.value


LIVER, KIDNEY, AORTA = ("10200004", "SCT", "Liver"), ("64033007", "SCT", "Kidney"), ("15825003", "SCT", "Aorta")
TISSUE = ("85756007", "SCT", "Tissue")


def test_what_we_write_comes_back_voxel_by_voxel(ours):
    ct, labels, path = ours
    assert is_dicom_seg(path)
    segmentation = read_dicom_seg(path)
    np.testing.assert_array_equal(label_map_on(ct, segmentation).array, labels.array)
    assert tuple(segmentation.organs.values()) == FLARE_ORGANS


@settings(max_examples=10)
@given(axes=st.permutations(range(3)), flips=st.tuples(*[st.booleans()] * 3))
def test_on_the_same_grid_stored_in_another_order(tmp_path_factory, write_dicom_ct, axes, flips):
    """As other programs store a CT that they have converted from DICOM."""
    folder = tmp_path_factory.mktemp("case")
    write_dicom_ct(folder / "ct", grid())
    series = find_series(folder / "ct")
    labels = noise(read_series(series))
    write_dicom_seg(folder / "organs.dcm", labels, FLARE_ORGANS, series, "tiny 1")
    first = [(size - 1) * flip for size, flip in zip(labels.size, flips)]
    steps = np.eye(3)[:, list(axes)]
    signs = np.where(flips, -1, 1)
    array = labels.array[tuple(slice(None, None, int(sign)) for sign in signs[::-1])]
    array = array.transpose([2 - axes[2 - k] for k in range(3)])
    other = Volume(array, tuple(np.array(labels.spacing)[list(axes)].tolist()),
                   tuple(labels.index_to_physical(first).tolist()),
                   tuple((labels.direction_matrix * signs @ steps).ravel().tolist()))
    np.testing.assert_array_equal(label_map_on(other, read_dicom_seg(folder / "organs.dcm")).array, array)


def test_two_segmentations_have_a_grid_of_their_own(ours):
    """The least one: the last slice holds no label."""
    ct, labels, path = ours
    segmentation = read_dicom_seg(path)
    own = grid_of(segmentation)
    assert own.size == (6, 5, 6) and np.allclose(own.spacing, ct.spacing) and np.allclose(own.origin, ct.origin)
    assert np.allclose(own.direction, ct.direction)
    np.testing.assert_array_equal(label_map_on(own, segmentation).array, labels.array[:6])


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_segments_of_others_are_known_by_code_then_by_label(ct_folder, kind):
    """Both kidneys are one organ; what is none of ours keeps its name, whatever it is called."""
    masks = np.zeros((6, *SHAPE), np.uint8)
    for number in range(6):
        masks[number, number, 1:4, number:] = 1
    described = [("x", LIVER), ("left kidney", KIDNEY), ("Right_Kidney", TISSUE), ("aorta", AORTA),
                 ("liver", ("4147007", "SCT", "Mass")), ("bile\nduct", TISSUE)]
    as_values = (masks * np.arange(1, 7)[:, None, None, None]).sum(0).astype(np.uint8)
    ct, path = foreign(ct_folder, masks if kind == "BINARY" else as_values, described, kind)
    segmentation = read_dicom_seg(path)
    assert {number: (organ.label, organ.name) for number, organ in segmentation.organs.items()} == {
        1: (1, "liver"), 2: (2, "kidney"), 3: (2, "kidney"), 4: (5, "aorta"), 5: (6, "segment 5 liver"),
        6: (7, "bileduct")}
    expected = np.array([0, 1, 2, 2, 5, 6, 7], np.uint8)[as_values]
    np.testing.assert_array_equal(label_map_on(ct, segmentation).array, expected)
    np.testing.assert_array_equal(label_map_on(ct, segmentation, {3: 9}).array, np.uint8(9) * (as_values == 3))


def test_retired_codes_are_known(ct_folder):
    """As in SEGs of before 2019."""
    _, path = foreign(ct_folder, np.ones((1, *SHAPE), np.uint8), [("segment", ("T-C3000", "SRT", "Spleen"))])
    assert read_dicom_seg(path).organs == {1: FLARE_ORGANS[2]}


def test_overlapping_segments_are_refused_unless_they_are_one_organ(ct_folder):
    masks = np.ones((2, *SHAPE), np.uint8)
    ct, path = foreign(ct_folder, masks, [("a", LIVER), ("b", AORTA)])
    assert refusal(label_map_on, ct, read_dicom_seg(path)).code == "unsupported_type"
    ct, path = foreign(ct_folder, masks, [("left", KIDNEY), ("right", KIDNEY)])
    assert (label_map_on(ct, read_dicom_seg(path)).array == 2).all()


def test_probabilities_are_refused(ct_folder):
    _, path = foreign(ct_folder, np.full((1, *SHAPE), 0.5, np.float32), [("a", LIVER)], "FRACTIONAL")
    error = refusal(read_dicom_seg, path)
    assert error.code == "unsupported_type" and "fractions" in str(error)


def test_another_frame_of_reference_is_refused(ours, ct_folder):
    segmentation = read_dicom_seg(ours[2])
    check_frame_of_reference(segmentation, frame_of_reference(find_series(ct_folder)))
    check_frame_of_reference(segmentation, "")
    assert refusal(check_frame_of_reference, segmentation, "1.2.3").code == "invalid_geometry"


@pytest.mark.parametrize(("changed", "code"), [
    (lambda ct: Volume(ct.array[1:], ct.spacing, tuple(ct.index_to_physical((0, 0, 1))), ct.direction),
     "missing_slices"),
    (lambda ct: Volume(ct.array, (0.7, 0.8, 5.0), ct.origin, ct.direction), "missing_slices"),
    (lambda ct: Volume(ct.array[:, :4], ct.spacing, ct.origin, ct.direction), "invalid_geometry"),
    (lambda ct: Volume(ct.array, (0.7, 0.9, 2.5), ct.origin, ct.direction), "invalid_geometry"),
    (lambda ct: Volume(ct.array, ct.spacing, (-10.8, *ct.origin[1:]), ct.direction), "invalid_geometry"),
    (lambda ct: Volume(ct.array, ct.spacing, ct.origin, TURNED), "invalid_geometry"),
    (lambda ct: Volume(ct.array, ct.spacing, (1e30, 0, 0), ct.direction), "invalid_geometry"),
])
def test_another_ct_is_refused(ours, changed, code):
    ct, _, path = ours
    assert refusal(label_map_on, changed(ct), read_dicom_seg(path)).code == code


def test_what_is_no_dicom_seg_is_refused(tmp_path, ours, ct_folder):
    assert refusal(read_dicom_seg, tmp_path / "none.dcm").code == "not_found"
    assert refusal(read_dicom_seg, next(ct_folder.iterdir())).code == "unsupported_type"
    (tmp_path / "text.dcm").write_text("no DICOM")
    assert refusal(read_dicom_seg, tmp_path / "text.dcm").code == "unreadable"
    whole = ours[2].read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[:-40])
    assert refusal(lambda: label_map_on(ours[0], read_dicom_seg(tmp_path / "cut.dcm"))).code == "unreadable"


def test_a_deflated_file_is_refused_before_it_is_unpacked(tmp_path, ours):
    """It may be a bomb, and pydicom unpacks all of it."""
    file = pydicom.dcmread(ours[2])
    file.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    file.save_as(tmp_path / "deflated.dcm", enforce_file_format=True)
    assert "deflated" in str(refusal(read_dicom_seg, tmp_path / "deflated.dcm"))


def test_a_real_ct_made_dicom(tmp_path, real_data, write_dicom_ct):
    folder = real_data / "ct" / "ts_slab20"
    ct, labels = read_volume(folder / "ct.nii.gz"), read_label_map(folder / "organs4_silver.nii.gz")
    write_dicom_ct(tmp_path / "ct", ct)
    series = find_series(tmp_path / "ct")
    as_read = read_series(series)
    same_order = as_read.origin[2] == pytest.approx(ct.origin[2])
    stored = as_read.with_array(labels.array if same_order else labels.array[::-1])
    write_dicom_seg(tmp_path / "organs.dcm", stored, FLARE_ORGANS, series, "tiny 1")
    segmentation = read_dicom_seg(tmp_path / "organs.dcm")
    np.testing.assert_array_equal(label_map_on(as_read, segmentation).array, stored.array)
    np.testing.assert_array_equal(label_map_on(ct, segmentation).array, labels.array)  # on the NIfTI's own grid
