"""Fatty liver: fat in the liver's cells lowers its HU; vessels run through it undisplaced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...arrays import Floats
from ..block import Block, Change, blurred_like_scan
from ..case import LABEL_OF
from ..coarse import coarse_steps, node_points, spread_out
from ..fractal import fractal_noise
from ..operation import Disease, Operation
from ..parameters import choice, quantity
from ..scene import Scene

PATTERNS = ("diffuse", "geographic", "sparing")
#: The lowest HU that a fatty liver reaches; fluid and fat in it are not changed below this.
LOWEST_HU, FLUID_HU = -15.0, 15.0
#: Vessels are told from noise by this blur, and stand out so far above the liver.
VESSEL_MM, VESSEL_HU = 1.2, 18.0
NODE_MM = 3.0
#: Half the width of a geographic area; width of its border.
AREA_MM, BORDER_MM = 32.0, 3.0
#: How much of the severity spared areas keep.
SPARED = 0.15


@dataclass(frozen=True)
class FattyLiver:
    """Parameters of `fatty_liver`."""

    difference: float = quantity(-45, -80, -15, "HU", "Change of the liver: mild -15, severe -60 and more",
                                 usual=(-70, -20))
    pattern: str = choice("diffuse", PATTERNS, "Pattern: all of it, areas like a map, or all but some areas")
    vessels_kept: float = quantity(0.9, 0, 1, "", "How far vessels keep their HU", usual=(0.7, 1), main=False)


def edit(scene: Scene, operation: Operation) -> Change:
    """Lower the parenchyma's HU."""
    p: FattyLiver = operation.parameters
    organ = scene.organ("liver")
    block = scene.block_of(scene.grown(organ.box, 4.0))
    inside = block.labels == LABEL_OF["liver"]
    sigma = [0.0, *(VESSEL_MM / mm for mm in block.grid.spacing[1::-1])]
    look = ndimage.gaussian_filter(block.hu, sigma, truncate=2.5) - np.float32(organ.median)
    # In a native scan vessels lie below the liver: nothing tells where they are.
    vessel = np.clip((look - np.float32(VESSEL_HU)) / 12, 0, 1)
    fluid = np.clip((np.float32(FLUID_HU + 15 - organ.median) - look) / 15, 0, 1)
    share = blurred_like_scan(block, inside.astype(np.float32)) * (1 - fluid)
    share *= 1 - np.float32(p.vessels_kept) * vessel
    difference = max(p.difference, LOWEST_HU - organ.median)
    block.hu += np.float32(difference) * share * _areas(block, p.pattern, operation.seed)
    return block.change(contrast_changed=False)


def _areas(block: Block, pattern: str, seed: int) -> Floats:
    """How fatty each place is, 0 to 1."""
    steps = coarse_steps(block.grid.spacing, NODE_MM)
    points = node_points(block.grid, block.box, steps)
    even = 1 + 0.06 * fractal_noise(points, seed, 12.0, octaves=2)
    if pattern != "diffuse":
        # Bumps are steepest where they cross a level: about AREA_MM to a unit of height.
        height = fractal_noise(points, seed + 1, AREA_MM, octaves=2)
        level, sign = (0.0, 1) if pattern == "geographic" else (0.9, -1)
        spared = np.clip(0.5 - sign * (height - level) * AREA_MM / (2 * BORDER_MM), 0, 1)
        even = even * (1 - (1 - SPARED) * spared)
    return spread_out(even.astype(np.float32), steps, block.hu.shape)


DISEASES = (Disease("fatty_liver", "Fatty liver", "Fat in the liver's cells, by far its commonest disease: the liver "
                    "is darker than the spleen, in all or in parts.", ("liver",), FattyLiver, edit, whole_organ=True),)
