"""What surgeons took out: whole organs, wedges and lobes, with what lies in their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from ...arrays import Floats, Mask
from ...errors import FlareSegError
from ...shapes import tube
from ..block import Block, Change, blurred_like_scan, coverage, replace, soft_step
from ..bodies import irregular
from ..case import LABEL_OF, Box, Vector
from ..cavity import wall
from ..coarse import coarse_steps, node_points, spread_out, thin_out
from ..focal import draw_on_outside, outward, tissue_noise
from ..growth import MARGIN_MM, flow_steps, scale
from ..metal import clip_streaks
from ..operation import BACKGROUND, Disease, Operation
from ..parameters import choice, quantity
from ..removal import remove
from ..scene import Scene
from .metal import rods

#: What is to be taken out has this label meanwhile, so that it moves with the rest.
GONE = 9
#: Gaps of twice this width between parts of an organ (a kidney's hilum) go with it.
CLOSING_MM, NODE_MM = 6.0, 2.0
#: No part thinner than this is left beside a wedge.
SLIVER_MM = 9.0
#: A loop of bowel in the room that is left.
BOWEL_WALL_HU, BOWEL_HU, GAS_HU, WALL_MM = 65.0, 18.0, -850.0, 2.5
CLIP_MM, CLIP_STREAKS = 6.0, 0.12


def _infill() -> Any:
    return choice("fat", ("fat", "bowel"), "What lies in its place")


def _collapse(default: float) -> Any:
    return quantity(default, 0, 0.7, "", "Share of the room that neighbours fill", usual=(0.1, 0.6), main=False)


def _clips() -> Any:
    return quantity(2, 0, 6, "", "Clips", usual=(0, 4), whole=True)


@dataclass(frozen=True)
class AbsentOrgan:
    """Parameters of `absent_organ`."""

    side: str = choice("left", ("left", "right"), "Which kidney (there is one spleen)")
    infill: str = _infill()
    collapse: float = _collapse(0.4)
    clips: int = _clips()


@dataclass(frozen=True)
class Resection:
    """Parameters of `resection`."""

    diameter: float = quantity(45, 15, 100, "mm", "Diameter of what was cut out", usual=(25, 70), skewed=True)
    infill: str = _infill()
    collapse: float = _collapse(0.3)
    clips: int = _clips()


@dataclass(frozen=True)
class Hepatectomy:
    """Parameters of `hepatectomy`."""

    lobe: str = choice("left", ("left", "right"), "Which lobe")
    share: float = quantity(0.25, 0.05, 0.65, "", "Share of the liver", usual=(0.15, 0.6))
    infill: str = _infill()
    collapse: float = _collapse(0.4)
    clips: int = _clips()


@dataclass(frozen=True)
class DistalPancreatectomy:
    """Parameters of `distal_pancreatectomy`."""

    share: float = quantity(0.4, 0.1, 0.8, "", "Share of the pancreas, from its tail", usual=(0.25, 0.6))
    infill: str = _infill()
    collapse: float = _collapse(0.3)
    clips: int = _clips()


def edit_absent(scene: Scene, operation: Operation) -> Change:
    """Take out the spleen, or the kidney of one side."""
    p: AbsentOrgan = operation.parameters
    organ = scene.organ(operation.organ)
    mask = scene.case.labels[organ.box] == organ.label
    if operation.organ == "kidney":
        mask &= (node_points(scene.case.grid, organ.box, (1, 1, 1))[0] > scene.middle_x) == (p.side == "left")
    if not mask.any():
        raise FlareSegError("disease_not_placed", f"There is no kidney on the {p.side} side; choose the other one.")
    return _take_out(scene, _around(scene, organ.box, mask), operation, whole=True)


def edit_wedge(scene: Scene, operation: Operation) -> Change:
    """Scoop a part out of an organ at its surface."""
    p: Resection = operation.parameters
    surface, normal = outward(scene, operation.organ, operation.place)
    # Round towards the inside, open to the outside: no sliver of the surface is left.
    cut = tube([surface - normal * 0.1 * p.diameter, surface + normal * 0.6 * p.diameter], p.diameter / 2)
    body = irregular(cut, 0.02 * p.diameter, 0.2 * p.diameter, operation.seed)
    block = scene.block(body.lower, body.upper, MARGIN_MM)
    inside = block.labels == LABEL_OF[operation.organ]
    mask = (body.distance(block.points) < 0) & inside
    return _take_out(scene, (block, _with_slivers(block, mask, inside)), operation)


def edit_lobe(scene: Scene, operation: Operation) -> Change:
    """Cut a lobe off the liver along a slightly bent plane."""
    p: Hepatectomy = operation.parameters
    # The fissure and the plane through gallbladder and vena cava run backwards to the middle, upright.
    towards = np.array([1.0, -0.35, 0.0]) if p.lobe == "left" else np.array([-1.0, 0.3, -0.1])
    return _cut_off(scene, operation, towards, p.share)


def edit_tail(scene: Scene, operation: Operation) -> Change:
    """Cut the tail off the pancreas, across its long axis."""
    p: DistalPancreatectomy = operation.parameters
    organ, grid = scene.organ("pancreas"), scene.case.grid
    index = np.argwhere(scene.case.labels[organ.box] == organ.label)[::7] + [part.start for part in organ.box]
    points = grid.point_of(index)
    axis = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][0]
    # The tail lies to the left.
    return _cut_off(scene, operation, axis * (1 if axis[0] >= 0 else -1), p.share)


def _cut_off(scene: Scene, operation: Operation, towards: Vector, share: float) -> Change:
    """Take out the share of an organ that lies farthest in a direction (LPS)."""
    organ = scene.organ(operation.organ)
    inside = scene.case.labels[organ.box] == organ.label
    points = node_points(scene.case.grid, organ.box, (1, 1, 1))
    rng = np.random.default_rng((operation.seed, 8))
    towards = np.asarray(towards) / np.linalg.norm(towards) + 0.08 * rng.standard_normal(3)
    height = sum(np.float32(n) * axis[inside] for n, axis in zip(towards, points))
    mask = np.zeros_like(inside)
    mask[inside] = height > np.quantile(height, 1 - share)
    return _take_out(scene, _around(scene, organ.box, mask), operation)


def _around(scene: Scene, box: Box, mask: Mask) -> tuple[Block, np.ndarray]:
    """A block around a mask of a box of the case, and the mask in it."""
    found = ndimage.find_objects(mask.view(np.uint8))[0]
    own = tuple(slice(part.start + outer.start, part.stop + outer.start) for part, outer in zip(found, box))
    block = scene.block_of(scene.grown(own, MARGIN_MM))
    result = np.zeros(block.labels.shape, bool)
    result[_within(own, block.box)] = mask[found]
    return block, result


def _within(inner: Box, outer: Box) -> Box:
    return tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer))


def _take_out(scene: Scene, block_and_mask: tuple[Block, np.ndarray], operation: Operation,
              whole: bool = False) -> Change:
    """Let neighbours fall in, take out the rest, put in what lies there now."""
    (block, mask), p, seed = block_and_mask, operation.parameters, operation.seed
    if not mask.any():
        raise FlareSegError("disease_not_placed", f"There is nothing of the {operation.organ} to be cut out here; "
                                                  "choose another place.")
    rng = np.random.default_rng((seed, 9))
    block.labels[mask] = GONE
    if p.collapse > 0:
        _fall_in(scene, block, mask, p.collapse)
    rest = block.labels == GONE
    noise = tissue_noise(scene, block, operation.organ, seed)
    remove(block, _closed(block, rest) if whole else rest, "fat", seed, noise)
    block.labels[block.labels == GONE] = 0
    if p.infill == "bowel":
        _lay_bowel(block, rest, noise, seed)
    if p.clips and rest.any():
        shape = rods(_clip_places(block, rest, scene.middle_x, p.clips, rng), CLIP_MM, rng)
        clips, part = np.zeros_like(block.hu), block.part(shape.lower, shape.upper, 2 * max(block.grid.spacing))
        clips[_within(part.box, block.box)] = coverage(part, shape, blurred=False)
        clip_streaks(block, clips, CLIP_STREAKS, seed)
    return block.change()


def _fall_in(scene: Scene, block: Block, mask: Mask, share: float) -> None:
    """Shrink what is to be taken out, its neighbours following; where bone leaves no way, nothing moves."""
    try:
        scale(block, mask, 1 - share, still=wall(scene, block.box, flow_steps(block)))
    except FlareSegError as error:
        if error.code != "disease_not_placed":
            raise


def _closed(block: Block, mask: Mask) -> Mask:
    """A mask with its narrow gaps, as far as they belong to no organ: the vessels of a hilum go, too."""
    steps = coarse_steps(block.grid.spacing, NODE_MM)
    node_mm = [mm * step for mm, step in zip(reversed(block.grid.spacing), steps)]
    nodes = thin_out(mask, steps) > 0.5
    if not nodes.any() or nodes.all():
        return mask
    near = ndimage.distance_transform_edt(~nodes, node_mm) <= CLOSING_MM
    closed = ndimage.distance_transform_edt(np.pad(near, 1, mode="edge"), node_mm)[1:-1, 1:-1, 1:-1] > CLOSING_MM
    return mask | ((spread_out(closed.astype(np.float32), steps, mask.shape) > 0.5) & (block.labels == 0))


def _with_slivers(block: Block, mask: Mask, inside: Mask) -> Mask:
    """A mask with what it would leave too thin of an organ beside it."""
    steps = coarse_steps(block.grid.spacing, NODE_MM)
    node_mm = [mm * step for mm, step in zip(reversed(block.grid.spacing), steps)]
    left = thin_out(inside & ~mask, steps) > 0.5
    if not mask.any() or not left.any():
        return mask
    thick = ndimage.distance_transform_edt(np.pad(left, 1, mode="edge"), node_mm)[1:-1, 1:-1, 1:-1] > SLIVER_MM / 2
    kept = ndimage.distance_transform_edt(~thick, node_mm) <= SLIVER_MM
    near = ndimage.distance_transform_edt(thin_out(mask, steps) < 0.5, node_mm) <= 2 * SLIVER_MM
    thin = spread_out((near & ~kept).astype(np.float32), steps, mask.shape) > 0.5
    return mask | (inside & thin)


def _lay_bowel(block: Block, room: Mask, noise: Floats, seed: int) -> None:
    """A loop of bowel with fluid and gas, through the middle of a room."""
    rng = np.random.default_rng((seed, 10))
    depth = ndimage.distance_transform_edt(room, block.grid.spacing[::-1])
    if not depth.any() or depth.max() < 5:
        return
    inner = np.argwhere(depth > 0.55 * depth.max())
    chosen = inner[rng.choice(len(inner), 5)] + [part.start for part in block.box]
    points = block.grid.point_of(chosen[np.argsort(chosen[:, 0])])
    radius = float(np.clip(0.75 * depth.max(), 5, 16))
    loop = tube(points, radius * rng.uniform(0.8, 1.1, len(points)))
    confined = blurred_like_scan(block, room.astype(np.float32))
    cover, lumen = coverage(block, loop) * confined, coverage(block, loop.grown(-WALL_MM)) * confined
    replace(block, cover, np.float32(BOWEL_WALL_HU), noise)
    replace(block, lumen, np.float32(BOWEL_HU), noise)
    # Gas rises to the front, to a level of its own.
    level = np.float32(np.quantile(points[:, 1], 0.5) - rng.uniform(0, 0.6) * radius)
    replace(block, lumen * soft_step(block.points.y - level, 1.0), np.float32(GAS_HU))
    block.cover[:] = 0


def _clip_places(block: Block, rest: Mask, middle_x: float, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points (LPS, mm) on the border of what was taken out, towards the body's middle: the vessels came from there."""
    border = np.argwhere(rest & ~ndimage.binary_erosion(rest))
    points = block.grid.point_of(border + [part.start for part in block.box])
    nearest = np.argsort(np.abs(points[:, 0] - middle_x), kind="stable")[:max(len(points) // 8, count)]
    return points[rng.choice(nearest, count)]


def place_wedge(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Just below the surface, away from the hilum."""
    return draw_on_outside(scene, operation.organ, rng, (1.0, 10.0))


DISEASES = (Disease("absent_organ", "Absent organ", "A kidney or the spleen has been taken out; neighbours have moved "
                    "into its place.", ("kidney", "spleen"), AbsentOrgan, edit_absent, (BACKGROUND,), whole_organ=True),
            Disease("resection", "Wedge resection", "A part at the surface has been cut out, with a tumour for "
                                                    "instance.",
                    ("liver", "kidney", "spleen"), Resection, edit_wedge, (BACKGROUND,), place_wedge,
                    whole_organ=True),
            Disease("hepatectomy", "Hepatectomy", "The left or right part of the liver has been taken out.", ("liver",),
                    Hepatectomy, edit_lobe, (BACKGROUND,), whole_organ=True),
            Disease("distal_pancreatectomy", "Distal pancreatectomy", "The tail of the pancreas has been taken out.",
                    ("pancreas",), DistalPancreatectomy, edit_tail, (BACKGROUND,), whole_organ=True))
