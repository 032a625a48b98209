import sys

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from FlareSegLib.errors import FlareSegError
from FlareSegLib.volumes.dicom import find_series, list_series
from FlareSegLib.volumes.reading import read_volume
from FlareSegLib.volumes.volume import Volume

pydicom = pytest.importorskip("pydicom")
UID = "1.2.826.0.1.70"
SLICES = 12
ANY_ORDER = (3, 1, 0, 2, 10, 9, 8, 4, 5, 7, 6, 11)
JPEG_LS, RLE = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.5"


def grid(slices=SLICES, direction=np.eye(3)) -> Volume:
    array = np.random.default_rng(0).integers(-1000, 1000, (slices, 24, 32)).astype(np.int16)
    return Volume(array, (0.7, 0.8, 2.5), (-10.5, 20.25, -300.0), tuple(np.asarray(direction, float).ravel()))


def failure(path) -> FlareSegError:
    with pytest.raises(FlareSegError) as caught:
        read_volume(path)
    assert "SECRET" not in str(caught.value)
    return caught.value


def assert_same(volume, ct):
    np.testing.assert_array_equal(volume.array, ct.array)
    assert volume.array.dtype == np.int16
    for index in ((0, 0, 0), (31, 23, len(ct.array) - 1)):
        np.testing.assert_allclose(volume.index_to_physical(index), ct.index_to_physical(index), atol=1e-4)


def change(folder, mend):
    """Let `mend` change the one file's dataset."""
    path = next(folder.iterdir())
    dataset = pydicom.dcmread(path)
    mend(dataset)
    dataset.save_as(path)


@settings(max_examples=10)
@given(order=st.permutations(range(SLICES)), turned=st.booleans(), flipped=st.booleans())
def test_frames_in_any_order(write_dicom_ct, tmp_path_factory, order, turned, flipped):
    direction = Rotation.from_euler("zyx", (20, -35, 10), degrees=True).as_matrix() if turned else np.eye(3)
    direction = direction * ((1, -1, -1) if flipped else (1, 1, 1))
    folder = tmp_path_factory.mktemp("enhanced")
    write_dicom_ct(folder, grid(direction=direction), order, enhanced=True)
    assert_same(read_volume(folder), grid(direction=direction))


@pytest.mark.parametrize("compress", [JPEG_LS, RLE])
@pytest.mark.parametrize("enhanced", [False, True])
def test_compressed(tmp_path, write_dicom_ct, compress, enhanced):
    write_dicom_ct(tmp_path, grid(), ANY_ORDER, enhanced, compress)
    assert compress.encode() in next(tmp_path.iterdir()).read_bytes()[:1024]
    assert_same(read_volume(tmp_path), grid())


@pytest.mark.parametrize(("compressor", "syntax"), [("JPEG", "1.2.840.10008.1.2.4.70"),
                                                    ("JPEG2000", "1.2.840.10008.1.2.4.90")])
def test_frames_that_gdcm_packs(tmp_path, write_dicom_ct, compressor, syntax):
    """pydicom packs neither; frames are packed one by one by GDCM and put into the file with their order kept."""
    from pydicom.encaps import encapsulate, generate_frames

    ct = grid()
    write_dicom_ct(tmp_path / "single", ct, ANY_ORDER)
    packed = []
    for path in sorted((tmp_path / "single").iterdir()):
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.UseCompressionOn()
        writer.SetCompressor(compressor)
        writer.SetFileName(str(path))
        writer.Execute(sitk.ReadImage(str(path)))
        packed.append(next(generate_frames(pydicom.dcmread(path).PixelData, number_of_frames=1)))
    assert_same(read_volume(tmp_path / "single"), ct)
    write_dicom_ct(tmp_path / "enhanced", ct, ANY_ORDER, enhanced=True)

    def compress(dataset):
        dataset.PixelData = encapsulate(packed)
        dataset["PixelData"].VR = "OB"
        dataset.file_meta.TransferSyntaxUID = syntax
    change(tmp_path / "enhanced", compress)
    assert_same(read_volume(tmp_path / "enhanced"), ct)


def test_it_is_listed_by_its_frames_and_preferred_to_a_localizer(tmp_path, write_dicom_ct):
    write_dicom_ct(tmp_path, grid(), enhanced=True)
    localizer = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write_dicom_ct(tmp_path, grid(2), enhanced=True, uid="1.2.826.0.1.80", ImageType=localizer)
    series = find_series(tmp_path)
    assert series.images == SLICES and f"CT, {SLICES} images of 32 x 24" in series.label
    assert len(list_series(tmp_path)) == 2


@pytest.mark.parametrize("shared", [False, True])
def test_rescale_slope_and_intercept(tmp_path, write_dicom_ct, shared):
    write_dicom_ct(tmp_path, grid(), ANY_ORDER, enhanced=True)

    def rescale(dataset):
        scale = dataset.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
        scale[0].RescaleSlope, scale[0].RescaleIntercept = 2, -1024
        if not shared:
            del dataset.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
            for frame in dataset.PerFrameFunctionalGroupsSequence:
                frame.PixelValueTransformationSequence = scale
    change(tmp_path, rescale)
    np.testing.assert_array_equal(read_volume(tmp_path).array, grid().array * 2 - 1024)


def test_several_files_of_one_series_make_one_stack(tmp_path, write_dicom_ct):
    ct = grid()
    for number, part in enumerate((slice(7, 12), slice(0, 7))):
        half = Volume(ct.array[part], ct.spacing, tuple(ct.index_to_physical((0, 0, part.start))), ct.direction)
        write_dicom_ct(tmp_path, half, enhanced=True, SOPInstanceUID=f"{UID}.{number}")
        next(tmp_path.glob("*_000.dcm")).rename(tmp_path / f"part{number}.dcm")
    assert_same(read_volume(tmp_path), ct)


def own_scale(dataset):
    own = pydicom.Dataset()
    own.RescaleSlope, own.RescaleIntercept = 2, 0
    dataset.PerFrameFunctionalGroupsSequence[3].PixelValueTransformationSequence = [own]


def own_orientation(dataset):
    own = pydicom.Dataset()
    own.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
    dataset.PerFrameFunctionalGroupsSequence[3].PlaneOrientationSequence = [own]


def place(position):
    def mend(dataset):
        dataset.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence[0].ImagePositionPatient = position
    return mend


def without(group):
    def mend(dataset):
        del dataset.SharedFunctionalGroupsSequence[0][group]
    return mend


def one_frame_less(dataset):
    del dataset.PerFrameFunctionalGroupsSequence[-1]


def no_frames(dataset):
    dataset.PerFrameFunctionalGroupsSequence = []


@pytest.mark.parametrize(("mend", "code"), [
    (own_scale, "unsupported_type"), (own_orientation, "invalid_geometry"), (place([1, 2]), "invalid_geometry"),
    (place([-10.5, 20.25, -300]), "not_3d"), (place([-10.5, 20.25, 900]), "missing_slices"),
    (without("PixelMeasuresSequence"), "invalid_geometry"), (without("PlaneOrientationSequence"), "unreadable"),
    (one_frame_less, "invalid_geometry"), (no_frames, "invalid_geometry")])
def test_what_makes_no_stack_ends_in_a_sentence(tmp_path, write_dicom_ct, mend, code):
    write_dicom_ct(tmp_path, grid(), enhanced=True)
    change(tmp_path, mend)
    assert failure(tmp_path).code == code


def test_a_file_cut_short(tmp_path, write_dicom_ct):
    write_dicom_ct(tmp_path, grid(), enhanced=True)
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:-300])
    error = failure(tmp_path)
    assert error.code == "unreadable" and path.name in str(error)


def test_enhanced_and_single_frames_in_one_series(tmp_path, write_dicom_ct):
    write_dicom_ct(tmp_path, grid())
    write_dicom_ct(tmp_path / "more", grid(), enhanced=True, SOPInstanceUID="1.2.826.0.1.71")
    assert failure(tmp_path).code == "unsupported_type"


def test_other_multi_frame_files_are_refused(tmp_path, write_dicom_ct):
    """Frames captured from somewhere, in a series that says it is a CT."""
    write_dicom_ct(tmp_path, grid(), enhanced=True, SOPClassUID="1.2.840.10008.5.1.4.1.1.7.3")
    error = failure(tmp_path)
    assert error.code == "unsupported_type" and "multi-frame" in str(error)


def test_without_pydicom_it_says_what_to_install(tmp_path, write_dicom_ct, monkeypatch):
    write_dicom_ct(tmp_path, grid(), enhanced=True)
    monkeypatch.setitem(sys.modules, "highdicom", None)
    error = failure(tmp_path)
    assert error.code == "missing_package" and "pip install highdicom pydicom" in str(error)
