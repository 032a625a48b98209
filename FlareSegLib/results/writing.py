"""Files that are either whole or not there: written beside their place under another name, then renamed."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FlareSegError
from ..organs import Organ
from ..volumes.volume import Volume
from .seg_nrrd import seg_nrrd_fields

if TYPE_CHECKING:
    from SimpleITK import Image

SEG_NRRD = ".seg.nrrd"

#: What `write_segmentation` can write, by the end of the file's name.
SEGMENTATION_SUFFIXES = (SEG_NRRD, ".nii.gz", ".nii", ".nrrd", ".mha")


def write_segmentation(path: str | PathLike[str], label_map: Volume, organs: tuple[Organ, ...],
                       overwrite: bool = False) -> None:
    """Write a label map; `.seg.nrrd` carries names, colours and codes, the other formats the values alone.

    Parameters
    ----------
    path : str or path-like
        Ends in one of `SEGMENTATION_SUFFIXES`.
    label_map : Volume
        uint8, array [k, j, i].
    organs : tuple of Organ
        What the label values stand for.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    FlareSegError
        "bad_option", "output_exists", "output_unwritable"; nothing is left behind then.
    """
    check_output(path, overwrite, SEGMENTATION_SUFFIXES)
    image = _to_image(label_map)
    if _has_suffix(path, (SEG_NRRD,)):
        for key, value in seg_nrrd_fields(label_map, organs).items():
            image.SetMetaData(key, value)
    with atomic_path(path, overwrite) as partial:
        _write_image(image, partial)


def check_output(path: str | PathLike[str], overwrite: bool = False,
                 suffixes: tuple[str, ...] | None = None) -> None:
    """Find out before any work whether `path` can be written.

    Raises
    ------
    FlareSegError
        "bad_option" where the name ends in none of `suffixes`, "output_exists", "output_unwritable".
    """
    path = Path(path)
    if suffixes is not None and not _has_suffix(path, suffixes):
        raise FlareSegError("bad_option", f"Cannot tell the format of {path}: its name must end in "
                                          f"{', '.join(suffixes)}.")
    if path.is_dir():
        raise FlareSegError("output_unwritable", f"{path} is a folder; give the name of a file.")
    if path.exists() and not overwrite:
        raise FlareSegError("output_exists", f"{path} exists already; choose another name or allow overwriting "
                                             "(--overwrite).")
    if not path.parent.is_dir():
        raise FlareSegError("output_unwritable", f"The folder {path.parent} does not exist; create it first.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


@contextmanager
def atomic_path(path: str | PathLike[str], overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it becomes `path`, on any exception it is removed.

    The temporary name ends as `path` does, so that writers which go by the suffix work.

    Raises
    ------
    FlareSegError
        "output_exists", or "output_unwritable" for any OSError on the way (full disk, no permission).
    """
    path = Path(path)
    check_output(path, overwrite)
    suffix = "".join(path.suffixes[-2:]).lower()
    partial = path.with_name(f".{secrets.token_hex(6)}.partial{suffix}")
    try:
        yield partial
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def _has_suffix(path: str | PathLike[str], suffixes: tuple[str, ...]) -> bool:
    return Path(path).name.lower().endswith(suffixes)


def _unwritable(path: Path, error: OSError) -> FlareSegError:
    reason = (error.strerror or "the file could not be stored").lower()
    return FlareSegError("output_unwritable", f"Cannot write {path} ({reason}); free some space or choose a folder "
                                              f"that you may write to.")


def _to_image(volume: Volume) -> Image:
    import SimpleITK as sitk

    if volume.array.dtype != np.uint8:
        raise ValueError(f"a label map of {volume.array.dtype}, not uint8")
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.spacing)
    image.SetOrigin(volume.origin)
    image.SetDirection(volume.direction)
    return image


def _write_image(image: Image, path: Path) -> None:
    """Write and read back: some of ITK's writers say nothing when the disk is full."""
    import SimpleITK as sitk

    try:
        sitk.WriteImage(image, str(path), useCompression=True)
        stored = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise OSError(None, None) from error
    if not np.array_equal(sitk.GetArrayViewFromImage(stored), sitk.GetArrayViewFromImage(image)):
        raise OSError(None, None)
