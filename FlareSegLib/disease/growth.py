"""Whole organs that grow, shrink or get a nodular surface, their neighbours giving way or following."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from ..errors import FlareSegError
from .block import Block
from .case import LABEL_OF
from .coarse import coarse_steps, node_points, thin_out
from .fractal import fractal_noise
from .scene import Piece, Scene
from .warping import NODE_MM, determinant, mobility, warp

#: The movement has died away this far from the organ's surface.
FADE_MM = 40.0
MARGIN_MM = 40.0
#: Near a rib an organ may still grow: bone's feather is narrower than for a push.
FEATHER_MM = 10.0
#: Of the surface's normals: they must not diverge faster at an organ's tips.
SMOOTH_MM = 6.0
#: Less gas than this is the bowel's, which gives way; lung and what is outside the body stay.
GAS_ML = 150.0
#: The flow goes on in steps of so many mm, until the volume is right, at most so often.
STEP_MM, MOST_STEPS = 1.5, 60
LOWEST_DETERMINANT, RELAXED_DETERMINANT = 0.12, 0.3


def scale_organ(scene: Scene, organ: str, factor: float, weight: Callable | None = None, piece: Piece | None = None,
                nodularity_mm: float = 0.0, bump_mm: float = 12.0, seed: int = 0) -> Block:
    """A block in which an organ has `factor` times its volume.

    The organ's surface moves along its normal, as fast as `weight` and mobility (bone and air stay) allow, and takes
    its surroundings along: neighbours are pushed away, or drawn in with the fat between them.

    Parameters
    ----------
    factor : float
        New over old volume, met within 2 %.
    weight : callable or None
        ``weight((x, y, z))`` (LPS, mm, arrays of one shape) -> how readily each part moves; negative: the other way.
    piece : Piece or None
        Only this part of the organ: one kidney.
    nodularity_mm : float
        SD (mm) of the surface's wandering.
    bump_mm : float
        Half the width of a nodule.
    seed : int
        Of the nodules.

    Raises
    ------
    FlareSegError
        "bad_disease_case" without the organ; "disease_not_placed" where bone, air and the scan's border leave no room.
    """
    measured = scene.organ(organ)
    own = piece.box if piece is not None else measured.box
    block = scene.block_of(scene.grown(own, MARGIN_MM))
    inside = np.zeros(block.labels.shape, bool)
    part = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(own, block.box))
    inside[part] = block.labels[part] == LABEL_OF[organ]
    scale(block, inside, factor, weight, nodularity_mm, bump_mm, seed)
    return block


def scale(block: Block, inside: np.ndarray, factor: float, weight: Callable | None = None, nodularity_mm: float = 0.0,
          bump_mm: float = 12.0, seed: int = 0) -> None:
    """The same for any body (a mask of the block's shape), in a block that reaches `MARGIN_MM` around it."""
    every = 1 if nodularity_mm else 2
    steps = tuple(every * step for step in coarse_steps(block.grid.spacing, NODE_MM))
    spacing = block.grid.spacing[::-1]
    node_mm = np.array([mm * step for mm, step in zip(spacing, steps)], np.float32)
    filled = thin_out(inside, steps)
    distance = _signed_distance(filled, node_mm)
    normal = _normals(distance, node_mm)
    free = mobility(block, every, FEATHER_MM, GAS_ML) * _border(filled.shape, node_mm)
    speed = np.maximum(1 - np.abs(distance) / np.float32(FADE_MM), 0) ** 2 * free
    points = node_points(block.grid, block.box, steps)
    if weight is not None:
        speed = speed * np.asarray(weight(points), np.float32)
    start = np.zeros((3, *filled.shape), np.float32)
    if nodularity_mm:
        wander = fractal_noise(points, seed, bump_mm, octaves=2) * np.exp(-np.abs(distance) / np.float32(bump_mm)) * free
        for _ in range(4):
            start = _carried(start, -normal * wander * np.float32(nodularity_mm / 4), node_mm)
    displacement = _grown(filled, start, normal * speed, node_mm, factor)
    warp(block, displacement, steps)


def _signed_distance(filled: np.ndarray, node_mm) -> np.ndarray:
    """Distance to the surface on the nodes, negative inside, smooth."""
    inside = filled > 0.5
    if not inside.any():
        raise FlareSegError("disease_not_placed", "The organ is too small to be changed; choose another one.")
    half = np.float32(min(node_mm) / 2)
    distance = np.where(inside, half - ndimage.distance_transform_edt(inside, node_mm),
                        ndimage.distance_transform_edt(~inside, node_mm) - half)
    return ndimage.gaussian_filter(distance.astype(np.float32), 3.0 / node_mm, mode="nearest")


def _normals(distance: np.ndarray, node_mm) -> np.ndarray:
    """Outward unit vectors (3, k, j, i) along the array's axes; shorter where the surface's sides meet."""
    slope = np.stack(np.gradient(distance, *node_mm))
    # What is a ridge in the middle of the organ must not tear: the smooth mean of opposite normals is short.
    return np.stack([ndimage.gaussian_filter(part, SMOOTH_MM / node_mm, mode="nearest") for part in slope])


def _border(shape, node_mm) -> np.ndarray:
    """1 inside, falling to 0 over 10 mm at the border of the block."""
    result = np.ones(shape, np.float32)
    for axis, (n, mm) in enumerate(zip(shape, node_mm)):
        t = np.clip(np.minimum(np.arange(n), np.arange(n)[::-1]) * mm / 10, 0, 1).astype(np.float32)
        result *= (t * t * (3 - 2 * t)).reshape([-1 if a == axis else 1 for a in range(3)])
    return result


def _carried(displacement: np.ndarray, more: np.ndarray, node_mm) -> np.ndarray:
    """First `more`, then `displacement` from where that leads: both are inverse maps, mm."""
    at = np.indices(more.shape[1:], np.float32) + more / node_mm[:, None, None, None]
    return more + np.stack([ndimage.map_coordinates(part, at, order=1, mode="nearest") for part in displacement])


def _volume(filled: np.ndarray, displacement: np.ndarray, node_mm) -> float:
    at = np.indices(filled.shape, np.float32) + displacement / node_mm[:, None, None, None]
    return float(ndimage.map_coordinates(filled, at, order=1, mode="nearest").sum(dtype=np.float64))


def _grown(filled, start, velocity, node_mm, factor: float) -> np.ndarray:
    """Follow the velocity until the volume is right; a flow of small steps does not fold, however far it goes."""
    target = factor * float(filled.sum(dtype=np.float64))
    displacement = before = start
    volume = _volume(filled, start, node_mm)
    sign = np.float32(1 if target > volume else -1)
    step = -sign * np.float32(STEP_MM) * velocity
    for _ in range(MOST_STEPS):
        if sign * (target - volume) <= 0:
            break
        before = displacement
        displacement = _relaxed(_carried(displacement, step, node_mm), velocity, node_mm)
        volume = _volume(filled, displacement, node_mm)
        if float(determinant(displacement, node_mm).min()) < LOWEST_DETERMINANT:
            displacement = before
            volume = _volume(filled, displacement, node_mm)
            break
    if sign * (target - volume) > 0.02 * target:
        raise FlareSegError("disease_not_placed", "Bone, air and the scan's border leave the organ no room to change "
                                                  "so much; ask for less.")
    return _between(filled, before, displacement, target, node_mm)


def _relaxed(displacement: np.ndarray, velocity: np.ndarray, node_mm) -> np.ndarray:
    """The same, smoother where tissue is stretched most, so that its stretch spreads; what cannot move stays."""
    tight = determinant(displacement, node_mm) < RELAXED_DETERMINANT
    if not tight.any():
        return displacement
    part = ndimage.gaussian_filter(tight.astype(np.float32), 8.0 / node_mm, mode="nearest")
    part = np.minimum(part * 8, 1) * (np.abs(velocity).max(axis=0) > 0)
    smooth = np.stack([ndimage.gaussian_filter(u, 5.0 / node_mm, mode="nearest") for u in displacement])
    return displacement + part * (smooth - displacement)


def _between(filled, before, after, target: float, node_mm) -> np.ndarray:
    """The displacement between two, by bisection of the volume."""
    rising = _volume(filled, after, node_mm) > _volume(filled, before, node_mm)
    low, high = 0.0, 1.0
    for _ in range(7):
        middle = np.float32((low + high) / 2)
        mixed = before + middle * (after - before)
        if (_volume(filled, mixed, node_mm) < target) == rising:
            low = middle
        else:
            high = middle
    return mixed
