"""From the positions of single slices to one regular stack, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import FlareSegError

SAME_POSITION_MM = 0.01
STEP_TOLERANCE = 0.1  # of the median step
ROUNDING_MM = 0.11  # scanners round positions to 0.1 mm
MAX_TILT_DEGREES = 0.5


@dataclass(frozen=True)
class SliceStack:
    """A regular stack of slices.

    Attributes
    ----------
    order : tuple of int
        Indices into the positions given, along `normal`.
    spacing : float
        Millimetres from slice to slice.
    origin : tuple of float
        Position of the first slice, LPS, mm.
    direction : tuple of float
        3x3, row-major; columns are row direction, column direction, normal.
    """

    order: tuple[int, ...]
    spacing: float
    origin: tuple[float, float, float]
    direction: tuple[float, ...]


def stack_slices(positions: np.ndarray, orientation: np.ndarray) -> SliceStack:
    """Order slices along their normal and check that they are evenly spaced and above one another.

    Parameters
    ----------
    positions : numpy.ndarray
        (slices, 3) Image Position (Patient), in any order.
    orientation : numpy.ndarray
        (6,) Image Orientation (Patient): row direction, column direction.

    Raises
    ------
    FlareSegError
        "not_3d" for one slice, or several at one position; "missing_slices"; "non_uniform_spacing";
        "sheared_geometry" for gantry tilt; "invalid_geometry".
    """
    positions = np.asarray(positions, dtype=float).reshape(-1, 3)
    if len(positions) < 2:
        raise FlareSegError("not_3d", "The series has a single image; give a series with all slices.")
    row, column = unit_axes(orientation)
    normal = np.cross(row, column)
    order = np.argsort(positions @ normal, kind="stable")
    positions = positions[order]
    along = (positions - positions[0]) @ normal
    _check_steps(along)
    _check_tilt(positions - positions[0], normal, along)
    direction = np.column_stack([row, column, normal])
    return SliceStack(tuple(order.tolist()), float(along[-1] / (len(along) - 1)), tuple(positions[0].tolist()),
                      tuple(direction.ravel().tolist()))


def unit_axes(orientation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column direction of an Image Orientation (Patient), at right angles and of length 1.

    Raises
    ------
    FlareSegError
        "invalid_geometry", "sheared_geometry".
    """
    row, column = np.asarray(orientation, dtype=float).reshape(2, 3)
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if not np.allclose(lengths, 1.0, atol=0.01):
        raise FlareSegError("invalid_geometry", "The images' orientation is not given by unit vectors; "
                                                "export the series again.")
    row, column = row / lengths[0], column / lengths[1]
    if abs(row @ column) > np.sin(np.radians(MAX_TILT_DEGREES)):
        raise FlareSegError("sheared_geometry", "The images' rows and columns are not at right angles; "
                                                "export the series again.")
    column = column - (row @ column) * row
    return row, column / np.linalg.norm(column)


def _check_steps(along: np.ndarray) -> None:
    """Raise unless the sorted distances along the normal (mm, from 0) are evenly spaced."""
    steps = np.diff(along)
    if (steps < SAME_POSITION_MM).any():
        raise FlareSegError("not_3d", f"The series holds {int((steps < SAME_POSITION_MM).sum())} images at the "
                                      "position of another one (several phases or reconstructions in one series); "
                                      "split it and give one of them.")
    step = np.median(steps)
    uneven = np.abs(steps - step) > max(STEP_TOLERANCE * step, ROUNDING_MM)
    if not uneven.any():
        return
    multiples = steps / step
    missing = np.rint(multiples).astype(int) - 1
    whole = np.abs(multiples - np.rint(multiples)) <= max(STEP_TOLERANCE, ROUNDING_MM / step)
    if (whole & (missing >= 1))[uneven].all():
        gaps = np.flatnonzero(uneven)
        raise FlareSegError("missing_slices", f"{int(missing[gaps].sum())} of {len(along) + int(missing[gaps].sum())} "
                                              f"slices are missing ({_gap_list(gaps, along, missing)}); "
                                              "copy or export the whole series again.")
    raise FlareSegError("non_uniform_spacing", f"The slices are not evenly spaced ({steps.min():.2f} to "
                                               f"{steps.max():.2f} mm); resample the series to even spacing "
                                               "or choose another one.")


def _gap_list(gaps: np.ndarray, along: np.ndarray, missing: np.ndarray, most: int = 5) -> str:
    shown = [f"{missing[g]} after slice {g + 1}, at {along[g]:.1f} mm from the first" for g in gaps[:most]]
    return "; ".join(shown) + ("; …" if len(gaps) > most else "")


def _check_tilt(offsets: np.ndarray, normal: np.ndarray, along: np.ndarray) -> None:
    """Raise where slices drift sideways, as those of a tilted gantry do."""
    sideways = np.linalg.norm(offsets - np.outer(along, normal), axis=1)
    allowed = max(ROUNDING_MM, np.tan(np.radians(MAX_TILT_DEGREES)) * along[-1])
    if sideways.max() > allowed:
        raise FlareSegError("sheared_geometry", f"The slices are shifted sideways by up to {sideways.max():.1f} mm "
                                                "against one another (gantry tilt); resample the series to a "
                                                "rectangular grid first or choose another one.")
