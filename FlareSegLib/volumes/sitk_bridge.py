"""Between `Volume` and SimpleITK: images both ways, and ITK's chatter kept off the terminal."""

from __future__ import annotations

import locale
import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FlareSegError
from .volume import Volume

if TYPE_CHECKING:
    import SimpleITK as sitk

#: No CT has more: 2048 x 2048 x 512, or 512 x 512 x 8192.
MOST_VOXELS = 1 << 31
_silence = threading.RLock()


def volume_from_sitk(image: sitk.Image, voxels: Callable[[np.ndarray], np.ndarray] = np.array) -> Volume:
    """Return a SimpleITK image as a volume that owns its voxels.

    Parameters
    ----------
    image : SimpleITK.Image
        3D scalar image, or 4D with a last axis of one.
    voxels : callable
        Makes the volume's array from a view on the image's buffer; it must copy (see voxel_types.py).

    Raises
    ------
    FlareSegError
        "unsupported_type" for colours, vectors and complex numbers; "not_3d" for other dimensions.
    """
    import SimpleITK as sitk

    refuse_unusable_image(image.GetSize(), image.GetNumberOfComponentsPerPixel(), image.GetPixelIDTypeAsString())
    if image.GetDimension() == 4:
        image = image[:, :, :, 0]
    array = voxels(sitk.GetArrayViewFromImage(image))
    return Volume(array, image.GetSpacing(), image.GetOrigin(), image.GetDirection())


def sitk_from_volume(volume: Volume) -> sitk.Image:
    """Return a volume as a SimpleITK image with the same grid (booleans become uint8, half floats float32)."""
    import SimpleITK as sitk

    array = volume.array
    if array.dtype == bool:
        array = array.astype(np.uint8)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    image = sitk.GetImageFromArray(np.ascontiguousarray(array), isVector=False)
    image.SetSpacing([float(s) for s in volume.spacing])
    image.SetOrigin([float(x) for x in volume.origin])
    image.SetDirection([float(x) for x in volume.direction])
    return image


def refuse_unusable_image(size: tuple[int, ...], components: int, pixel_type: str) -> None:
    """Raise unless an image of this size and pixel type is one scalar 3D image (see `volume_from_sitk`)."""
    if components != 1 or "complex" in pixel_type or "vector" in pixel_type:
        raise FlareSegError("unsupported_type", "The image holds several numbers in each voxel (a colour picture, "
                                                "vectors, complex numbers or a time series); give a plain CT.")
    if math.prod(size) > MOST_VOXELS:
        raise FlareSegError("unreadable", f"The image would have {' x '.join(map(str, size))} voxels, more than any "
                                          "CT; its header is damaged, export it again.")
    if len(size) == 3 or (len(size) == 4 and size[3] == 1):
        return
    if len(size) < 3:
        raise FlareSegError("not_3d", "The image is a single 2D slice; give the whole CT volume.")
    raise FlareSegError("not_3d", f"The image has {len(size)} dimensions ({' x '.join(map(str, size))}), for instance "
                                  "several time points; save one of them as a 3D volume and give that.")


@contextmanager
def quiet_itk() -> Iterator[None]:
    """Keep ITK's warnings, and what its format libraries print on stderr, off the terminal.

    The C++ libraries write to file descriptor 2 directly, so that it is pointed at nothing for the while. A reader
    that fails leaves the whole process in the "C" locale; the one from before comes back here.
    """
    import SimpleITK as sitk

    with _silence:
        shown = sitk.ProcessObject.GetGlobalWarningDisplay()
        sitk.ProcessObject.SetGlobalWarningDisplay(False)
        kept, place = _point_stderr_at_nothing(), locale.setlocale(locale.LC_ALL)
        try:
            yield
        finally:
            locale.setlocale(locale.LC_ALL, place)
            if kept is not None:
                os.dup2(kept, 2)
                os.close(kept)
            sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _point_stderr_at_nothing() -> int | None:
    """Redirect descriptor 2 and return a copy of the old one; None where there is none (a GUI on Windows)."""
    with suppress(OSError):
        kept = os.dup(2)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 2)
        os.close(nothing)
        return kept
    return None
