"""Enhanced (multi-frame) CT: all slices in one file, or in a few, each frame with a place of its own.

Where a frame lies stands in the functional groups (DICOM PS3.3, C.7.6.16), of the frame or shared by all; pydicom reads
them. GDCM (SimpleITK) unpacks the pixels, as for all other series, of whatever compression. ITK's own geometry of such
files is not used: where frames are not stored in order, it is a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FlareSegError
from .dicom_headers import need_dicom_packages, quiet_dicom_packages, read_header
from .sitk_bridge import quiet_itk
from .slice_geometry import SliceStack, stack_slices
from .volume import Volume
from .voxel_types import hu_array

if TYPE_CHECKING:
    import pydicom


@dataclass(frozen=True)
class Frame:
    """Where one frame lies: `Slice` of dicom.py has the same fields for a file of its own.

    Attributes
    ----------
    position, orientation : tuple of float
        Image Position (Patient), mm, and Image Orientation (Patient), LPS.
    spacing : tuple of float
        Millimetres between columns, between rows.
    rescale : tuple of float
        Slope and intercept from stored values to HU.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, float]
    rescale: tuple[float, float]


def read_enhanced(paths: Sequence[Path]) -> Volume:
    """Return the frames of a series' enhanced CT files as one volume in HU, along their normal.

    Raises
    ------
    FlareSegError
        "missing_package" without pydicom; "unreadable"; "unsupported_type" for frames that are stored on different
        scales; "invalid_geometry" for frames without a place or of different orientation or spacing; and what
        `slice_geometry.stack_slices` raises.
    """
    frames, stack = stack_frames(paths)
    if len({frame.rescale for frame in frames}) > 1:  # GDCM takes the first one's for all
        raise FlareSegError("unsupported_type", "The frames of the enhanced CT are stored on different scales (rescale "
                                                "slope and intercept); export it as single-frame CT.")
    stored = [_pixels(path) for path in paths]
    if len({array.shape[1:] for array in stored}) > 1 or sum(map(len, stored)) != len(frames):
        raise FlareSegError("invalid_geometry", "The files of the enhanced CT differ in size, or hold other frames "
                                                "than their headers say; export the series again.")
    array = np.concatenate(stored)[list(stack.order)]
    return Volume(array, (*frames[0].spacing, stack.spacing), stack.origin, stack.direction)


def stack_frames(paths: Sequence[Path]) -> tuple[tuple[Frame, ...], SliceStack]:
    """Return all frames, file by file as they are stored, and their order along their normal.

    Raises
    ------
    FlareSegError
        See `read_enhanced`.
    """
    need_dicom_packages("Reading enhanced (multi-frame) DICOM")
    with quiet_dicom_packages():
        frames = tuple(frame for path in paths for frame in frames_of(read_header(path)))
    first = frames[0]
    if not all(np.allclose(frame.orientation, first.orientation, atol=1e-3)
               and np.allclose(frame.spacing, first.spacing, rtol=1e-3) for frame in frames):
        raise FlareSegError("invalid_geometry", "The enhanced CT mixes frames of different orientation or pixel "
                                                "spacing (a localizer among them?); export the stack wanted alone.")
    return frames, stack_slices(np.array([frame.position for frame in frames]), np.array(first.orientation))


def frames_of(header: pydicom.Dataset, what: str = "enhanced CT") -> list[Frame]:
    """Return where each frame lies, as they are stored; a frame's own groups go before the shared ones.

    Raises
    ------
    FlareSegError
        "invalid_geometry", in which the object is called `what`.
    """
    try:
        shared = header.SharedFunctionalGroupsSequence[0]
        frames = [_frame(own, shared) for own in header.PerFrameFunctionalGroupsSequence]
        usable = len(frames) == int(header.NumberOfFrames) > 0
    except Exception:  # absent, empty or ill-typed, of whatever kind; see `read_header`
        usable = False
    if not usable or not np.isfinite([[*one.position, *one.orientation, *one.spacing, *one.rescale]
                                      for one in frames]).all():
        raise FlareSegError("invalid_geometry", f"Frames of the {what} lack their position, orientation or pixel "
                                                "spacing; export it again.")
    return frames


def _frame(own: pydicom.Dataset, shared: pydicom.Dataset) -> Frame:
    def group(name: str) -> Any:
        return (own[name] if name in own else shared[name]).value[0]

    position = group("PlanePositionSequence").ImagePositionPatient
    orientation = group("PlaneOrientationSequence").ImageOrientationPatient
    rows, columns = group("PixelMeasuresSequence").PixelSpacing
    rescale = (1.0, 0.0)
    if "PixelValueTransformationSequence" in own or "PixelValueTransformationSequence" in shared:
        scale = group("PixelValueTransformationSequence")
        rescale = (float(scale.RescaleSlope), float(scale.RescaleIntercept))
    if len(position) != 3 or len(orientation) != 6:
        raise ValueError("a place of another length")
    return Frame(tuple(map(float, position)), tuple(map(float, orientation)), (float(columns), float(rows)), rescale)


def _pixels(path: Path) -> np.ndarray:
    """HU (frame, row, column), frames as they are stored: GDCM keeps their order and rescales."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        with quiet_itk():
            image = reader.Execute()
    except RuntimeError as error:
        raise FlareSegError("unreadable", f"The pixels of {path.name} are damaged or compressed in an unknown way; "
                                          "export it again without compression.") from error
    return hu_array(sitk.GetArrayViewFromImage(image))
