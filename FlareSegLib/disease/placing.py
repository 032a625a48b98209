"""Where a lesion may grow: drawing points in an organ by how deep they lie."""

from __future__ import annotations

import numpy as np

from ..errors import FlareSegError
from .case import LABEL_OF
from .scene import Scene


def draw_in_organ(scene: Scene, organ: str, rng: np.random.Generator, depth_mm: tuple[float, float] = (0.0, 1e3),
                  side: str | None = None) -> tuple[float, ...]:
    """Draw a point (LPS, mm) in an organ, between two distances from its surface.

    Where the organ is nowhere that deep, the deepest tenth of it is taken.

    Parameters
    ----------
    depth_mm : tuple of float
        Least and largest distance to the surface.
    side : str or None
        "left" or "right": in that half of the body only (one kidney).

    Raises
    ------
    FlareSegError
        "disease_not_placed" where there is nothing of the organ on that side.
    """
    depth, grid = scene.depth(organ), scene.case.grid
    nodes = np.argwhere(depth.mm > -2.0)
    index = nodes * np.asarray(depth.steps) + [part.start for part in depth.box]
    index = np.minimum(index, np.asarray(grid.shape) - 1)
    inside = scene.case.labels[tuple(index.T)] == LABEL_OF[organ]
    points, mm = grid.point_of(index), depth.mm[tuple(nodes.T)]
    if side is not None:
        inside &= (points[:, 0] > scene.middle_x) == (side == "left")
    if not inside.any():
        raise FlareSegError("disease_not_placed", f"There is no {side + ' ' if side else ''}{organ} to put it into.")
    fitting = inside & (mm >= depth_mm[0]) & (mm <= depth_mm[1])
    if not fitting.any():
        fitting = inside & (mm >= np.quantile(mm[inside], 0.9))
    return tuple(points[rng.choice(np.flatnonzero(fitting))].tolist())
