"""DICOM Segmentation (SEG) objects as label maps on a CT's grid, through pydicom (extra `dicom`).

Each frame is put where its functional groups say (DICOM PS3.3, C.7.6.16 and C.8.20), whatever the order in the file and
whichever way its rows run. `results.dicom_seg` writes such objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FlareSegError
from ..organs import FLARE_ORGANS, TISSUE, Organ, organs_of
from .dicom import Series, is_dicom_file
from .dicom_headers import need_dicom_packages, quiet_dicom_packages, read_header
from .dicom_lengths import lengths_fit
from .enhanced_dicom import Frame, frames_of
from .sitk_bridge import MOST_VOXELS
from .slice_geometry import unit_axes
from .volume import Volume

if TYPE_CHECKING:
    import pydicom

#: SOP class UIDs (DICOM PS3.6): a frame for each segment and slice; a frame a slice, whose values are segments.
SEGMENTATION, LABEL_MAP_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"
DEFLATED = "1.2.840.10008.1.2.1.99"  # pydicom unpacks it whole, however much that may be
#: How far a frame may lie off the grid, in voxels: within the slices, and along them, where scanners round.
IN_PLANE_TOLERANCE, SLICE_TOLERANCE = 0.1, 0.25
MOST_LABELS = 255
LONGEST_NAME = 200
SIDES = {"left", "right", "both", "and", "of", "the"}


@dataclass(frozen=True)
class DicomSeg:
    """A segmentation as its header describes it.

    Attributes
    ----------
    frame_of_reference : str
        UID, "" where there is none.
    frames : tuple of Frame
        Where each frame lies, as they are stored.
    numbers : tuple of int
        Segment number of each frame; () where the voxels are segment numbers.
    organs : dict of Organ
        By segment number. FLARE's organs have FLARE's labels, also where a segment is one side alone; others are
        labelled from 5 on.
    size : tuple of int
        Columns, rows.
    slice_step : float
        Millimetres from slice to slice; 0 where it is not told.
    """

    path: Path
    frame_of_reference: str
    frames: tuple[Frame, ...]
    numbers: tuple[int, ...]
    organs: dict[int, Organ]
    size: tuple[int, int]
    slice_step: float


def is_dicom_seg(path: Path) -> bool:
    """Whether a segmentation is a file of DICOM, by its name or its beginning."""
    return not path.is_dir() and is_dicom_file(path)


def read_dicom_seg(path: str | Path) -> DicomSeg:
    """Read what a DICOM SEG tells of itself, all but its voxels.

    Raises
    ------
    FlareSegError
        "missing_package", "not_found"; "unreadable"; "unsupported_type" for other DICOM objects, fractional segments,
        too many segments and deflated files; "invalid_geometry" for frames without a place.
    """
    path = Path(path)
    if not path.is_file():
        raise FlareSegError("not_found", f"{path} does not exist; check the path.")
    need_dicom_packages("Reading DICOM SEG")
    if not lengths_fit(path):
        raise _damaged(path)
    with quiet_dicom_packages():
        _refuse_deflated(path)
        header = read_header(path)
        _refuse_other_objects(path, header)
        frames = tuple(frames_of(header, "DICOM SEG"))
        try:
            return _described(path, header, frames)
        except FlareSegError:
            raise
        except Exception:  # absent or ill-typed elements, of whatever kind; the message may quote them
            raise _damaged(path) from None


def label_map_on(grid: Volume, segmentation: DicomSeg, labels: Mapping[int, int] | None = None) -> Volume:
    """Return the segments as a label map on a grid.

    Parameters
    ----------
    grid : Volume
        Its array [k, j, i] gives the shape alone.
    segmentation : DicomSeg
        From `read_dicom_seg`.
    labels : mapping, optional
        Label value of each segment number; segments that it does not name are left out. By default as `organs` says.

    Returns
    -------
    Volume
        uint8, array [k, j, i].

    Raises
    ------
    FlareSegError
        "missing_slices" for frames where the grid has no slice, "invalid_geometry" for other frames off the grid;
        "unsupported_type" for segments that overlap; "unreadable" for damaged voxels.
    """
    if labels is None:
        labels = {number: organ.label for number, organ in segmentation.organs.items()}
    places = [_place(frame, segmentation.size, grid) for frame in segmentation.frames]
    array = np.zeros(grid.array.shape, np.uint8)
    with quiet_dicom_packages():
        for number, (pixels, place) in enumerate(zip(_pixels(segmentation), places, strict=True)):
            if segmentation.numbers:
                values = (pixels != 0) * np.uint8(labels.get(segmentation.numbers[number], 0))
            else:
                values = _relabelled(pixels, labels)
            _put(array, values, place)
    return Volume(array, grid.spacing, grid.origin, grid.direction)


def grid_of(*segmentations: DicomSeg) -> Volume:
    """Return the least grid that holds all frames of segmentations of one CT; its voxels are 0.

    Raises
    ------
    FlareSegError
        "not_3d" where the distance of slices cannot be told; "unreadable" for more voxels than any CT has.
    """
    first = segmentations[0]
    across, down = unit_axes(np.array(first.frames[0].orientation))
    normal = np.cross(across, down)
    positions = np.array([frame.position for each in segmentations for frame in each.frames])
    along = positions @ normal
    apart = np.diff(np.unique(np.round(along, 3)))
    step = first.slice_step or (float(apart.min()) if apart.size else 0.0)
    if min(step, *first.frames[0].spacing) <= 0:
        raise FlareSegError("not_3d", "The DICOM SEG does not tell how far apart its slices or its voxels are; give "
                                      "the other one as a label map.")
    slices = round(np.ptp(along) / step) + 1
    if slices * first.size[0] * first.size[1] > MOST_VOXELS:
        raise FlareSegError("unreadable", "The DICOM SEG would have more voxels than any CT; its header is damaged, "
                                          "export it again.")
    array = np.broadcast_to(np.uint8(0), (slices, *first.size[::-1]))
    return Volume(array, (*first.frames[0].spacing, step), tuple(positions[np.argmin(along)].tolist()),
                  tuple(np.column_stack((across, down, normal)).ravel().tolist()))


def check_frame_of_reference(segmentation: DicomSeg, other: str) -> None:
    """Raise "invalid_geometry" where a CT or another segmentation tells of another frame of reference.

    Parameters
    ----------
    other : str
        Its UID; "" passes, as positions alone decide then.
    """
    if other and segmentation.frame_of_reference and other != segmentation.frame_of_reference:
        raise FlareSegError("invalid_geometry", "The DICOM SEG was made in another frame of reference (of another scan "
                                                "or another patient); give one that was made on this CT.")


def frame_of_reference(series: Series) -> str:
    """Frame of Reference UID of a DICOM series, "" where it has none."""
    need_dicom_packages("Reading DICOM SEG")
    with quiet_dicom_packages():
        return str(read_header(series.slices[0].path).get("FrameOfReferenceUID") or "")


def _refuse_deflated(path: Path) -> None:
    import pydicom

    try:
        syntax = pydicom.filereader.read_file_meta_info(path).get("TransferSyntaxUID", "")
    except Exception:  # see `read_header`
        raise _damaged(path) from None
    if syntax == DEFLATED:
        raise FlareSegError("unsupported_type", "The DICOM SEG is a deflated file; save it without compression.")


def _refuse_other_objects(path: Path, header: pydicom.Dataset) -> None:
    if header.get("SOPClassUID") not in (SEGMENTATION, LABEL_MAP_SEGMENTATION):
        raise FlareSegError("unsupported_type", f"{path} is DICOM, but no DICOM SEG (an image, or contours?); give the "
                                                "CT first, then a segmentation.")
    if header.get("SegmentationType") not in ("BINARY", "LABELMAP"):
        raise FlareSegError("unsupported_type", "The DICOM SEG holds fractions (probabilities or occupancies); give "
                                                "one of binary segments.")


def _described(path: Path, header: pydicom.Dataset, frames: tuple[Frame, ...]) -> DicomSeg:
    shared, groups = header.SharedFunctionalGroupsSequence[0], header.PerFrameFunctionalGroupsSequence
    numbers: tuple[int, ...] = ()
    if header.SegmentationType == "BINARY":
        numbers = tuple(int((own if "SegmentIdentificationSequence" in own else shared)
                            .SegmentIdentificationSequence[0].ReferencedSegmentNumber) for own in groups)
    measures = (shared if "PixelMeasuresSequence" in shared else groups[0]).PixelMeasuresSequence[0]
    step = abs(float(measures.get("SpacingBetweenSlices") or 0))
    return DicomSeg(path, str(header.get("FrameOfReferenceUID") or ""), frames, numbers,
                    _organs(header.SegmentSequence), (int(header.Columns), int(header.Rows)),
                    step if np.isfinite(step) else 0.0)


def _organs(segments: pydicom.Sequence) -> dict[int, Organ]:
    """What each segment stands for, by its number."""
    organs: dict[int, Organ] = {}
    label = len(FLARE_ORGANS)
    for segment in segments:
        organ, number = _flare_organ(segment), int(segment.SegmentNumber)
        if organ is None and number:  # 0 is the background of label maps
            label += 1
            name = _name(segment, number)
            organ = organs_of({label: name})[0]
        if organ is not None:
            organs[number] = organ
    if label > MOST_LABELS:
        raise FlareSegError("unsupported_type", f"The DICOM SEG holds more than {MOST_LABELS} segments; give one with "
                                                "fewer.")
    return organs


def _flare_organ(segment: pydicom.Dataset) -> Organ | None:
    """The organ of the segment's code, retired SNOMED codes among them; by its label where the code tells nothing."""
    from pydicom.sr.coding import Code

    given = segment.SegmentedPropertyTypeCodeSequence[0]
    code = Code(str(given.get("CodeValue", "")), str(given.get("CodingSchemeDesignator", "")), "")
    for organ in FLARE_ORGANS:
        if code == Code(organ.code.value, organ.code.scheme, ""):
            return organ
    if code.scheme_designator in ("SCT", "SRT") and code != Code(TISSUE.value, TISSUE.scheme, ""):
        return None
    words = set(re.findall(r"[a-z]+", str(segment.get("SegmentLabel", "")).lower())) - SIDES
    return next((organ for organ in FLARE_ORGANS if words in ({organ.name}, {f"{organ.name}s"})), None)


def _name(segment: pydicom.Dataset, number: int) -> str:
    """The segment's label, printable; it is told apart from FLARE's organs."""
    text = "".join(letter for letter in str(segment.get("SegmentLabel", "")) if letter.isprintable())[:LONGEST_NAME]
    taken = {organ.name for organ in FLARE_ORGANS}
    return text if text.strip() and text.strip().lower() not in taken else f"segment {number} {text}".strip()


@dataclass(frozen=True)
class _Place:
    """Voxel (i, j, k) of a frame's first pixel, and the steps to the next column and the next row."""

    first: np.ndarray
    across: np.ndarray
    down: np.ndarray


def _place(frame: Frame, size: tuple[int, int], grid: Volume) -> _Place:
    to_index = np.linalg.inv(grid.direction_matrix * grid.spacing)
    across, down = np.array(frame.orientation).reshape(2, 3) * np.array(frame.spacing)[:, None]
    exact = np.array([np.subtract(frame.position, grid.origin), across, down]) @ to_index.T
    if not (np.isfinite(exact).all() and np.abs(exact).max() < MOST_VOXELS):
        raise _off_the_grid()
    first, across, down = whole = np.rint(exact).astype(int)
    steps = np.abs(whole[1:])
    if not (steps.sum(axis=1) == 1).all() or (steps[0] & steps[1]).any():
        raise _off_the_grid()
    reach = np.array([1, size[0] - 1, size[1] - 1])
    off = reach @ np.abs(exact - whole)
    corners = np.array([first, first + reach[1] * across + reach[2] * down])
    outside = (corners < 0).any(axis=0) | (corners >= grid.size).any(axis=0)
    in_plane = (steps.sum(axis=0) > 0)
    if (outside | (off > IN_PLANE_TOLERANCE))[in_plane].any():
        raise _off_the_grid()
    if (outside | (off > SLICE_TOLERANCE))[~in_plane].any():
        raise FlareSegError("missing_slices", "The DICOM SEG has frames where the CT has no slice; it was made on "
                                              "another series, or slices of the CT are missing.")
    return _Place(first, across, down)


def _off_the_grid() -> FlareSegError:
    return FlareSegError("invalid_geometry", "The frames of the DICOM SEG do not lie on the CT's voxels; give a "
                                             "segmentation that was made on this CT.")


def _pixels(segmentation: DicomSeg) -> Iterator[np.ndarray]:
    """The frames (row, column), one at a time. Call it within `quiet_dicom_packages`."""
    import pydicom
    from pydicom.pixels.utils import iter_pixels

    shape = segmentation.size[::-1]
    try:
        dataset = pydicom.dcmread(segmentation.path)
        packed = dataset.BitsAllocated == 1 and not dataset.file_meta.TransferSyntaxUID.is_encapsulated
        frames = _unpacked(dataset.PixelData, shape) if packed else iter_pixels(dataset, raw=True)
    except Exception:  # see `read_header`
        raise _damaged(segmentation.path) from None
    for _ in segmentation.frames:
        try:
            pixels = next(frames)
            usable = pixels.shape == shape and pixels.dtype.kind == "u"
        except Exception:  # see `read_header`
            usable = False
        if not usable:
            raise _damaged(segmentation.path)
        yield pixels


def _unpacked(bits: bytes, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """Frames of one bit a voxel, of which the next begins where one ends, be it within a byte (PS3.5, 8.1.1).

    pydicom's own iteration loses its place there.
    """
    packed, size = np.frombuffer(bits, np.uint8), shape[0] * shape[1]
    for first in range(0, 8 * len(packed) - size + 1, size):
        byte, bit = divmod(first, 8)
        frame = np.unpackbits(packed[byte:(first + size + 7) // 8], bitorder="little")[bit:bit + size]
        yield frame.reshape(shape)


def _relabelled(pixels: np.ndarray, labels: Mapping[int, int]) -> np.ndarray:
    """Segment numbers, of whatever width, as label values."""
    table = np.zeros(int(pixels.max(initial=0)) + 1, np.uint8)
    for number, label in labels.items():
        if 0 <= number < len(table):
            table[number] = label
    return table[pixels]


def _put(array: np.ndarray, values: np.ndarray, place: _Place) -> None:
    """Write the labels of a frame (row, column) into the map [k, j, i]."""
    rows, columns = np.nonzero(values)
    index = place.first + columns[:, None] * place.across + rows[:, None] * place.down
    voxels, new = tuple(index[:, ::-1].T), values[rows, columns]
    old = array[voxels]
    if ((old != 0) & (old != new)).any():
        raise FlareSegError("unsupported_type", "Segments of the DICOM SEG overlap, and a label map has one organ a "
                                                "voxel; give one whose segments do not.")
    array[voxels] = new


def _damaged(path: Path) -> FlareSegError:
    return FlareSegError("unreadable", f"The DICOM SEG {path} is damaged or compressed in an unknown way; copy or "
                                       "export it again, without compression.")
