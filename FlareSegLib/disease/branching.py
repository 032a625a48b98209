"""Trees of tubes in the liver: portal veins, bile ducts, and what can be in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from ..arrays import Floats, Hu, Labels
from ..errors import FlareSegError
from ..shapes import REACH, Shape, tube
from .block import PatientPoints
from .case import LABEL_OF, Vector
from .coarse import coarse_steps, node_points, thin_out
from .scene import Scene

NODE_MM = 3.0
#: A path costs so much per millimetre in vessels, in the liver, in other soft tissue and in what is closed.
IN_VESSEL, IN_LIVER, IN_TISSUE, CLOSED = 0.15, 1.0, 2.0, 100.0
#: What stands out so far above the liver, smoothed, is a vessel; above the second, bone or metal.
VESSEL_HU, BONE_HU, AIR_HU = 20.0, 300.0, -250.0
MARGIN_MM = 12.0
#: Paths are smoothed over so many nodes, and every so many millimetres one point is kept.
SMOOTH_NODES, POINT_MM = 2.0, 9.0


def bundle(bodies: Sequence[Shape]) -> Shape:
    """Many bodies that are small beside the box that holds them all: each is only worked out where it is near."""
    def distance(points: PatientPoints) -> Floats:
        nearest = np.full(points.x.shape, REACH, np.float32)
        for body in bodies:
            box = points.box(np.subtract(body.lower, REACH), np.add(body.upper, REACH))
            if box is not None:
                nearest[box] = np.minimum(nearest[box], body.distance(points[box]))
        return nearest

    return Shape(distance, tuple(np.min([body.lower for body in bodies], axis=0)),
                 tuple(np.max([body.upper for body in bodies], axis=0)))


def portal_paths(scene: Scene, ends: Sequence[Vector]) -> list[np.ndarray]:
    """Paths from where the portal vein comes from to points in the liver; they share their trunk.

    The way of least cost is taken: along vessels where contrast shows them, otherwise straight through the liver. It
    begins at the pancreas (the portal vein begins behind its neck) wherever the first end is nearest by that measure,
    or without a pancreas in the liver near the body's middle.

    Parameters
    ----------
    ends : sequence of (x, y, z)
        LPS, mm.

    Returns
    -------
    list of numpy.ndarray
        (n, 3) points, LPS, mm, smooth, for each end; the first is common to all.

    Raises
    ------
    FlareSegError
        "bad_disease_case" without a liver.
    """
    from skimage.graph import MCP_Geometric

    case, liver = scene.case, scene.organ("liver")
    roots = _roots(scene)
    box = case.grid.box(np.min([*roots, *ends], axis=0), np.max([*roots, *ends], axis=0), MARGIN_MM)
    assert box is not None, "the liver lies in the scan"
    corner, steps = [part.start for part in box], coarse_steps(case.grid.spacing, NODE_MM)
    cost = _cost(case.hu[box], case.labels[box], liver.median, steps)

    def nodes(points: Vector | Sequence[Vector]) -> list[tuple[int, ...]]:
        at = np.rint((case.grid.index_of(np.asarray(points)) - corner) / steps).astype(int)
        return [tuple(each) for each in np.unique(np.clip(at, 0, np.array(cost.shape) - 1), axis=0).tolist()]

    ways = MCP_Geometric(cost, sampling=[step * mm for step, mm in zip(steps, reversed(case.grid.spacing))])
    starts, stops = nodes(roots), [nodes([end])[0] for end in ends]
    if len(starts) > 1:
        ways.find_costs(starts, stops)
        starts = [ways.traceback(stops[0])[0]]
    ways.find_costs(starts, stops)
    points = np.stack(node_points(case.grid, box, steps), axis=-1)
    return [_smooth(points[tuple(np.array(ways.traceback(stop)).T)]) for stop in stops]


def _cost(hu: Hu, labels: Labels, liver_hu: float, steps: tuple[int, ...]) -> np.ndarray:
    """What a millimetre costs at each node."""
    mean, inside = thin_out(hu, steps), thin_out(labels == LABEL_OF["liver"], steps) > 0.5
    cost = np.where(mean > liver_hu + VESSEL_HU, IN_VESSEL, np.where(inside, IN_LIVER, IN_TISSUE))
    others = thin_out(np.isin(labels, [LABEL_OF["kidney"], LABEL_OF["spleen"]]), steps) > 0.5
    return np.where((mean > BONE_HU) | (mean < AIR_HU) | others, CLOSED, cost)


def _roots(scene: Scene) -> np.ndarray:
    """Where the portal vein may come from (n, 3), LPS mm."""
    if scene.has("pancreas"):
        return _points_of(scene, "pancreas")
    liver = _points_of(scene, "liver")
    middle = np.array([scene.middle_x, np.median(liver[:, 1]), np.quantile(liver[:, 2], 0.4)])
    return liver[[np.argmin(np.linalg.norm(liver - middle, axis=1))]]


def _points_of(scene: Scene, organ: str) -> np.ndarray:
    """Points (n, 3), LPS mm, some `NODE_MM` apart, all over an organ."""
    depth = scene.depth(organ)
    nodes = np.argwhere(depth.mm > 0)
    if not len(nodes):
        raise FlareSegError("disease_not_placed", f"The {organ} is too small; choose another disease.")
    return scene.case.grid.point_of(nodes * np.asarray(depth.steps) + [part.start for part in depth.box])


def _smooth(path: Floats) -> np.ndarray:
    """The same way without the grid's corners, and with points `POINT_MM` apart."""
    if len(path) < 3:
        return path.astype(float)
    smooth = ndimage.gaussian_filter1d(path.astype(float), SMOOTH_NODES, axis=0, mode="nearest")
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(smooth, axis=0), axis=1))])
    wanted = np.linspace(0, length[-1], max(2, int(round(length[-1] / POINT_MM)) + 1))
    return np.stack([np.interp(wanted, length, axis) for axis in smooth.T], axis=1)


def draw_ends(scene: Scene, count: int, rng: np.random.Generator, depth_mm: tuple[float, float] = (8.0, 25.0),
              forwards: bool = False) -> list[np.ndarray]:
    """Draw points in the liver, far from each other, where branches end.

    `forwards`: in the liver's anterior part, where gas goes.
    """
    depth = scene.depth("liver")
    nodes = np.argwhere((depth.mm >= depth_mm[0]) & (depth.mm <= depth_mm[1]))
    if len(nodes) < count:
        raise FlareSegError("disease_not_placed", "The liver is too small for branches; choose another disease.")
    nodes = rng.choice(nodes, min(5 * count, len(nodes)), replace=False)
    drawn = scene.case.grid.point_of(nodes * np.asarray(depth.steps) + [part.start for part in depth.box])
    if forwards:
        drawn = drawn[np.argsort(drawn[:, 1])][:2 * count]
    chosen = [drawn[0]]
    while len(chosen) < count:
        chosen.append(drawn[np.argmax(np.min([np.linalg.norm(drawn - each, axis=1) for each in chosen], axis=0))])
    return chosen


def tree(paths: Sequence[np.ndarray], radius_mm: float, taper: float = 0.35, beside: Vector = (0.0, 0.0, 0.0),
         first: float = 0.0, last: float = 1.0) -> Shape:
    """Tubes along paths that share their trunk.

    Parameters
    ----------
    radius_mm : float
        At the root.
    taper : float
        Radius at the farthest end over that at the root.
    beside : sequence of float
        Moves all of it (mm at the root, less where it is thinner): ducts run beside veins.
    first, last : float
        The part of the longest path's length from the root that is there.
    """
    lengths = [np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))]) for path in paths]
    longest = max(length[-1] for length in lengths)
    tubes = []
    for path, length in zip(paths, lengths):
        there = (length >= first * longest - 1e-6) & (length <= last * longest + 1e-6)
        if np.count_nonzero(there) >= 2:
            thin = 1 - (1 - taper) * length[there] / max(longest, 1e-6)
            tubes.append(tube(path[there] + thin[:, None] * np.asarray(beside), radius_mm * thin))
    if not tubes:
        raise FlareSegError("disease_not_placed", "There is no room for branches in this liver.")
    return bundle(tubes)
