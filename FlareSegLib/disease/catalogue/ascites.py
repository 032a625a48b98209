"""Free fluid: around liver and spleen in the belly (ascites), and behind the lungs (pleural effusion)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...arrays import Floats, Mask
from ...errors import FlareSegError
from ..block import Block, Change, blurred_like_scan, replace
from ..case import LABEL_OF, Grid, Vector
from ..cavity import wall, wall_on_voxels
from ..coarse import box_around, coarse_steps, node_points, spread_out, thin_out
from ..fractal import fractal_noise
from ..operation import BACKGROUND, Disease, Operation
from ..parameters import quantity
from ..scene import Scene

NODE_MM = 2.5
#: Fat that may give way to fluid, and lung; gas of the bowel is thinner, and lungs are at least so large.
FAT_HU, LUNG_HU, GAS_HU, LUNG_ML = (-160.0, -30.0), -500.0, -955.0, 40.0
#: So far from liver and spleen fluid lies; nearer than this to kidneys and pancreas it does not.
REACH_MM, RETROPERITONEAL_MM = 20.0, 9.0
LEAST_ML = 20.0
#: A node with less room holds none.
POSSIBLE = 0.3
#: Air and what borders on it; slices with such a share of lung belong to the chest.
GASEOUS_HU, CHEST_SHARE = -250.0, 0.25
CROSS = ndimage.generate_binary_structure(2, 1)[None]
#: In the belly a mm of height counts as so many of distance; in the chest a mm from the wall as so many of height.
GRAVITY, MENISCUS = 0.12, 0.7
#: How much the fluid's border wanders (SD), and the width over which it ends.
WAVE_MM, SURFACE_MM = 2.5, 2.0
#: The scan's blur carries fluid no farther than this; so many nodes are more.
MARGIN_MM, MARGIN = 5.0, 3


@dataclass(frozen=True)
class Ascites:
    """Parameters of `ascites`."""

    volume: float = quantity(500, 100, 3000, "ml", "Volume, as far as there is room", usual=(150, 1200), skewed=True)
    hu: float = quantity(8, 0, 20, "HU", "Density", usual=(2, 16))


@dataclass(frozen=True)
class PleuralEffusion:
    """Parameters of `pleural_effusion`."""

    volume: float = quantity(80, 20, 1500, "ml", "Volume on each side, as far as the scan shows lung", usual=(30, 250),
                             skewed=True)
    hu: float = quantity(8, 0, 20, "HU", "Density", usual=(2, 16))


def edit(scene: Scene, operation: Operation) -> Change:
    """Fill fat around liver and spleen, nearest and lowest first, with fluid that belongs to no organ."""
    p: Ascites = operation.parameters
    boxes = [scene.organ(name).box for name in ("liver", "spleen") if scene.has(name)]
    if not boxes:
        raise FlareSegError("disease_not_placed", "There is neither a liver nor a spleen to lie in fluid.")
    box = tuple(slice(min(b[a].start for b in boxes), max(b[a].stop for b in boxes)) for a in range(3))
    block = scene.block_of(scene.grown(box, REACH_MM + 4))
    steps, node_mm = _nodes(block.grid)
    # At the border of lung or gas a voxel holds tissue and air, and only looks like fat.
    free = _between(block, *FAT_HU) & (wall_on_voxels(scene, block.box) < 0.5)
    wide = max(1, round(2.5 / block.grid.spacing[0]))
    free &= ~ndimage.binary_dilation(block.hu < GASEOUS_HU, CROSS, iterations=wide)
    near, others = (_far(block, names, steps, node_mm) for names in (("liver", "spleen"), ("kidney", "pancreas")))
    # What lies around kidneys and pancreas is not the peritoneal cavity.
    room = thin_out(free, steps) * (near < REACH_MM) * (others > RETROPERITONEAL_MM)
    room[_chest(scene, block, steps)] = 0
    points = node_points(block.grid, block.box, steps)
    wave = fractal_noise(points, operation.seed, 14.0, octaves=2) * np.float32(WAVE_MM)
    # The patient lies on the back; y points there.
    order = near + wave - np.float32(GRAVITY) * points[1]
    there_too = _widened(block, free, p.hu)
    node_ml = block.grid.voxel_ml * np.prod(steps)
    if (room > POSSIBLE).sum() * node_ml < LEAST_ML:
        raise FlareSegError("disease_not_placed", "There is too little fat around the organs to give way to fluid.")
    cover = spread_out(_filled(room, order, p.volume / node_ml), steps, there_too.shape) * there_too
    # Borders hold more or less than the nodes tell; what is missing or too much shows once it is filled.
    there = max(float(cover.sum(dtype=np.float64)) * block.grid.voxel_ml, 1.0)
    volume = p.volume * min(p.volume / there, 2.0)
    cover = spread_out(_filled(room, order, volume / node_ml), steps, there_too.shape) * there_too
    return _pour(scene, block, cover, p.hu, operation.seed)


def edit_effusion(scene: Scene, operation: Operation) -> Change:
    """Fill the lowest parts of the pleural spaces; the lung gives way."""
    p: PleuralEffusion = operation.parameters
    case, (steps, node_mm) = scene.case, _nodes(scene.case.grid)
    node_ml = case.grid.voxel_ml * np.prod(steps)
    lung = _lungs(thin_out(case.hu, steps), wall(scene, case.grid.whole, steps), node_ml)
    if not lung.any():
        raise FlareSegError("disease_not_placed", "The scan shows no lung for fluid to lie behind.")
    whole = box_around(lung, steps, case.hu.shape, MARGIN)
    assert whole is not None, "there is some lung"
    nodes, box = whole
    lung, points = lung[nodes], node_points(case.grid, box, steps)
    wave = fractal_noise(points, operation.seed, 25.0, octaves=1)
    order = MENISCUS * _edge(lung, node_mm) + wave - points[1]
    left = points[0] > scene.middle_x
    full = np.maximum(*(_filled((lung & side).astype(np.float32), order, p.volume / node_ml) for side in (left, ~left)))
    # Vessels of the lung drown, too.
    closed = ndimage.binary_closing(np.pad(lung, 2), iterations=2)[2:-2, 2:-2, 2:-2]
    depth = np.clip(_edge(closed, node_mm) / 5, 0, 1)
    # From here on only where there is fluid.
    fluid = box_around(full > 0, steps, tuple(part.stop - part.start for part in box), MARGIN)
    assert fluid is not None, "some lung is filled"
    wet, inner = fluid
    block = scene.block_of(tuple(slice(a.start + b.start, a.start + b.stop) for a, b in zip(box, inner)))
    cover, deep = (spread_out(part[wet], steps, block.hu.shape) for part in (full, depth))
    cover *= _widened(block, _between(block, -1100.0, LUNG_HU), p.hu) | (deep > 0.9)
    return _pour(scene, block, cover, p.hu, operation.seed)


def _chest(scene: Scene, block: Block, steps: tuple[int, ...]) -> Mask:
    """bool, nodes along k: slices in which the lungs take up much of the trunk; fat there lies in the mediastinum."""
    hu, outside = thin_out(block.hu, steps), wall(scene, block.box, steps) > 0.5
    lung = _lungs(hu, outside, block.grid.voxel_ml * np.prod(steps))
    return lung.sum(axis=(1, 2)) > CHEST_SHARE * np.maximum((~outside).sum(axis=(1, 2)), 1)


def _nodes(grid: Grid) -> tuple[tuple[int, ...], np.ndarray]:
    steps = coarse_steps(grid.spacing, NODE_MM)
    return steps, np.array([mm * step for mm, step in zip(reversed(grid.spacing), steps)])


def _between(block: Block, low: float, high: float) -> Mask:
    """bool: unlabelled voxels of such HU, noise left aside."""
    sigma = [0.0, *(1.0 / mm for mm in block.grid.spacing[1::-1])]
    smooth = ndimage.gaussian_filter(block.hu, sigma, truncate=2.5)
    return (smooth > low) & (smooth < high) & (block.labels == 0)


def _far(block: Block, names: Iterable[str], steps: tuple[int, ...], node_mm: Vector) -> Floats:
    """Distance (mm) to organs, on the nodes; far where there are none."""
    organs = thin_out(np.isin(block.labels, [LABEL_OF[name] for name in names]), steps) > 0.5
    if not organs.any():
        return np.full(organs.shape, 1e3, np.float32)
    return ndimage.distance_transform_edt(~organs, node_mm).astype(np.float32)


def _edge(mask: Mask, node_mm: Vector) -> Floats:
    """Distance (mm) from inside a mask to what lies outside it."""
    return ndimage.distance_transform_edt(mask, node_mm).astype(np.float32)


def _lungs(hu: Floats, outside: np.ndarray, node_ml: float) -> Mask:
    """bool: large air in the trunk that is no gas of the bowel."""
    parts, count = ndimage.label((hu < LUNG_HU) & (np.asarray(outside, np.float32) < 0.5))
    large = np.flatnonzero(np.bincount(parts.ravel()) * node_ml > LUNG_ML)
    lungs = np.zeros(count + 1, bool)
    lungs[[number for number in large if number and np.median(hu[parts == number]) > GAS_HU]] = True
    return lungs[parts]


def _filled(room: Floats, order: Floats, volume: float) -> Floats:
    """Fill room (nodes, 0 to 1) in an order until the volume (in nodes) is reached; how full each node is, 0 to 1."""
    possible = room > POSSIBLE
    if not possible.any():
        return np.zeros(room.shape, np.float32)
    sequence = np.argsort(order[possible], kind="stable")
    filled = np.cumsum(room[possible][sequence])
    level = order[possible][sequence][min(int(np.searchsorted(filled, volume)), len(sequence) - 1)]
    reached = np.clip((level - order) / SURFACE_MM + 0.5, 0, 1) * ndimage.maximum_filter(np.clip(3 * room, 0, 1), 3)
    return reached.astype(np.float32)


def _widened(block: Block, free: Mask, hu: float) -> Mask:
    """The same with the voxels at its border that hold some of it and some of an organ: no dark line is to stay."""
    wide = ndimage.binary_dilation(free, CROSS, iterations=max(1, round(1.2 / block.grid.spacing[0])))
    return free | (wide & (block.hu < hu) & (block.labels == 0))


def _pour(scene: Scene, block: Block, cover: Floats, hu: float, seed: int) -> Change:
    """Put fluid with the scan's noise, in a block no larger than the fluid; organs stay as they are."""
    found = ndimage.find_objects((cover > 0).astype(np.uint8))
    inner = found[0] if found else tuple(slice(0, 1) for _ in cover.shape)
    wide = scene.grown(tuple(slice(o.start + i.start, o.start + i.stop) for o, i in zip(block.box, inner)), MARGIN_MM)
    box = tuple(slice(max(w.start, o.start), min(w.stop, o.stop)) for w, o in zip(wide, block.box))
    cover = cover[tuple(slice(b.start - o.start, b.stop - o.start) for b, o in zip(box, block.box))]
    fluid = scene.block_of(box)
    cover = blurred_like_scan(fluid, cover) * (fluid.labels == 0)
    organ = next(name for name in LABEL_OF if scene.has(name))
    replace(fluid, cover, np.float32(hu), scene.noise(organ).sample(fluid.hu.shape, seed))
    return fluid.change()


DISEASES = (Disease("ascites", "Ascites", "Free fluid in the belly, as with cirrhosis, heart failure and tumours; "
                    "it gathers around liver and spleen.", (), Ascites, edit, (BACKGROUND,), whole_organ=True),
            Disease("pleural_effusion", "Pleural effusion", "Fluid between lung and chest wall; it gathers in the "
                    "back.", (), PleuralEffusion, edit_effusion, (BACKGROUND,), whole_organ=True))
