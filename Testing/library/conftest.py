"""Fixtures shared by all library tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[2]

settings.register_profile("flareseg", deadline=None, max_examples=30)
settings.load_profile("flareseg")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real CTs beside the checkout; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("FLARESEG_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "ct").is_dir():
        pytest.skip(f"no real CTs: {folder} is absent (set FLARESEG_DATA to the folder that holds ct/)")
    return folder


@pytest.fixture(scope="session")
def write_dicom_ct():
    """Function that writes a CT (int16) with pydicom, whatever its place: one file a slice, or one enhanced file.

    Options: ``order`` in which slices are stored (files are named by it); ``enhanced``; ``compress``, a transfer syntax
    that pydicom packs; ``uid`` of the series; and DICOM elements by keyword, of every file (None takes one out).
    """
    return _write_dicom_ct


def _write_dicom_ct(folder, ct, order=None, enhanced=False, compress=None, uid="1.2.826.0.1.70", **elements):
    from pydicom import dcmwrite

    folder.mkdir(parents=True, exist_ok=True)
    order = list(range(len(ct.array)) if order is None else order)
    places = [ct.index_to_physical((0, 0, k)).tolist() for k in order]
    measures = {"PixelSpacing": [ct.spacing[1], ct.spacing[0]], "SliceThickness": 5}
    orientation = {"ImageOrientationPatient": ct.direction_matrix[:, :2].T.ravel().tolist()}
    scale = {"RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "HU"}
    if enhanced:
        groups = {"NumberOfFrames": len(order), "SharedFunctionalGroupsSequence": [_dataset(
            PixelMeasuresSequence=[_dataset(**measures)], PlaneOrientationSequence=[_dataset(**orientation)],
            PixelValueTransformationSequence=[_dataset(**scale)])], "PerFrameFunctionalGroupsSequence": [
                _dataset(PlanePositionSequence=[_dataset(ImagePositionPatient=place)],
                         FrameContentSequence=[_dataset(DimensionIndexValues=number + 1)])
                for number, place in enumerate(places)]}
        files = [_ct_file(ct.array[order], f"{uid}.1", uid, "1.2.840.10008.5.1.4.1.1.2.1", groups | elements)]
    else:
        files = [_ct_file(ct.array[k], f"{uid}.{k + 1}", uid, "1.2.840.10008.5.1.4.1.1.2",
                          {"ImagePositionPatient": place, **measures, **orientation, **scale, **elements})
                 for k, place in zip(order, places)]
    for number, file in enumerate(files):
        if compress is not None:
            file.compress(compress, generate_instance_uid=False)
        dcmwrite(folder / f"{uid}_{number:03d}.dcm", file, enforce_file_format=True)


def _ct_file(voxels, image_uid, series_uid, sop_class, elements):
    from pydicom.dataset import FileMetaDataset

    usual = dict(
        SpecificCharacterSet="ISO_IR 192", SOPClassUID=sop_class, SOPInstanceUID=image_uid, Modality="CT",
        StudyInstanceUID="1.2.826.0.1.1", SeriesInstanceUID=series_uid, FrameOfReferenceUID="1.2.826.0.1.2",
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], SeriesNumber=3, PatientName="SECRET^NAME", PatientID="SECRET-ID",
        PatientBirthDate="19010203", PatientSex="O", StudyDate="20200102", StudyTime="101112", StudyID="SECRET",
        AccessionNumber="SECRET-NO", StudyDescription="SECRET words", SeriesDescription="SECRET words",
        PositionReferenceIndicator="", SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
        Rows=voxels.shape[-2], Columns=voxels.shape[-1], BitsAllocated=16, BitsStored=16, HighBit=15,
        PixelRepresentation=1)
    file = _dataset(**usual | elements)
    file.add_new("PixelData", "OW", voxels.astype("<i2").tobytes())
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    return file


def _dataset(**elements):
    """A pydicom dataset; elements that are None are left out."""
    from pydicom import Dataset, config

    dataset = Dataset()
    with config.disable_value_validation():  # headers that break the rules are made on purpose
        for name, value in elements.items():
            if value is not None:
                setattr(dataset, name, value)
    return dataset
