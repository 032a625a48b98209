"""Injuries: lacerations filled with blood, and blood under the capsule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...shapes import Shape, union
from ..block import Block, Change, blurred_like_scan, coverage, replace, soft_step
from ..bodies import lump, random_direction
from ..case import LABEL_OF
from ..focal import draw_on_outside, finish, make_room, organ_share, outward, tissue_noise
from ..fractal import fractal_noise
from ..operation import BACKGROUND, KEEP, Disease, Operation
from ..parameters import quantity, switch
from ..scan import phase_hu
from ..scene import Scene

ORGANS = ("liver", "spleen", "kidney")


@dataclass(frozen=True)
class Laceration:
    """Parameters of `laceration`."""

    length: float = quantity(40, 10, 100, "mm", "Length", usual=(15, 70))
    width: float = quantity(6, 3, 10, "mm", "Width", usual=(3, 9))
    hu: float = quantity(50, 30, 75, "HU", "Density of the blood: fresh 30 to 45, clotted 45 to 70", usual=(35, 65))
    branches: int = quantity(2, 0, 4, "", "Side branches", usual=(0, 3), whole=True)
    bleeding: bool = switch(False, "Contrast leaks from a vessel", main=False)


@dataclass(frozen=True)
class SubcapsularHaematoma:
    """Parameters of `subcapsular_haematoma`."""

    thickness: float = quantity(14, 5, 25, "mm", "Thickness", usual=(7, 22))
    width: float = quantity(80, 20, 160, "mm", "Width along the surface", usual=(40, 120))
    hu: float = quantity(50, 30, 75, "HU", "Density of the blood: fresh 30 to 45, clotted 45 to 70", usual=(35, 65))


def edit_laceration(scene: Scene, operation: Operation) -> Change:
    """Tear an organ from its surface inwards."""
    p: Laceration = operation.parameters
    surface, normal = outward(scene, operation.organ, operation.centre)
    shape = tear(surface, normal, p.length, p.width, operation.seed, p.branches)
    block = make_room(scene, shape)
    noise = tissue_noise(scene, block, operation.organ, operation.seed)
    inside = organ_share(block, operation.organ)
    cover = coverage(block, shape, 1.5) * inside
    replace(block, cover, _clot(block, min(p.hu, scene.organ(operation.organ).median - 5), operation.seed), noise)
    if p.bleeding and scene.phase != "native":
        blob = lump(surface - normal * 0.3 * p.length, 1.3 * p.width, operation.seed + 1, 0.2)
        leak = coverage(block, blob, 2.0) * inside
        replace(block, leak, np.float32(0.8 * phase_hu(scene.phase, "aorta")), noise)
    return finish(block, operation, cover)


def tear(surface, normal, length_mm: float, width_mm: float, seed: int, branches: int) -> Shape:
    """Wavy clefts (LPS, mm) that all begin at one place of the surface and run inwards, narrowing."""
    rng = np.random.default_rng((seed, 4))
    inwards = -np.asarray(normal, float)
    clefts = []
    for number in range(branches + 1):
        across = np.cross(inwards, random_direction(rng))
        across /= np.linalg.norm(across)
        along = inwards + (0 if number == 0 else 0.8) * np.cross(across, inwards) * rng.choice((-1, 1))
        clefts.append(_cleft(surface, across, along / np.linalg.norm(along),
                             length_mm * (1 if number == 0 else rng.uniform(0.4, 0.7)), width_mm, seed + number))
    return union(*clefts)


def _cleft(start, across, along, length_mm: float, width_mm: float, seed: int) -> Shape:
    """A flat cleft: `across` is its normal; it runs `along` and ends after its length."""
    start = np.asarray(start, float)

    def distance(points):
        offset = [axis - np.float32(c) for axis, c in zip((points.x, points.y, points.z), start)]
        height = sum(np.float32(n) * part for n, part in zip(across, offset))
        ahead = sum(np.float32(n) * part for n, part in zip(along, offset))
        far = np.sqrt(sum(part * part for part in offset))
        wave = fractal_noise((points.x, points.y, points.z), seed, 0.35 * length_mm, octaves=3)
        half = 0.5 * width_mm * np.clip(1.1 - far / np.float32(length_mm), 0.1, 1)
        flat = np.abs(height + np.float32(0.1 * length_mm) * wave) - half
        # A disc about the middle of the cleft bounds it; its edge is ragged like the rest.
        aside = np.sqrt(np.maximum(far * far - ahead * ahead - height * height, 0))
        bounds = np.maximum(far - np.float32(length_mm), aside - np.float32(0.4 * length_mm))
        return np.maximum(flat, bounds + np.float32(0.08 * length_mm) * wave)

    reach = 1.3 * length_mm
    return Shape(distance, tuple(start - reach), tuple(start + reach))


def _clot(block, hu: float, seed: int) -> np.ndarray:
    """Blood is not the same everywhere: clots are denser."""
    points = (block.points.x, block.points.y, block.points.z)
    return (hu + 6 * fractal_noise(points, seed + 2, 5.0, octaves=2)).astype(np.float32)


def edit_crescent(scene: Scene, operation: Operation) -> Change:
    """Put a lens of blood under the capsule; it dents the organ and belongs to none."""
    p: SubcapsularHaematoma = operation.parameters
    surface, _ = outward(scene, operation.organ, operation.centre)
    half = p.width / 2
    block = scene.block(surface - half, surface + half, 8.0)
    cover = blurred_like_scan(block, crescent(block, LABEL_OF[operation.organ], surface, p.thickness, half,
                                              operation.seed))
    noise = tissue_noise(scene, block, operation.organ, operation.seed)
    replace(block, cover, _clot(block, p.hu, operation.seed), noise)
    return finish(block, operation, cover)


def crescent(block: Block, label: int, surface, thickness_mm: float, half_width_mm: float, seed: int) -> np.ndarray:
    """How far each voxel lies in a lens under the surface of an organ, 0 to 1: deepest at a point, thinning to its rim."""
    inside = block.labels == label
    depth = ndimage.distance_transform_edt(inside, block.grid.spacing[::-1]).astype(np.float32)
    points = (block.points.x, block.points.y, block.points.z)
    far = np.sqrt(sum((axis - np.float32(c)) ** 2 for axis, c in zip(points, surface)))
    wave = 1 + 0.15 * fractal_noise(points, seed, 0.3 * half_width_mm, octaves=2)
    thickness = thickness_mm * np.sqrt(np.clip(1 - (far / np.float32(half_width_mm)) ** 2, 0, 1)) * wave
    return soft_step(depth - thickness, 1.0) * inside * (thickness > 0.3)


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, float, float]:
    """Just below the capsule, away from the hilum."""
    return draw_on_outside(scene, operation.organ, rng, (1.0, 10.0))


DISEASES = (Disease("laceration", "Laceration", "A tear of an injured organ, filled with blood; with a fresh leak contrast "
                    "collects in it.", ORGANS, Laceration, edit_laceration, (KEEP, BACKGROUND), place),
            Disease("subcapsular_haematoma", "Subcapsular haematoma", "Blood between an organ and its capsule, which it dents "
                    "like a lens.", ORGANS, SubcapsularHaematoma, edit_crescent, (BACKGROUND, KEEP), place))
