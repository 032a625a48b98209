"""Shrunken organs: a kidney, the pancreas, the right lobe of the liver; fat takes the room that they leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import FlareSegError
from ..block import Block, Change, blurred_like_scan
from ..case import UNKNOWN
from ..cavity import wall
from ..focal import tissue_noise
from ..growth import MARGIN_MM, Weight, flow_steps, make_up_noise, scale, scale_organ
from ..operation import Disease, Operation
from ..parameters import choice, quantity
from ..removal import FAT_HU, remove
from ..scan import residual_sd
from ..scene import Piece, Scene

#: What is to shrink has this label meanwhile.
SHRINKING = 9
#: The border between the liver's lobes is as soft as this, mm; the right one has this share of the volume.
LOBES_MM, RIGHT_SHARE = 25.0, 0.65
#: Half the width of a surface's bumps.
BUMP_MM = {"kidney": 9.0, "pancreas": 6.0}
#: Share of the room that neighbours fill; what lies around a kidney is mostly fat anyway.
COLLAPSE = {"kidney": 0.3, "pancreas": 0.5}


@dataclass(frozen=True)
class Atrophy:
    """Parameters of `atrophy`."""

    factor: float = quantity(0.5, 0.25, 0.9, "", "Volume over the one before", usual=(0.4, 0.85))
    side: str = choice("left", ("left", "right", "both"), "Which kidney")
    collapse: float | None = quantity(None, 0, 0.7, "", "Share of the room that neighbours fill, not fat", main=False)
    irregularity: float = quantity(0.5, 0, 2, "mm", "How far scars and lobules make the surface wander", usual=(0.2, 1),
                                   main=False)


@dataclass(frozen=True)
class LobarAtrophy:
    """Parameters of `lobar_atrophy`."""

    factor: float = quantity(0.65, 0.25, 0.9, "", "Volume of the right lobe over the one before", usual=(0.5, 0.85))


def edit(scene: Scene, operation: Operation) -> Change:
    """Let an organ shrink: first its neighbours follow, then fat takes its place."""
    p: Atrophy = operation.parameters
    organ, seed = scene.organ(operation.organ), operation.seed
    own = _kidney(scene, p.side).box if operation.organ == "kidney" and p.side != "both" else organ.box
    block = scene.block_of(scene.grown(own, MARGIN_MM))
    shrinking = np.zeros(block.labels.shape, bool)
    within = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(own, block.box))
    shrinking[within] = block.labels[within] == organ.label
    target, sd = p.factor * np.count_nonzero(shrinking), residual_sd(block.hu, shrinking, block.grid.spacing)
    block.labels[shrinking] = SHRINKING
    _fall_in(scene, block, p.factor ** (COLLAPSE[operation.organ] if p.collapse is None else p.collapse))
    alone, displacement = _shrunk(block, target, operation)
    moved = alone.labels == SHRINKING
    make_up_noise(alone, scene.noise(operation.organ), displacement, moved, sd, seed)
    remove(block, block.labels == SHRINKING, "fat", seed, tissue_noise(scene, block, operation.organ, seed))
    moved &= block.labels == 0
    block.hu += blurred_like_scan(block, moved.astype(np.float32)) * (alone.hu - block.hu)
    block.labels[moved] = organ.label
    return block.change()


def _kidney(scene: Scene, side: str) -> Piece:
    found = [piece for piece in scene.pieces("kidney") if piece.side == side]
    if not found:
        raise FlareSegError("disease_not_placed", f"There is no kidney on the {side} side; choose the other one.")
    return found[0]


def _fall_in(scene: Scene, block: Block, factor: float) -> None:
    """Shrink an organ with all that is around it; where bone leaves no way, nothing moves."""
    if factor == 1:
        return
    try:
        scale(block, block.labels == SHRINKING, factor, still=wall(scene, block.box, flow_steps(block)))
    except FlareSegError as error:
        if error.code != "disease_not_placed":
            raise


def _shrunk(block: Block, target: float, operation: Operation) -> tuple[Block, np.ndarray]:
    """The organ as if it lay alone in fat, shrunk to so many voxels, and the displacement that did it."""
    inside = block.labels == SHRINKING
    alone = Block(block.grid, block.box, np.where(inside, block.hu, np.float32(FAT_HU)),
                  np.where(inside | (block.labels == UNKNOWN), block.labels, np.uint8(0)), block.before, block.psf_mm)
    displacement = scale(alone, inside, target / np.count_nonzero(inside), None, operation.parameters.irregularity,
                         BUMP_MM[operation.organ], operation.seed)
    block.jacobian = min(block.jacobian, alone.jacobian)
    return alone, displacement


def edit_lobe(scene: Scene, operation: Operation) -> Change:
    """Let the right lobe shrink; diaphragm, bowel and fat follow."""
    weight = right_of(scene)
    # What the whole liver keeps when each part shrinks as readily as it does.
    factor = float(np.mean(operation.parameters.factor ** weight(_in_liver(scene))))
    return scale_organ(scene, "liver", factor, weight, seed=operation.seed).change()


def right_of(scene: Scene, share: float = RIGHT_SHARE) -> Weight:
    """Weight for `scale_organ`: 1 in the liver's right lobe, 0 in the left one; `share` of its volume lies right."""
    border = np.quantile(_rightwards(_in_liver(scene)), 1 - share)

    def weight(points: Sequence[np.ndarray]) -> np.ndarray:
        return np.clip((_rightwards(points) - border) / LOBES_MM + 0.5, 0, 1)

    return weight


def _in_liver(scene: Scene) -> tuple[np.ndarray, ...]:
    """x, y, z (LPS, mm) of every 29th voxel of the liver."""
    liver = scene.organ("liver")
    inside = np.argwhere(scene.case.labels[liver.box] == liver.label)[::29] + [part.start for part in liver.box]
    return tuple(scene.case.grid.point_of(inside).T)


def _rightwards(points: Sequence[np.ndarray]) -> np.ndarray:
    """Along the normal of the plane through gallbladder and vena cava, which runs backwards to the middle."""
    x, y, z = points
    return -x + 0.3 * y - 0.1 * z


DISEASES = (Disease("atrophy", "Atrophy", "A shrunken organ in fat: a kidney that has long lacked blood, a pancreas "
                    "after long inflammation.", ("kidney", "pancreas"), Atrophy, edit, whole_organ=True),
            Disease("lobar_atrophy", "Atrophy of the right lobe",
                    "The right lobe of the liver has shrunk, its portal branch or "
                    "bile duct being closed.", ("liver",), LobarAtrophy, edit_lobe, whole_organ=True))
