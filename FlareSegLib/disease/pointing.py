"""What a click means: the organ that a disease would be put into at a point, or why it cannot be there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..errors import FlareSegError
from .case import LABEL_OF, UNKNOWN, Vector
from .operation import Disease
from .scene import Scene

ORGAN_OF = {label: name for name, label in LABEL_OF.items()}
#: Points so near an organ, or within a voxel of it, are meant for it.
REACH_MM = 3.0


def pulled_in(disease: Disease, scene: Scene, point: Vector, organ: str = "") -> tuple[float, ...]:
    """Return a point just outside an organ moved into it; others stay where they are.

    Who clicks on an organ's surface, as in a 3D view, means the organ.

    Parameters
    ----------
    point : sequence of float
        LPS, mm.
    organ : str
        Only into this one.
    """
    point, grid = tuple(map(float, point)), scene.case.grid
    allowed = [LABEL_OF[name] for name in ((organ,) if organ else disease.organs)]
    reach = max(REACH_MM, *grid.spacing)
    box = None if disease.may_lie_outside or scene.label_at(point) in allowed else grid.box(point, point, reach)
    if box is None:
        return point
    near = grid.point_of(np.argwhere(np.isin(scene.case.labels[box], allowed)) + [part.start for part in box])
    far = np.linalg.norm(near - point, axis=1)
    return tuple(near[np.argmin(far)].tolist()) if len(far) and far.min() <= reach else point


def organ_at(disease: Disease, scene: Scene, point: Vector, organ: str = "") -> str:
    """Return the organ that a disease belongs to when it is put at a point.

    Parameters
    ----------
    point : sequence of float
        LPS, mm.
    organ : str
        Only there: the organ of an operation that is moved.

    Raises
    ------
    FlareSegError
        "disease_not_placed": the sentence says what is at the point and where the disease can be.
    """
    allowed = (organ,) if organ else disease.organs
    there = [name for name in allowed if scene.has(name)]
    label = scene.label_at(point)
    if ORGAN_OF.get(label) in there:
        return ORGAN_OF[label]
    if not there:
        raise FlareSegError("disease_not_placed", f"{disease.title}: there is no {_listed(allowed)} in this case.")
    if disease.may_lie_outside and label != UNKNOWN and scene.case.grid.holds(point):
        return there[0]
    raise FlareSegError("disease_not_placed", f"{disease.title}: {_what_is(scene, label, point)}; "
                                              f"choose a point in the {_listed(there)}.")


def _what_is(scene: Scene, label: int, point: Vector) -> str:
    if not scene.case.grid.holds(point):
        return "the place lies outside the scan"
    if label == UNKNOWN:
        return "of which organ this is nobody knows"
    return f"this is {ORGAN_OF[label]}" if label in ORGAN_OF else "here is none of the four organs"


def _listed(names: Iterable[str]) -> str:
    return " or ".join(names)
