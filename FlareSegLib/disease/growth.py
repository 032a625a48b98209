"""Whole organs that grow, shrink or get a nodular surface, their neighbours giving way or following."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from ..arrays import Floats, Mask
from ..errors import FlareSegError
from .block import Block
from .case import LABEL_OF, UNKNOWN, Vector
from .cavity import wall
from .coarse import box_around, coarse_steps, node_count, node_points, spread_out, spread_planes, thin_out
from .flow import Tissue, carried, follow, moved
from .fractal import fractal_noise
from .noise import NoiseModel, residual_sd
from .scene import Piece, Scene
from .warping import NODE_MM, mobility, warp

MARGIN_MM = 40.0
#: Near a rib an organ may still grow: bone's feather is narrower than for a push.
FEATHER_MM = 8.0
#: Less gas than this is the bowel's, which gives way.
GAS_ML = 150.0
#: Below this is fat (or gas), which is soft; other tissue has this share of its softness, the four organs none.
FAT_HU, FLESH_SOFTNESS = -20.0, 0.1
#: Nodes of the flow lie so often apart as those of a push.
EVERY = 2
#: In a block of no more voxels the volume is measured on all of them.
FEW_VOXELS = 1_000_000
#: A step is to end so near the volume that the rest can be reckoned along it.
LONGEST_REST = 1.3
#: A nodular surface moves what lies so deep below it (mm, falling to 1 / e), in so many steps.
NODULE_DEPTH_MM, NODULE_STEPS = 10.0, 2
#: Movement by this share of a voxel smooths noise as much as any; noise repeats after so many columns.
SMOOTHING_SHARE, TILE = 0.3, 256
NO_ROOM = "Bone, air and the scan's border leave the organ no room to change so much; ask for less."

#: Of x, y, z (LPS, mm).
Weight = Callable[[Sequence[np.ndarray]], np.ndarray]


def scale_organ(scene: Scene, organ: str, factor: float | None, weight: Weight | None = None,
                piece: Piece | None = None, nodularity_mm: float = 0.0, bump_mm: float = 12.0, seed: int = 0) -> Block:
    """A block in which an organ has `factor` times its volume.

    The organ's tissue swells or shrinks evenly (or as `weight` says) and moves what is around it: see `flow`. Bone,
    lung and the trunk's wall stay.

    Parameters
    ----------
    factor : float or None
        New over old volume, met within 2 %. None: `weight` says it all.
    weight : callable or None
        ``weight((x, y, z))`` (LPS, mm, arrays of one shape) -> how readily each part swells; negative: the other way.
        With ``factor=None`` the logarithm of each part's own new over old volume.
    piece : Piece or None
        Only this part of the organ: one kidney.
    nodularity_mm : float
        SD (mm) of the surface's wandering.
    bump_mm : float
        Half the width of a nodule.
    seed : int
        Of the nodules, and of the noise that makes up for what moving voxels smooths away.

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
    still = wall(scene, block.box, flow_steps(block))
    sd = residual_sd(block.hu, inside, block.grid.spacing)
    displacement = scale(block, inside, factor, weight, nodularity_mm, bump_mm, seed, still)
    make_up_noise(block, scene.noise(organ), displacement, block.labels == LABEL_OF[organ], sd, seed)
    return block


def flow_steps(block: Block) -> tuple[int, ...]:
    """Voxels along k, j, i between the nodes of the flow."""
    return tuple(EVERY * step for step in coarse_steps(block.grid.spacing, NODE_MM))


def scale(block: Block, inside: Mask, factor: float | None, weight: Weight | None = None,
          nodularity_mm: float = 0.0, bump_mm: float = 12.0, seed: int = 0,
          still: Floats | None = None) -> Floats:
    """The same for any body (a mask of the block's shape), in a block that reaches `MARGIN_MM` around it.

    `still` is 1 on those nodes (`flow_steps`) that do not move, 0 on the others. Returned are the inverse map's
    millimetres along k, j, i on nodes half as far apart, float32 (3, nodes).
    """
    steps, fine = flow_steps(block), coarse_steps(block.grid.spacing, NODE_MM)
    tissue = _tissue(block, inside, steps, weight, still)
    found = box_around((tissue.mobility > 0) | (tissue.filled > 0), steps, inside.shape)
    assert found is not None, "_tissue has seen to it"
    nodes, voxels = found
    tissue, inside = tissue.part(nodes), inside[voxels]
    flow = follow(tissue if factor is None or factor > 1 else _reversed(tissue), 1.0 if factor is None else np.inf)
    displacement = _to_the_end(flow) if factor is None else _to_volume(flow, tissue, inside, steps, factor)
    body, fine_mm = thin_out(inside, fine), _node_mm(block, fine)
    displacement = _refined(displacement, (EVERY,) * 3, body.shape)
    if nodularity_mm:
        room = spread_out(tissue.mobility, (EVERY,) * 3, body.shape)
        box = tuple(slice(a.start + b.start, a.start + b.stop) for a, b in zip(block.box, voxels))
        wander = fractal_noise(node_points(block.grid, box, fine), seed, bump_mm, octaves=2)
        displacement = _nodular(body, displacement, nodularity_mm * wander, room, fine_mm)
    whole = np.zeros((3, *node_count(block.hu.shape, fine)), np.float32)
    whole[(slice(None), *(slice(EVERY * part.start, EVERY * part.start + n) for part, n in zip(nodes, body.shape)))] = \
        displacement
    try:
        warp(block, whole, fine, halvings=0)
    except FlareSegError as error:
        raise FlareSegError(error.code, NO_ROOM) from error
    return whole


def _node_mm(block: Block, steps: tuple[int, ...]) -> Floats:
    return np.array([mm * step for mm, step in zip(reversed(block.grid.spacing), steps)], np.float32)


def _tissue(block: Block, inside: Mask, steps: tuple[int, ...], weight: Weight | None, still: Floats | None) -> Tissue:
    """What the flow needs to know of a block, on its nodes."""
    filled, node_mm = thin_out(inside, steps), _node_mm(block, steps)
    if not (filled > 0.5).any():
        raise FlareSegError("disease_not_placed", "The organ is too small to be changed; choose another one.")
    # The diaphragm gives way, the lung behind it, too; without a wall that bounds the body, all larger air stays.
    free = mobility(block, EVERY, FEATHER_MM, GAS_ML if still is None else np.inf) * _border(filled.shape, node_mm)
    if still is not None:
        free = free * (1 - still)
    fat = thin_out(block.hu < FAT_HU, steps)
    organs = thin_out(np.isin(block.labels, list(LABEL_OF.values())), steps)
    softness = np.clip(fat + np.float32(FLESH_SOFTNESS) * (1 - fat) - organs, 0, 1)
    swelling = np.ones(filled.shape, np.float32)
    if weight is not None:
        swelling = np.asarray(weight(node_points(block.grid, block.box, steps)), np.float32)
    return Tissue(node_mm, filled, swelling, free, softness)


def _reversed(tissue: Tissue) -> Tissue:
    return replace(tissue, swelling=-tissue.swelling)


def _border(shape: tuple[int, ...], node_mm: Vector) -> Floats:
    """1 inside, falling to 0 over 10 mm at the border of the block."""
    result = np.ones(shape, np.float32)
    for axis, (n, mm) in enumerate(zip(shape, node_mm)):
        # The last node may lie behind the last voxel: the one before it is not to move either.
        t = np.clip(np.minimum(np.arange(n), np.arange(n)[::-1] - 1) * mm / 10, 0, 1).astype(np.float32)
        result *= (t * t * (3 - 2 * t)).reshape([-1 if a == axis else 1 for a in range(3)])
    return result


def _refined(nodes: Floats, steps: tuple[int, ...], shape: tuple[int, ...]) -> Floats:
    """Fields (n, k, j, i) between their nodes, of this shape."""
    return np.stack([spread_out(part, steps, shape) for part in nodes])


def _to_the_end(flow: Iterable[tuple[float, np.ndarray]]) -> Floats:
    """Follow a flow for the time of 1."""
    last = deque(flow, maxlen=1)
    if not last or last[0][0] < 1:
        raise FlareSegError("disease_not_placed", NO_ROOM)
    return last[0][1]


def _to_volume(flow: Iterable[tuple[float, np.ndarray]], tissue: Tissue, inside: Mask, steps: tuple[int, ...],
               factor: float) -> Floats:
    """Follow a flow until the body (a mask of all voxels) has `factor` times its volume."""
    # The coarse nodes tell the volume only roughly; what dense ones say counts, or small bodies' very voxels.
    dense = steps if inside.size <= FEW_VOXELS else (EVERY,) * 3
    body = thin_out(inside, tuple(step // n for step, n in zip(steps, dense)))
    first, target = float(tissue.filled.sum(dtype=np.float64)), factor * float(body.sum(dtype=np.float64))
    growing, dense_mm = factor > 1, tissue.node_mm / dense

    def volume(nodes: Floats) -> float:
        return _measured(moved(body, _refined(nodes, dense, body.shape), dense_mm), dense == steps)

    before = after = np.zeros((3, *tissue.filled.shape), np.float32)
    for _, onwards in flow:
        before, after = after, onwards
        rough = float(moved(tissue.filled, after, tissue.node_mm).sum(dtype=np.float64))
        if (rough > factor * first) == growing and (volume(after) > target) == growing:
            break
    low, high = volume(before), volume(after)
    share = np.clip((target - low) / (high - low) if high != low else 0.0, -1, LONGEST_REST)
    if abs(low + share * (high - low) - target) > 0.02 * target:
        raise FlareSegError("disease_not_placed", NO_ROOM)
    return before + np.float32(share) * (after - before)


def _measured(filled: Floats, voxels: bool) -> float:
    """Volume in nodes; voxels belong to the body with their larger part."""
    return float(np.count_nonzero(filled > 0.5) if voxels else filled.sum(dtype=np.float64))


def _nodular(body: Floats, displacement: Floats, wander: Floats, room: Floats, node_mm: Floats) -> Floats:
    """Let the surface wander in and out (mm) at the same volume; first the tissue moves, then its surface wanders."""
    grown = moved(body, displacement, node_mm)
    inside = grown > 0.5
    half = np.float32(min(node_mm) / 2)
    distance = np.where(inside, half - ndimage.distance_transform_edt(inside, node_mm),
                        ndimage.distance_transform_edt(~inside, node_mm) - half).astype(np.float32)
    distance = ndimage.gaussian_filter(distance, 3.0 / node_mm, mode="nearest")
    normal = np.stack(np.gradient(distance, *node_mm)) * room * np.exp(-np.abs(distance) / np.float32(NODULE_DEPTH_MM))
    # What the surface gains in all, it is to lose evenly.
    surface = np.sqrt(sum(slope**2 for slope in np.gradient(grown))) * room
    wander = wander - np.float32((wander * surface).sum(dtype=np.float64) / max(float(surface.sum()), 1e-6))
    for _ in range(NODULE_STEPS):
        displacement = carried(displacement, normal * wander * np.float32(-1 / NODULE_STEPS), node_mm)
    return displacement


def make_up_noise(block: Block, model: NoiseModel, displacement: Floats, inside: Mask, sd: float, seed: int) -> None:
    """Give moved tissue back the noise that interpolation smoothed away, as much as an organ lacks of what it had.

    Parameters
    ----------
    model : NoiseModel
        The scan's noise in the organ.
    displacement : numpy.ndarray
        float32 (3, nodes along k, j, i), mm, on nodes ``coarse_steps(spacing, NODE_MM)`` apart.
    inside : numpy.ndarray
        bool: the organ, as it is now.
    sd : float
        Its `residual_sd` before it was moved.
    """
    spacing, steps = block.grid.spacing, coarse_steps(block.grid.spacing, NODE_MM)
    far = np.sqrt(sum((part / np.float32(mm)) ** 2 for part, mm in zip(displacement, reversed(spacing))))
    # The noise's transform has no border: one tile of it goes on and on.
    tile = model.sample((block.hu.shape[0], *(min(n, TILE) for n in block.hu.shape[1:])), seed)
    usual = residual_sd(tile[:4], np.ones(tile[:4].shape, bool), spacing)
    here = residual_sd(block.hu, inside, spacing)
    lacking = np.float32(np.sqrt(np.clip(sd**2 - here**2, 0, usual**2)) / max(usual, 1e-3))
    rows, columns = (np.arange(n) % size for n, size in zip(block.hu.shape[1:], tile.shape[1:]))
    share = np.clip(far / np.float32(SMOOTHING_SHARE), 0, 1)
    for hu, labels, noise, part in zip(block.hu, block.labels, tile, spread_planes(share, steps, block.hu.shape)):
        part[(part < 0.01) | (labels == UNKNOWN)] = 0
        hu += lacking * part * noise[rows][:, columns]
