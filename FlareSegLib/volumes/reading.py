"""Reading a CT or a label map from a file or a DICOM folder."""

from __future__ import annotations

import math
import os
from pathlib import Path

import SimpleITK as sitk

from ..errors import FlareSegError
from .compressed_data import check_compressed_data, check_voxels_can_be_there
from .dicom import is_dicom_file, read_dicom
from .nifti_header import check_nifti
from .sitk_bridge import quiet_itk, refuse_unusable_image, volume_from_sitk
from .volume import Volume
from .voxel_types import hu_array, label_array

#: ITK's reader for each file name ending; the ending decides, in whatever case it is written.
IMAGE_IO = {
    ".nii": "NiftiImageIO",
    ".nii.gz": "NiftiImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
}


def read_volume(path: str | Path, series: str | None = None) -> Volume:
    """Read a CT.

    Parameters
    ----------
    path : str or Path
        .nii, .nii.gz, .nrrd, .nhdr, .mha, .mhd, a DICOM folder, or one DICOM file of the series wanted.
    series : str or None
        For DICOM: a series UID or its number in `dicom.list_series`.

    Returns
    -------
    Volume
        In the stored order; int16 (int32) where the file holds integers, else float32. It is not checked
        to be a CT: see `checks.check_ct`.

    Raises
    ------
    FlareSegError
        "not_found", "unreadable", "unsupported_type", "not_3d", "sheared_geometry", "invalid_geometry",
        "bad_option"; for DICOM also "several_series", "missing_slices", "non_uniform_spacing", "not_ct".
    """
    path = _existing(path)
    if path.is_dir() or is_dicom_file(path):
        return read_dicom(path, series)
    if series is not None:
        raise FlareSegError("bad_option", f"--series is for DICOM folders; {path} is a single file.")
    return volume_from_sitk(_read_image(path), hu_array)


def read_label_map(path: str | Path) -> Volume:
    """Read a label map (any of the file formats of `read_volume`, no DICOM) as uint8, int16 or int32.

    Raises
    ------
    FlareSegError
        As `read_volume`; "unsupported_type" for values that are no integers.
    """
    return volume_from_sitk(_read_image(_existing(path)), label_array)


def image_ending(path: Path) -> str | None:
    """The key of `IMAGE_IO` that the file name ends with, or None."""
    name = path.name.lower()
    return next((ending for ending in IMAGE_IO if name.endswith(ending)), None)


def _existing(path: str | Path) -> Path:
    path = Path(path)
    try:
        if path.is_dir() or path.is_file():
            if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
                raise FlareSegError("unreadable", f"{path} may not be read by this user (permission denied); ask its "
                                                  "owner.")
            return path
    except OSError as error:  # for instance a name too long for the file system
        raise FlareSegError("not_found", f"{path} cannot be looked up; check the path.") from error
    raise FlareSegError("not_found", f"{path} does not exist; check the path.")


def _read_image(path: Path) -> sitk.Image:
    ending = image_ending(path)
    if path.is_dir():
        raise FlareSegError("unreadable", f"{path} is a folder; name the file in it.")
    if ending is None:
        raise FlareSegError("unsupported_type", f"{path} is of no known type; give {', '.join(IMAGE_IO)} or DICOM.")
    is_nifti = IMAGE_IO[ending] == "NiftiImageIO"
    if is_nifti:
        check_nifti(path)
    else:
        check_compressed_data(path)
    reader = sitk.ImageFileReader()
    reader.SetImageIO(IMAGE_IO[ending])
    reader.SetFileName(str(path))
    try:
        with quiet_itk():
            reader.ReadImageInformation()
            refuse_unusable_image(reader.GetSize(), reader.GetNumberOfComponents(),
                                  sitk.GetPixelIDValueAsString(reader.GetPixelID()))
            if not is_nifti:
                check_voxels_can_be_there(path, math.prod(reader.GetSize()))
            return reader.Execute()
    except RuntimeError as error:
        raise _itk_failure(path, str(error)) from error


def _itk_failure(path: Path, text: str) -> FlareSegError:
    """Say in one sentence what ITK's exception is about."""
    if "allocate memory" in text or "bad_alloc" in text or "nifti_image_load failed" in text:  # the file is whole
        return FlareSegError("out_of_memory", f"There is not enough memory to read {path}; close other programs or use "
                                              "a machine with more.")
    if "orthonormal" in text:
        return FlareSegError("sheared_geometry", f"The axes of {path} are not at right angles; resample it to a "
                                                 "rectangular grid first.")
    if "spacing" in text or "direction" in text.lower():
        return FlareSegError("invalid_geometry", f"The spacing or the axis directions of {path} are zero or not "
                                                 "numbers; export it again.")
    return FlareSegError("unreadable", f"{path} cannot be read: it is damaged, cut short, or its data file is "
                                       "missing; copy or export it again.")
