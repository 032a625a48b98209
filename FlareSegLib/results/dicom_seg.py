"""A label map as DICOM Segmentation (SEG), on the slices of the CT that it was made from.

The object is highdicom's (extra `dicom`): Segmentation IOD, binary, DICOM PS3.3 A.51 and C.8.20. It belongs to the CT's
patient, study and frame of reference, so that **the file carries the patient's data as the CT does**; nothing of them
goes anywhere else. Each frame names the CT's image that it lies on. Codes: SNOMED CT as in `organs.py`, of context
groups 7150 (categories) and 244 (laterality).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..errors import FlareSegError
from ..organs import Code, Organ
from ..volumes.dicom import Series
from ..volumes.dicom_headers import need_dicom_packages, quiet_dicom_packages, read_header
from ..volumes.enhanced_dicom import stack_frames
from ..volumes.slice_geometry import stack_slices
from ..volumes.volume import Volume
from .seg_nrrd import ANATOMICAL_STRUCTURE
from .writing import atomic_path, check_output

if TYPE_CHECKING:
    import highdicom
    import pydicom

DICOM_SEG = ".dcm"
CONTENT_LABEL = "ABDOMINAL_ORGANS"  # a code string: 16 letters at most
SERIES_DESCRIPTION = "FlareSeg organs, research only"
#: Added to the CT's series number for the segmentation's own.
SERIES_NUMBER_STEP = 1000
#: Elements that a CT must have, though empty (type 2), that anonymisers take out, and that highdicom reads.
MAY_BE_EMPTY = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
                "StudyTime")


def check_dicom_seg(series: Series) -> None:
    """Find out before any work whether a DICOM SEG can be made for a series.

    Raises
    ------
    FlareSegError
        "missing_package"; "unsupported_type" for an enhanced CT in several files, or a series without the UIDs that a
        reference consists of.
    """
    need_dicom_packages("Writing DICOM SEG")
    if len(series.slices) > 1 and series.slices[0].is_enhanced:
        raise FlareSegError("unsupported_type", "A DICOM SEG refers to one enhanced CT file, and this series has "
                                                "several; write .seg.nrrd instead.")
    with quiet_dicom_packages():
        header = read_header(series.slices[0].path)
        missing = [name for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
                   if not header.get(name)]
    if missing:
        raise FlareSegError("unsupported_type", f"The CT lacks its {missing[0]}, to which a DICOM SEG refers; write "
                                                ".seg.nrrd instead.")


def write_dicom_seg(path: str | os.PathLike[str], label_map: Volume, organs: tuple[Organ, ...], series: Series,
                    model: str, overwrite: bool = False) -> None:
    """Write a label map as DICOM SEG. Organs that were not found have no segment, unless none was found.

    Parameters
    ----------
    path : str or path-like
        Ends in `DICOM_SEG`.
    label_map : Volume
        uint8, array [k, j, i], on the grid of `volumes.dicom.read_series`.
    organs : tuple of Organ
        What the label values stand for; segments are numbered from 1, in this order.
    series : Series
        The CT.
    model : str
        Name and version of the model bundle.

    Raises
    ------
    FlareSegError
        As `check_dicom_seg`; "unreadable" for headers that do not suffice; "bad_option", "output_exists",
        "output_unwritable". Nothing is left behind then.
    """
    check_output(path, overwrite, (DICOM_SEG,))
    check_dicom_seg(series)
    with quiet_dicom_packages():
        headers, stored = _on_the_files(label_map, series)
        segmentation = _segmentation(headers, *_numbered(stored, organs), label_map.spacing, model)
        segmentation.ContentCreatorName = ""  # nobody; the element must be there (type 2), and highdicom leaves it out
        with atomic_path(path, overwrite) as partial:
            segmentation.save_as(partial)


def _on_the_files(label_map: Volume, series: Series) -> tuple[list[pydicom.Dataset], np.ndarray]:
    """The headers and, in their order, the labels of each file (or of each frame of the one file there is)."""
    slices, labels = series.slices, label_map.array
    if slices[0].is_enhanced:
        _, stack = stack_frames([slices[0].path])
        files, stored = [slices[0].path], np.empty_like(labels)
        stored[list(stack.order)] = labels
    else:
        stack = stack_slices(np.array([one.position for one in slices]), np.array(slices[0].orientation))
        files, stored = [slices[index].path for index in stack.order], labels
    headers = [read_header(file) for file in files]
    for name in MAY_BE_EMPTY:
        if name not in headers[0]:
            setattr(headers[0], name, "")
    if not slices[0].is_enhanced and not headers[0].get("SliceThickness"):  # may be empty, too; highdicom compares it
        headers[0].SliceThickness = label_map.spacing[2]
    return headers, stored


def _numbered(labels: np.ndarray, organs: tuple[Organ, ...]) -> tuple[np.ndarray, tuple[Organ, ...]]:
    """Label values replaced by segment numbers, which run from 1 without a gap; and the organs that have one."""
    present = np.bincount(labels.ravel(), minlength=256) > 0
    found = tuple(organ for organ in organs if present[organ.label]) or organs
    numbers = np.zeros(256, np.uint8)
    for number, organ in enumerate(found, start=1):
        numbers[organ.label] = number
    return numbers[labels], found


def _segmentation(headers: list[pydicom.Dataset], labels: np.ndarray, organs: tuple[Organ, ...],
                  spacing: tuple[float, float, float], model: str) -> pydicom.Dataset:
    """highdicom's object; what goes wrong within it is the headers' fault, and its message may quote them.

    The distance between slices is said, as readers would take the CT's slice thickness for it, which may differ.
    """
    import highdicom

    algorithm = _algorithm(model)
    segments = [_segment(number, organ, algorithm) for number, organ in enumerate(organs, start=1)]
    try:
        return highdicom.seg.Segmentation(
            source_images=headers, pixel_array=labels, segmentation_type="BINARY", segment_descriptions=segments,
            pixel_measures=highdicom.PixelMeasuresSequence(
                pixel_spacing=(spacing[1], spacing[0]), slice_thickness=spacing[2], spacing_between_slices=spacing[2]),
            series_instance_uid=highdicom.UID(), series_number=_series_number(headers[0]),
            sop_instance_uid=highdicom.UID(), instance_number=1, manufacturer="FlareSeg",
            manufacturer_model_name="FlareSeg", software_versions=__version__,
            device_serial_number=__version__,  # software has none, and the element must not be empty
            content_label=CONTENT_LABEL, content_description=SERIES_DESCRIPTION, series_description=SERIES_DESCRIPTION,
            content_qualification="RESEARCH")
    except Exception as error:
        raise FlareSegError("unreadable", "The headers of the CT do not suffice for a DICOM SEG "
                                          f"({type(error).__name__}); write .seg.nrrd instead.") from None


def _algorithm(model: str) -> Any:
    import highdicom
    from pydicom.sr.codedict import codes

    return highdicom.AlgorithmIdentificationSequence(
        name="FlareSeg", family=codes.cid7162.ArtificialIntelligence, version=__version__,
        parameters={"model": model})


def _segment(number: int, organ: Organ, algorithm: Any) -> highdicom.seg.SegmentDescription:
    import highdicom

    segment = highdicom.seg.SegmentDescription(
        segment_number=number, segment_label=organ.name, segmented_property_category=_concept(ANATOMICAL_STRUCTURE),
        segmented_property_type=_concept(organ.code), algorithm_type="AUTOMATIC", algorithm_identification=algorithm,
        display_color=highdicom.color.CIELabColor.from_rgb(*organ.colour))
    if organ.modifier is not None:
        segment.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [
            _concept(organ.modifier)]
    return segment


def _concept(code: Code) -> Any:
    import highdicom

    return highdicom.sr.CodedConcept(code.value, code.scheme, code.meaning)


def _series_number(header: pydicom.Dataset) -> int:
    """The CT's and a step, where it states one that this fits; a number is a place in a list and no more."""
    try:
        return SERIES_NUMBER_STEP + min(max(int(header.SeriesNumber), 0), 10 ** 6)
    except (AttributeError, TypeError, ValueError):
        return SERIES_NUMBER_STEP
