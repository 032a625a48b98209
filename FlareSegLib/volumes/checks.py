"""Is this volume a CT in Hounsfield units that the networks can work on?

The facts behind the limits on values: HU is -1000 for air and 0 for water by definition; fat lies near -100,
parenchyma and muscle between 0 and 200 also with contrast. What is no CT gives itself away by having no negative
values (label maps, 8-bit pictures, most MR and PET) or no soft tissue where HU puts it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import FlareSegError
from .orientation import axis_order, obliqueness_degrees
from .volume import Volume

MAX_COSINE = 0.01  # axes more than 0.6 degrees off a right angle are sheared
FEWEST_SLICES = 3
IN_PLANE_MM = (0.1, 10.0)  # outside: no abdominal CT, most likely metres or micrometres
SLICE_MM = (0.1, 25.0)
USUAL_IN_PLANE_MM = (0.3, 2.5)
THICK_SLICE_MM = 6.0
SHORT_COVERAGE_MM = 60.0
OBLIQUE_DEGREES = 15.0

PADDING_BELOW = -1500  # scanners fill the corners outside the field of view with -2000, -2048 or -3024
AIR = (-1200, -800)
SOFT_TISSUE = (-150, 250)  # fat to enhanced parenchyma
INSIDE_BODY = (-200, 300)  # with noise, and with both ends of usual display windows
OFFSET = 1024
SAMPLE_VOXELS = 2_000_000
FEW_VALUES = 16


def check_ct(volume: Volume) -> tuple[str, ...]:
    """Refuse what is no usable CT, and return warnings about what is unusual.

    Non-finite and constant volumes are found exactly; the distribution of values is judged on about two million
    evenly strided voxels, so that 512 x 512 x 300 voxels take a fraction of a second.

    Parameters
    ----------
    volume : Volume
        As read; any storage order.

    Returns
    -------
    tuple of str
        Sentences for the user; empty for an ordinary abdominal CT.

    Raises
    ------
    FlareSegError
        "not_3d", "unsupported_type", "empty", "invalid_geometry", "sheared_geometry", "not_finite", "shifted_hu",
        "not_ct".
    """
    check_array_kind(volume.array)
    check_geometry(volume)
    low, high = check_value_limits(volume.array)
    return (*geometry_warnings(volume), *check_hounsfield(volume.array, low, high))


def check_array_kind(array: np.ndarray) -> None:
    """Raise unless the array is a 3D scalar one with at least three slices along each axis."""
    if array.dtype == bool:
        raise FlareSegError("not_ct", "The volume is a mask; give the CT itself.")
    if array.dtype.kind not in "iuf":
        raise FlareSegError("unsupported_type", f"Voxels of type {array.dtype} cannot be worked on; "
                                                "give a CT of integers or floats.")
    if array.ndim != 3:
        raise FlareSegError("not_3d", f"The image has {array.ndim} dimensions; give one 3D volume.")
    if array.size == 0:
        raise FlareSegError("empty", "The volume holds no voxels; give another file.")
    if min(array.shape) < FEWEST_SLICES:
        raise FlareSegError("not_3d", f"The volume has {min(array.shape)} slice(s) along one axis; "
                                      f"give a CT volume with at least {FEWEST_SLICES}.")


def check_geometry(volume: Volume) -> None:
    """Raise for unusable spacing, origin or axes."""
    spacing = np.asarray(volume.spacing, dtype=float)
    direction = volume.direction_matrix
    if not (np.isfinite(spacing).all() and np.isfinite(direction).all() and np.isfinite(volume.origin).all()):
        raise FlareSegError("invalid_geometry", "Spacing, origin or directions of the volume are not numbers; "
                                                "export it again.")
    if (spacing <= 0).any():
        raise FlareSegError("invalid_geometry", "The voxel spacing is zero or negative; export the volume again.")
    if np.abs(direction.T @ direction - np.eye(3)).max() > MAX_COSINE:
        raise FlareSegError("sheared_geometry", "The axes of the volume are not at right angles or not of unit length "
                                                "(gantry tilt?); resample it to a rectangular grid first.")
    left, posterior, superior = axial_spacing(volume)
    for name, value, (least, most) in (("in-plane spacing", left, IN_PLANE_MM), ("in-plane spacing", posterior,
                                       IN_PLANE_MM), ("slice spacing", superior, SLICE_MM)):
        if not least <= value <= most:
            raise FlareSegError("invalid_geometry", f"The {name} of {value:g} mm is not that of an abdominal CT "
                                                    "(metres or micrometres?); correct the header.")


def check_value_limits(array: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest voxel; raise "not_finite" or, where both are one, "empty"."""
    low, high = float(array.min()), float(array.max())  # NaN and infinity come through min and max
    if not (np.isfinite(low) and np.isfinite(high)):
        raise FlareSegError("not_finite", "The volume holds NaN or infinite values; replace them, for instance "
                                          "with -1024 outside the body.")
    if low == high:
        raise FlareSegError("empty", f"All voxels hold one single value ({low:g}); give another volume.")
    return low, high


@dataclass(frozen=True)
class ValueStatistics:
    """Fractions of the voxels that are not padding, and how wide they spread.

    `spread` is the distance from the 0.5 to the 99.5 percentile; `distinct` counts different values.
    """

    negative: float
    air: float
    soft_tissue: float
    inside_body: float
    spread: float
    distinct: int


def value_statistics(sample: np.ndarray) -> ValueStatistics:
    """Statistics of a sample of voxels, without what scanners fill in outside the field of view."""
    values = sample[sample > PADDING_BELOW]
    if values.size == 0:
        return ValueStatistics(0.0, 0.0, 0.0, 0.0, 0.0, 0)
    least, most = np.percentile(values, (0.5, 99.5))
    return ValueStatistics(float((values < 0).mean()), _fraction(values, AIR), _fraction(values, SOFT_TISSUE),
                           _fraction(values, INSIDE_BODY), float(most - least), len(np.unique(values)))


def check_hounsfield(array: np.ndarray, low: float, high: float) -> tuple[str, ...]:
    """Judge whether voxels are HU: return warnings, or raise "shifted_hu" or "not_ct".

    Parameters
    ----------
    array : numpy.ndarray
        (k, j, i) voxels.
    low, high : float
        Their least and greatest value.
    """
    sample = strided_sample(array)
    found = value_statistics(sample)
    integers = array.dtype.kind in "iu"
    if found.negative < 0.001:
        _refuse_without_negatives(sample, integers, low, high)
    if integers and found.distinct <= FEW_VALUES:
        raise FlareSegError("not_ct", f"The volume holds only {found.distinct} different values, as a label map does; "
                                      "give the CT itself.")
    if found.air >= 0.005 and found.soft_tissue >= 0.02:
        return ()
    if found.inside_body >= 0.5 and found.spread >= 60:
        return ("The volume holds no air around the body (a tight crop, or clipped values): check the result.",)
    raise FlareSegError("not_ct", f"The values ({low:g} to {high:g}) are not those of a CT in Hounsfield units, where "
                                  "air is -1000 and organs lie near 50; give an unprocessed CT.")


def geometry_warnings(volume: Volume) -> tuple[str, ...]:
    """Sentences about an oblique, coarse or short volume."""
    left, posterior, superior = axial_spacing(volume)
    slices = volume.size[axis_order(volume.direction_matrix).axes[2]]
    tilt = obliqueness_degrees(volume.direction_matrix)
    warnings = []
    if tilt > OBLIQUE_DEGREES:
        warnings.append(f"The volume is oblique by {tilt:.0f} degrees; it is worked on along its own axes, "
                        "which lowers accuracy.")
    if superior > THICK_SLICE_MM:
        warnings.append(f"The slices are thick ({superior:g} mm); small organs and volumes are less accurate.")
    if max(left, posterior) > USUAL_IN_PLANE_MM[1] or min(left, posterior) < USUAL_IN_PLANE_MM[0]:
        warnings.append(f"The in-plane spacing ({left:g} x {posterior:g} mm) is unusual for an abdominal CT.")
    if superior * slices < SHORT_COVERAGE_MM:
        warnings.append(f"The volume covers only {superior * slices:.0f} mm from head to feet; organs are cut off.")
    return tuple(warnings)


def axial_spacing(volume: Volume) -> tuple[float, float, float]:
    """Spacing along left, posterior, superior in mm, whatever the storage order."""
    left, posterior, superior = (float(volume.spacing[axis]) for axis in axis_order(volume.direction_matrix).axes)
    return left, posterior, superior


def strided_sample(array: np.ndarray) -> np.ndarray:
    """About `SAMPLE_VOXELS` voxels, evenly strided along the three axes, as one row."""
    step = max(1, int(np.ceil((array.size / SAMPLE_VOXELS) ** (1 / 3))))
    steps = [min(step, max(1, length // 16)) for length in array.shape]  # keep some of a short axis
    return array[::steps[0], ::steps[1], ::steps[2]].ravel()


def _refuse_without_negatives(sample: np.ndarray, integers: bool, low: float, high: float) -> None:
    """Raise "shifted_hu" for a CT that was moved up by 1024 (or 1000), else "not_ct"."""
    values = sample[sample > PADDING_BELOW]
    inside = values[values > 300]
    moved = (SOFT_TISSUE[0] - 50 + OFFSET, SOFT_TISSUE[1] + OFFSET)
    if inside.size >= 0.02 * values.size and inside.size and _fraction(inside, moved) >= 0.6:
        raise FlareSegError("shifted_hu", "The values are shifted: soft tissue lies near 1024 instead of 0 HU; "
                                          "subtract 1024 from every voxel, or export the CT with its rescale "
                                          "intercept.")
    if integers and low >= 0 and high <= 255:
        raise FlareSegError("not_ct", f"The values run from {low:g} to {high:g}, as in a label map or an 8-bit "
                                      "picture; give the CT in Hounsfield units.")
    raise FlareSegError("not_ct", f"The volume holds no values below 0 ({low:g} to {high:g}), so it is no CT in "
                                  "Hounsfield units (an MR, or rescaled to other units?); give an unprocessed CT.")


def _fraction(values: np.ndarray, limits: tuple[float, float]) -> float:
    return float(((values >= limits[0]) & (values <= limits[1])).mean())
