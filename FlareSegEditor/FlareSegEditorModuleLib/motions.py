"""How the outline follows a handle: matrices (4, 4) in RAS, mm."""

from __future__ import annotations

import numpy as np

from FlareSegLib.disease.direction import turn_between


def moved(offset) -> np.ndarray:
    """By a vector."""
    matrix = np.eye(4)
    matrix[:3, 3] = offset
    return matrix


def about(point, linear: np.ndarray) -> np.ndarray:
    """A (3, 3) map that leaves a point where it is."""
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = np.asarray(point, float) - linear @ point
    return matrix


def stretched(frame: np.ndarray, scales, centre) -> np.ndarray:
    """Longer or shorter along the columns of a rotation matrix, about a point."""
    return about(centre, (frame * np.asarray(scales, float)) @ frame.T)


def turned(pivot, tip, new_tip) -> np.ndarray:
    """Turned about a pivot and stretched along the way to its tip, so that the tip comes to lie where it is wanted."""
    old, new = np.subtract(tip, pivot), np.subtract(new_tip, pivot)
    far, new_far = np.linalg.norm(old), max(np.linalg.norm(new), 1e-6)
    along = old / far
    stretch = np.eye(3) + (new_far / far - 1) * np.outer(along, along)
    return about(pivot, turn_between(along, new / new_far) @ stretch)


def handle_axis(pivot, tip, least_mm: float):
    """Pivot and tip, the tip of a small lesion so far out that a hand can tell it from its pivot."""
    way = np.subtract(tip, pivot)
    return tuple(pivot), tuple(pivot + way * max(1.0, least_mm / max(np.linalg.norm(way), 1e-6)))


def frame_along(axis) -> np.ndarray:
    """(3, 3): columns of a rotation matrix, the first along an axis (pivot, tip); none turned where that is None."""
    if axis is None:
        return np.eye(3)
    along = np.subtract(axis[1], axis[0])
    return turn_between((1.0, 0.0, 0.0), along / np.linalg.norm(along))
