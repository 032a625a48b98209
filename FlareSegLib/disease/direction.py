"""Diseases that run a way: two angles in the patient turn them; left open, the disease finds its way itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FlareSegError
from .parameters import quantity

if TYPE_CHECKING:
    from .case import Vector
    from .operation import Operation

#: What is turned points into its organ by at least so much (cosine to the surface's normal).
LEAST_INWARDS = 0.2


def azimuth() -> Any:
    """A field for the direction within axial slices."""
    return quantity(None, -180, 180, "°", "Direction: 0 to the patient's left, 90 to the back, -90 to the front; "
                    "left open: the disease's own", main=False)


def elevation() -> Any:
    """A field for the direction out of axial slices."""
    return quantity(None, -90, 90, "°", "Direction: 90 to the head, 0 in the slice, -90 to the feet; "
                    "left open: the disease's own", main=False)


def aimed(own: Vector, parameters: Any) -> np.ndarray:
    """The way a lesion runs: its own vector (LPS), or one with those angles that parameters set, then of length 1.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> aimed((1.0, 0.0, 0.0), SimpleNamespace(azimuth=90.0, elevation=None)).round(6).tolist()
    [0.0, 1.0, 0.0]
    """
    wanted = parameters.azimuth, parameters.elevation
    if wanted == (None, None):
        return np.asarray(own, float)
    across, up = np.radians([natural if given is None else given for given, natural in zip(wanted, angles_of(own))])
    return np.array([np.cos(up) * np.cos(across), np.cos(up) * np.sin(across), np.sin(up)])


def aimed_inwards(own: Vector, normal: Vector, operation: Operation) -> np.ndarray:
    """The same of a lesion that reaches from its organ's surface, of which `normal` points outwards, into the organ.

    Raises
    ------
    FlareSegError
        "disease_not_placed" where it is turned out of the organ.
    """
    along = aimed(own, operation.parameters)
    turned = (operation.parameters.azimuth, operation.parameters.elevation) != (None, None)
    if turned and along @ normal > -LEAST_INWARDS:
        raise FlareSegError("disease_not_placed", f"{operation.disease}: it is turned out of the {operation.organ}; "
                                                  "turn it inwards.")
    return along


def angles_of(direction: Vector) -> tuple[float, float]:
    """Azimuth and elevation of a vector (LPS), degrees."""
    x, y, z = np.asarray(direction, float) / np.linalg.norm(direction)
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arcsin(np.clip(z, -1, 1))))


def turn_between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(3, 3): the shortest rotation from one unit vector to another; exactly none where they are the same."""
    one, other = np.asarray(one, float), np.asarray(other, float)
    cosine = one @ other
    if cosine < -1 + 1e-9:  # half a turn, about any axis across
        axis = np.cross(one, np.eye(3)[np.argmin(np.abs(one))])
        axis /= np.linalg.norm(axis)
        return 2 * np.outer(axis, axis) - np.eye(3)
    x, y, z = np.cross(one, other)
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)
