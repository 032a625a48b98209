"""Acute pancreatitis: a swollen, darker gland, fat streaked with inflammation, fluid around it, dead parts in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...arrays import Floats
from ..block import Block, Change, add, blurred_like_scan, replace, soft_step
from ..case import LABEL_OF
from ..cavity import wall
from ..coarse import coarse_steps, spread_out, thin_out
from ..focal import organ_share, patches, tissue_noise, uneven
from ..fractal import fractal_noise
from ..growth import scale_organ
from ..operation import KEEP, Disease, Operation
from ..parameters import quantity
from ..scene import Scene

NODE_MM = 2.5
#: Tissue below this is fat, passing into flesh over so many HU; gas lies below the other one.
FAT_HU, FAT_EDGE_HU, GAS_HU = -45.0, 50.0, -180.0
#: Inflamed fat, its haze (share of the way there), and the threads in it: half their distance.
INFLAMED_HU, HAZE, THREAD_MM = -25.0, 0.35, 5.0
#: Less of fat, or of inflammation, is none.
FAINTEST = 0.01
#: Dead parts are darker than this, and half so wide as this.
DEAD_HU, DEAD_MM = 25.0, 9.0
#: Fluid collects no farther from the gland, wanders by so much, and rather behind and to the left of it.
FLUID_REACH_MM, FLUID_WANDER_MM, FLUID_TILT = 38.0, 7.0, np.array([-0.12, -0.2, 0.0])


@dataclass(frozen=True)
class Pancreatitis:
    """Parameters of `pancreatitis`."""

    enlargement: float = quantity(1.4, 1.1, 2.2, "", "Volume of the gland over the one before", usual=(1.15, 1.7))
    difference: float = quantity(-25, -40, -10, "HU", "Difference of the swollen gland to the one before",
                                 usual=(-40, -15))
    stranding: float = quantity(15, 0, 40, "mm", "How far the fat around the gland is streaked", usual=(6, 28))
    fluid: float = quantity(60, 0, 400, "ml", "Fluid around the gland, as far as there is fat to hold it",
                            usual=(0, 200))
    fluid_hu: float = quantity(10, 0, 20, "HU", "Density of the fluid", usual=(4, 18), main=False)
    necrosis: float = quantity(0, 0, 0.5, "", "Share of the gland that is dead", usual=(0, 0.3))


def edit(scene: Scene, operation: Operation) -> Change:
    """Let the gland swell and darken, then inflame the fat and let fluid collect in it."""
    p: Pancreatitis = operation.parameters
    seed, organ = operation.seed, operation.organ
    median = scene.organ(organ).median
    block = scale_organ(scene, organ, p.enlargement, seed=seed)
    noise = tissue_noise(scene, block, organ, seed + 1)
    gland = organ_share(block, organ)
    difference = p.difference if scene.phase != "native" else 0.4 * p.difference
    add(block, gland, difference + uneven(block, gland, 4.0, 10.0, seed + 2), median)
    dead = patches(block, gland, p.necrosis, DEAD_MM, seed + 3, edge_mm=3.0)
    replace(block, dead, np.float32(min(DEAD_HU, median + difference - 5)), noise)
    fat, distance = _fat(scene, block), _distance(block, organ)
    _inflame(block, fat, distance, p.stranding, seed)
    replace(block, _fluid(block, fat, distance, p.fluid, seed), np.float32(p.fluid_hu), noise)
    return block.change()


def _fat(scene: Scene, block: Block) -> Floats:
    """How far each voxel is fat in the trunk's cavities, 0 to 1; vessels, bowel and the four organs are none."""
    sigma = [0.8 / mm for mm in reversed(block.grid.spacing)]
    smooth = ndimage.gaussian_filter(block.hu, sigma, mode="nearest")
    steps = coarse_steps(block.grid.spacing, 2 * NODE_MM)
    free = 1 - spread_out(wall(scene, block.box, steps), steps, block.hu.shape)
    return soft_step(smooth - np.float32(FAT_HU), FAT_EDGE_HU) * (smooth > GAS_HU) * (block.labels == 0) * free


def _distance(block: Block, organ: str) -> Floats:
    """Millimetres to an organ, on every voxel; 0 in it."""
    steps = coarse_steps(block.grid.spacing, NODE_MM)
    node_mm = [mm * step for mm, step in zip(reversed(block.grid.spacing), steps)]
    outside = thin_out(block.labels == LABEL_OF[organ], steps) < 0.5
    return spread_out(ndimage.distance_transform_edt(outside, node_mm).astype(np.float32), steps, block.hu.shape)


def _inflame(block: Block, fat: Floats, distance: Floats, reach_mm: float, seed: int) -> None:
    """Raise fat towards the HU of inflamed fat: a haze with threads in it, less and less over a distance."""
    if reach_mm <= 0:
        return
    near = np.clip(1.3 - distance / np.float32(reach_mm), 0, 1)
    place = np.nonzero(fat * near > FAINTEST)
    # Threads are where a noise crosses its middle; some regions have more of them.
    ridge = np.exp(-(_noise(block, place, seed + 4, THREAD_MM) / np.float32(0.22)) ** 2)
    dense = np.clip(0.6 + 0.5 * _noise(block, place, seed + 5, 16.0), 0, 1)
    share = np.zeros_like(fat)
    share[place] = (fat * near)[place] * dense * (HAZE + (1 - HAZE) * ridge)
    block.hu += blurred_like_scan(block, share) * np.maximum(np.float32(INFLAMED_HU) - block.hu, 0)


def _noise(block: Block, place: tuple[np.ndarray, ...], seed: int, bump_mm: float) -> Floats:
    """Noise of SD 1 at some voxels (as `numpy.nonzero` gives them); on the whole grid it is read more quickly."""
    return fractal_noise((block.points.x, block.points.y, block.points.z), seed, bump_mm, octaves=2)[place]


def _fluid(block: Block, fat: Floats, distance: Floats, millilitres: float, seed: int) -> Floats:
    """Cover of a collection of this volume in the fat near the gland, nearest places first; organs hold none."""
    if millilitres <= 0:
        return np.zeros_like(fat)
    place = np.nonzero((fat > FAINTEST) & (distance < FLUID_REACH_MM))
    there, mostly = fat[place], fat[place] > 0.5
    if not mostly.any():
        return np.zeros_like(fat)
    points = (block.points.x, block.points.y, block.points.z)
    tilt = sum(np.float32(t) * (axis[place] - axis.mean()) for t, axis in zip(FLUID_TILT, points))
    order = distance[place] + tilt + np.float32(FLUID_WANDER_MM) * _noise(block, place, seed + 6, 14.0)
    share = min(millilitres / (np.count_nonzero(mostly) * block.grid.voxel_ml), 1.0)
    level = np.float32(np.quantile(order[mostly], share))
    wet = np.zeros_like(fat)
    wet[place] = soft_step(order - level, 1.5) * there
    return blurred_like_scan(block, wet)


DISEASES = (Disease("pancreatitis", "Acute pancreatitis", "An inflamed pancreas: swollen and darker, in streaked fat, "
                    "with fluid around it and sometimes dead parts.", ("pancreas",), Pancreatitis, edit, (KEEP,),
                    whole_organ=True),)
