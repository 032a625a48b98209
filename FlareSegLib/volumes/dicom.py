"""DICOM series: which ones a folder holds, which one is the CT, and its slices as one volume.

Header values are read through SimpleITK (GDCM). Only the tags of geometry, identity of the series, modality and
image type are looked at; nothing about the patient is read or passed on. What is shown of a series are numbers and a
hash of its UID: descriptions and UIDs themselves may tell of a patient.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import FlareSegError
from .enhanced_dicom import read_enhanced
from .dicom_lengths import lengths_fit
from .sitk_bridge import quiet_itk, refuse_unusable_image
from .slice_geometry import stack_slices
from .volume import Volume
from .voxel_types import hu_array

#: A CT series of fewer images is taken for a localizer or a report where there is a longer one.
FEW_IMAGES = 10
DICOM_ENDINGS = (".dcm", ".ima", ".dicom")
#: SOP class UIDs (DICOM PS3.6) of CT images: one slice a file; all slices in one file, as exported or as converted.
SINGLE_FRAME_CT = "1.2.840.10008.5.1.4.1.1.2"
MULTI_FRAME_CT = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
#: The element SOP Class UID, of the file's meta header or of its data; VR and length, or a long length, come first.
_SOP_CLASS = re.compile(rb"(?:\x02\x00\x02\x00|\x08\x00\x16\x00).{4}([0-9.]+)", re.DOTALL)
NAMES_SHOWN = 3


@dataclass(frozen=True)
class Slice:
    """One DICOM image file: the header values that decide where it belongs.

    Attributes
    ----------
    position, orientation : tuple of float or None
        Image Position (Patient), mm, and Image Orientation (Patient), LPS.
    size : tuple of int
        Columns, rows, frames.
    spacing : tuple of float or None
        Millimetres between columns, between rows.
    """

    path: Path
    study_uid: str
    series_uid: str
    image_uid: str
    modality: str
    sop_class: str
    image_type: str
    series_number: int
    size: tuple[int, int, int]
    components: int
    pixel_type: str
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, float] | None
    thickness: float | None

    @property
    def is_enhanced(self) -> bool:
        """Whether it is an enhanced CT: its frames' places stand elsewhere (`enhanced_dicom`)."""
        return self.sop_class in MULTI_FRAME_CT


@dataclass(frozen=True)
class Series:
    """One DICOM series of a folder.

    Attributes
    ----------
    number : int
        Place in `list_series`, from 1; what `--series` takes, as it takes the key and the UID.
    study : int
        Place of its study among those of the folder, from 1. Several patients have several studies.
    uid, modality : str
        Series Instance UID; "CT", "MR", ...
    images : int
        Number of images, the frames of multi-frame files counted each.
    size : tuple of int
        Columns, rows of the first image.
    slice_thickness : float or None
        Millimetres, as the first image states it.
    """

    number: int
    study: int
    uid: str
    modality: str
    images: int
    size: tuple[int, int]
    slice_thickness: float | None
    slices: tuple[Slice, ...] = field(repr=False, compare=False)

    @property
    def key(self) -> str:
        """8 hexadecimal digits that stand for study and series UID: these identify a patient and are not shown."""
        uids = f"{self.slices[0].study_uid} {self.uid}"
        return hashlib.sha256(uids.encode("utf-8", "surrogateescape")).hexdigest()[:8]

    @property
    def label(self) -> str:
        """One line for choosing; it holds nothing about the patient."""
        thickness = f", {self.slice_thickness:g} mm slices" if self.slice_thickness else ""
        return (f"{self.number}: {self.modality or 'unknown modality'}, {self.images} images of "
                f"{self.size[0]} x {self.size[1]}{thickness}, study {self.study}, key {self.key}")

    @property
    def is_ct_stack(self) -> bool:
        """Whether it is of modality CT, placed in the patient, greyscale and no localizer."""
        return self.modality == "CT" and all(
            (s.is_enhanced or s.position and s.orientation) and s.components == 1 and "LOCALIZER" not in s.image_type
            for s in self.slices)


def is_dicom_file(path: Path) -> bool:
    """Whether the file starts as DICOM files do, or its name says DICOM."""
    return path.suffix.lower() in DICOM_ENDINGS or _has_dicom_mark(path)


def list_series(folder: str | Path, recursive: bool = True) -> tuple[Series, ...]:
    """Return the image series in a folder (and below it), study by study; () where there is none.

    Studies follow each other by UID, their series by series number and UID.

    A file that is there twice (same image UID) counts once. Files that are no DICOM images are passed over.

    Raises
    ------
    FlareSegError
        "unreadable" naming CT images that are damaged or cut short: without them a series would look whole.
    """
    slices: dict[tuple[str, str, str], Slice] = {}
    unread = []
    with quiet_itk():
        for path in _files(Path(folder), recursive):
            if not (_has_dicom_mark(path) or path.suffix.lower() in ("", *DICOM_ENDINGS)):
                continue
            found = read_slice_header(path)
            if found is None:
                unread.append(path)
            else:
                slices.setdefault((found.study_uid, found.series_uid, found.image_uid or str(path)), found)
    ct_folders = {one.path.parent for one in slices.values() if one.modality == "CT"}
    damaged = [path for path in unread if _was_ct_image(path, path.parent in ct_folders)]
    if damaged:
        raise _damaged(damaged, len(slices), f" in {folder}")
    groups = defaultdict(list)
    for one in slices.values():
        groups[one.study_uid, one.series_uid].append(one)
    studies = {uid: number for number, uid in enumerate(sorted({study for study, _ in groups}), start=1)}
    ordered = sorted(groups.values(), key=lambda group: (group[0].study_uid, group[0].series_number,
                                                         group[0].series_uid))
    return tuple(_series(number, studies[group[0].study_uid], tuple(group))
                 for number, group in enumerate(ordered, start=1))


def choose_series(found: tuple[Series, ...], wanted: str | None, folder: Path) -> Series:
    """Return the series asked for (number, key or UID), or the only real CT series.

    Raises
    ------
    FlareSegError
        "not_found" for no series, "bad_option" for an unknown one, "several_series", "not_ct".
    """
    if not found:
        raise FlareSegError("not_found", f"{folder} holds no DICOM image; give the folder of a CT series or a file.")
    if wanted is not None:
        named = [s for s in found if str(wanted).strip() in (s.uid, s.key, str(s.number))]
        if not named:
            raise FlareSegError("bad_option", f"There is no series {wanted} in {folder}; choose from:\n" + _list(found))
        if len(named) > 1:
            raise FlareSegError("several_series", f"Several studies in {folder} have a series of that UID; choose one "
                                                  "with --series and its number or key:\n" + _list(named))
        chosen = named[0]
        if chosen.modality != "CT":
            raise FlareSegError("not_ct", f"The series chosen is no CT but {chosen.modality or 'of no modality'}.")
        return chosen
    scans = usable_scans(found)
    if not scans:
        kinds = ", ".join(sorted({s.modality or "unknown" for s in found}))
        raise FlareSegError("not_ct", f"{folder} holds no CT series (modality: {kinds}); give a CT.")
    if len(scans) > 1:
        studies = len({s.study for s in scans})
        of = f" of {studies} studies (several patients?)" if studies > 1 else ""
        raise FlareSegError("several_series", f"{folder} holds {len(scans)} CT series{of}; choose one with --series "
                                              "and its number or key:\n" + _list(scans))
    return scans[0]


def usable_scans(found: tuple[Series, ...]) -> list[Series]:
    """Return the CT series among them, without localizers and the like where there is a real scan."""
    scans = [s for s in found if s.is_ct_stack] or [s for s in found if s.modality == "CT"]
    return [s for s in scans if s.images >= FEW_IMAGES] or scans


def read_dicom(path: str | Path, series: str | None = None) -> Volume:
    """Read one CT series: `find_series`, then `read_series`, with their errors."""
    return read_series(find_series(path, series))


def find_series(path: str | Path, series: str | None = None) -> Series:
    """Return one CT series, of a folder (with all below it) or of the folder of one of its files.

    Raises
    ------
    FlareSegError
        "unreadable" for a file that is no DICOM image; see `list_series`, `choose_series`.
    """
    path = Path(path)
    if path.is_dir():
        return choose_series(list_series(path), series, path)
    with quiet_itk():
        own = read_slice_header(path)
    if own is None:
        raise FlareSegError("unreadable", f"{path} is no DICOM image, or it is damaged; give the folder of a CT.")
    found = list_series(path.parent, recursive=False)
    return choose_series(found, own.series_uid if series is None else series, path.parent)


def read_series(series: Series) -> Volume:
    """Return a series as a volume in HU (rescale slope and intercept applied), slices along their normal.

    Raises
    ------
    FlareSegError
        "unsupported_type" for colour images or other multi-frame files than enhanced CT; "invalid_geometry" for
        images without position or of different sizes or orientations; "unreadable"; and what
        `slice_geometry.stack_slices` and `enhanced_dicom.read_enhanced` raise.
    """
    import SimpleITK as sitk

    slices = series.slices
    if all(s.is_enhanced for s in slices):
        for one in slices:
            refuse_unusable_image(one.size, one.components, one.pixel_type)
        return read_enhanced([s.path for s in slices])
    spacing = _common_spacing(slices)
    stack = stack_slices(np.array([s.position for s in slices]), np.array(slices[0].orientation))
    reader = sitk.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames([str(slices[index].path) for index in stack.order])
    if len({s.pixel_type for s in slices}) > 1:  # else ITK casts every slice to the first one's type
        reader.SetOutputPixelType(sitk.sitkFloat32)
    try:
        with quiet_itk():
            image = reader.Execute()
    except RuntimeError as error:
        raise _undecodable(slices) from error
    array = hu_array(sitk.GetArrayViewFromImage(image))
    return Volume(array, (*spacing, stack.spacing), stack.origin, stack.direction)


def read_slice_header(path: Path) -> Slice | None:
    """Return a DICOM image's header values, or None for what is no DICOM image or is damaged."""
    import SimpleITK as sitk

    if not lengths_fit(path):
        return None
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None

    def tag(key: str) -> str:
        return reader.GetMetaData(key).strip(" \0") if reader.HasMetaDataKey(key) else ""

    thickness, number = _numbers(tag("0018|0050"), 1), _numbers(tag("0020|0011"), 1)
    return Slice(
        path, tag("0020|000d"), tag("0020|000e"), tag("0008|0018"), tag("0008|0060"), tag("0008|0016"),
        tag("0008|0008"),
        int(number[0]) if number else 0, (*reader.GetSize(), 1)[:3], reader.GetNumberOfComponents(),
        sitk.GetPixelIDValueAsString(reader.GetPixelID()),
        _numbers(tag("0020|0032"), 3), _numbers(tag("0020|0037"), 6),
        tuple(reader.GetSpacing()[:2]) if _numbers(tag("0028|0030"), 2) else None,
        thickness[0] if thickness else None,
    )


def _series(number: int, study: int, slices: tuple[Slice, ...]) -> Series:
    first, images = slices[0], sum(one.size[2] for one in slices)
    return Series(number, study, first.series_uid, first.modality, images, first.size[:2], first.thickness, slices)


def _common_spacing(slices: tuple[Slice, ...]) -> tuple[float, float]:
    """Spacing of slices, mm; raise unless all are single greyscale frames of one size, spacing and orientation."""
    placed = []
    for one in slices:
        refuse_unusable_image(one.size, one.components, one.pixel_type)
        # ITK guesses the frames' places: it reads such files wrongly, without a word.
        if one.size[2] > 1 or one.is_enhanced:
            raise FlareSegError("unsupported_type", "The series is multi-frame DICOM other than enhanced CT, or mixes "
                                                    "that with single frames; export it as single-frame CT.")
        if one.position is None or one.orientation is None or one.spacing is None:
            raise FlareSegError("invalid_geometry", "Images of the series lack their position, orientation or pixel "
                                                    "spacing (screenshots?); choose another series.")
        placed.append((one.size, one.orientation, one.spacing))
    size, orientation, spacing = placed[0]
    if not all(its_size == size and np.allclose(its_orientation, orientation, atol=1e-3)
               and np.allclose(its_spacing, spacing, rtol=1e-3) for its_size, its_orientation, its_spacing in placed):
        raise FlareSegError("invalid_geometry", "The series mixes images of different size, pixel spacing or "
                                                "orientation (a localizer among them?); split it or choose another.")
    return spacing


def _numbers(text: str, count: int) -> tuple[float, ...] | None:
    """Parse a decimal string with backslashes; None unless it holds that many finite numbers."""
    try:
        values = tuple(float(part) for part in text.split("\\"))
    except ValueError:
        return None
    return values if len(values) == count and np.isfinite(values).all() else None


def _list(found: Sequence[Series]) -> str:
    return "\n".join(series.label for series in found)


def _files(folder: Path, recursive: bool) -> Iterator[Path]:
    """Files of a folder in a stable order, without following links to folders."""
    for root, below, names in os.walk(folder):
        below.sort()
        yield from (Path(root) / name for name in sorted(names) if not name.startswith("."))
        if not recursive:
            return


def _head(path: Path, count: int) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(count)
    except OSError:
        return b""


def _has_dicom_mark(path: Path) -> bool:
    return _head(path, 132)[128:] == b"DICM"


def _was_ct_image(path: Path, beside_ct: bool) -> bool:
    """Whether a file that is not read as an image is a damaged CT image; `beside_ct`: others lie in its folder.

    Reports, DICOMDIR and the like tell by their SOP class that they are none. What tells nothing is taken for a
    damaged one where it is called DICOM, or is empty as after a copy that was broken off, and lies beside a CT.
    """
    found = _SOP_CLASS.search(_head(path, 1024))
    if found is not None:
        return found[1].decode() in (SINGLE_FRAME_CT, *MULTI_FRAME_CT)
    return beside_ct and (is_dicom_file(path) or not _head(path, 1))


def _undecodable(slices: tuple[Slice, ...]) -> FlareSegError:
    """Find the images of a series whose headers are right and whose pixels ITK cannot unpack."""
    import SimpleITK as sitk

    def decodes(path: Path) -> bool:
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(path))
        try:
            reader.Execute()
        except RuntimeError:
            return False
        return True

    with quiet_itk():
        damaged = [one.path for one in slices if not decodes(one.path)]
    if 0 < len(damaged) < len(slices):
        return _damaged(damaged, len(slices) - len(damaged))
    return FlareSegError("unreadable", "The DICOM series cannot be read: its images are damaged or compressed in an "
                                       "unknown way; export it again without compression.")


def _damaged(paths: list[Path], readable: int, where: str = "") -> FlareSegError:
    """The error that names damaged files: their own names only, as folders tell of patients, and a few of them.

    Where this user may not read some of them it names those.
    """
    denied = [path for path in paths if not os.access(path, os.R_OK)]
    names = ["".join(letter if letter.isprintable() else "?" for letter in path.name) for path in denied or paths]
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    named = ", ".join(names[:NAMES_SHOWN]) + more
    are, them = ("are", "them") if len(names) > 1 else ("is", "it")
    rest = f"all other {readable} images can be read" if readable else "there is no other image"
    if denied:
        return FlareSegError("unreadable", f"{named}{where} may not be read by this user (permission denied); ask "
                                           "their owner.")
    return FlareSegError("unreadable", f"{named}{where} {are} damaged or cut short, "
                                       f"{rest}; copy or export {them} again, or move {them} away where not of the CT.")
