"""Which parameters box and tip in the views stand for: by their names, which all diseases use alike."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from FlareSegLib.disease.direction import angles_of
from FlareSegLib.disease.parameters import meanings


def proportional(value: float, scale: float) -> float:
    """Lengths."""
    return value * scale


def stretched_axis(value: float, scale: float) -> float:
    """Longest over shortest axis of an ellipsoid that keeps its volume."""
    return value * scale**1.5


def opened(value: float, scale: float) -> float:
    """Opening angle (degrees) of a wedge that keeps its length."""
    return 2 * math.degrees(math.atan(math.tan(math.radians(value / 2)) * scale))


#: Names to the new value, from the old one and the scale of the lesion's extent along or across its axis.
ALONG = {"length": proportional, "depth": proportional, "elongation": stretched_axis}
ACROSS = {"diameter": proportional, "width": proportional, "angle": opened}
#: Of lesions without an axis.
ALL_ROUND = {"diameter": proportional}


def extents_of(directed: bool, side: int) -> dict:
    """What a side of the box stands for; side 0 lies along the axis."""
    return ALL_ROUND if not directed else ACROSS if side else ALONG


def side_of(name: str, directed: bool) -> int | None:
    """The side of the box that grows in proportion to a parameter; None for none."""
    return next((side for side in (0, 1) if extents_of(directed, side).get(name) is proportional), None)


def is_sized(parameters, directed: bool) -> bool:
    """Whether a box can change a lesion's size."""
    return any(name in meanings(type(parameters)) for name in extents_of(directed, 1))


def is_aimed(parameters) -> bool:
    """Whether a lesion can be turned."""
    return "azimuth" in meanings(type(parameters))


def scaled(parameters, extents: dict, scale: float):
    """Parameters for another extent, as far as they may go."""
    known = meanings(type(parameters))
    for name in extents:
        if name in known:
            low, high = known[name].low, known[name].high
            wanted = float(np.clip(extents[name](getattr(parameters, name), scale), low, high))
            return replace(parameters, **{name: round(wanted, 1 if high - low >= 10 else 2)})  # as the sliders do
    return parameters


def aimed(parameters, direction_lps):
    """Parameters for another direction (LPS)."""
    azimuth, elevation = (round(angle, 1) for angle in angles_of(direction_lps))
    return replace(parameters, azimuth=azimuth, elevation=elevation)
