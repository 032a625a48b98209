"""The line along the middle of a long organ: the way of the pancreatic duct."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..arrays import Mask
from ..errors import FlareSegError
from .block import Block
from .case import LABEL_OF, Vector
from .coarse import coarse_steps, thin_out

NODE_MM = 2.0
#: Of the line's wandering, mm along it.
SMOOTH_MM = 8.0
SPACING_MM = 2.0


def medial_axis(block: Block, organ: str) -> np.ndarray:
    """Points along the middle of an organ's largest part in a block.

    The way is the one between the two ends that lie farthest apart (measured within the organ) on which each step costs
    the less the deeper it runs.

    Returns
    -------
    numpy.ndarray
        (n, 3), LPS, mm, some 2 mm apart; from the patient's right end to the left one: from the head of the pancreas to
        its tail.

    Raises
    ------
    FlareSegError
        "disease_not_placed" where the organ is too small to have one.
    """
    from skimage.graph import MCP_Geometric

    steps = coarse_steps(block.grid.spacing, NODE_MM)
    node_mm = [mm * step for mm, step in zip(reversed(block.grid.spacing), steps)]
    mask = block.labels == LABEL_OF[organ]
    own = (ndimage.find_objects(mask.view(np.uint8)) or [(slice(0, 1),) * 3])[0]
    inside = largest_part(thin_out(mask[own], steps) > 0.4)
    if np.count_nonzero(inside) < 8:
        raise FlareSegError("disease_not_placed", f"The {organ} is too small for this disease; choose another case.")
    depth = ndimage.distance_transform_edt(np.pad(inside, 1), node_mm)[1:-1, 1:-1, 1:-1]
    even = np.where(inside, 1.0, np.inf)
    start = np.unravel_index(np.argmax(depth), depth.shape)
    ends = [start]
    for _ in range(2):
        far = MCP_Geometric(even, sampling=node_mm).find_costs([ends[-1]])[0]
        ends.append(np.unravel_index(np.argmax(np.where(np.isfinite(far), far, -1)), far.shape))
    # Deep nodes are cheap: the way keeps to the middle.
    ways = MCP_Geometric(np.where(inside, (1 / np.maximum(depth, 1.0)) ** 2, np.inf), sampling=node_mm)
    ways.find_costs([ends[1]], [ends[2]])
    path = np.array(ways.traceback(ends[2]), float) * steps + [outer.start + part.start
                                                               for outer, part in zip(block.box, own)]
    points = _even(block.grid.point_of(path))
    return points if points[0, 0] <= points[-1, 0] else points[::-1].copy()


def along(points: np.ndarray, place: Vector) -> int:
    """Which of the points lies nearest to a place."""
    return int(np.argmin(np.linalg.norm(points - np.asarray(place, float), axis=1)))


def largest_part(mask: Mask) -> Mask:
    """The largest connected part of a mask."""
    parts, count = ndimage.label(mask, np.ones((3, 3, 3)))
    return parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]) if count else mask


def _even(points: np.ndarray) -> np.ndarray:
    """The same line, smooth, its points `SPACING_MM` apart."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.linspace(0, length[-1], max(2, int(length[-1] / SPACING_MM) + 1))
    even = np.stack([np.interp(at, length, axis) for axis in points.T], axis=1)
    return ndimage.gaussian_filter1d(even, SMOOTH_MM / SPACING_MM / 2, axis=0, mode="nearest")
