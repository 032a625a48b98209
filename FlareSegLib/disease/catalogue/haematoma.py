"""Injuries: lacerations filled with blood, and blood under the capsule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...arrays import Floats
from ...errors import FlareSegError
from ...shapes import Shape
from .. import direction
from ..block import Block, Change, PatientPoints, blurred_like_scan, coverage, replace, soft_step
from ..bodies import lump, random_direction
from ..branching import bundle
from ..case import LABEL_OF, Vector
from ..coarse import coarse_steps, node_points, spread_out, thin_out
from ..focal import draw_on_outside, finish, make_room, organ_share, outward, tissue_noise
from ..fractal import fractal_noise
from ..medial_axis import largest_part
from ..operation import BACKGROUND, KEEP, Disease, Operation
from ..parameters import quantity, switch
from ..scan import phase_hu
from ..scene import Scene
from ..warping import NODE_MM, mobility, warp

#: Of a lens's thickness so much lifts the capsule, the rest dents the organ; so much of the tissue in its place stays
#: in it (and is painted over), the rest is pressed aside.
BULGE, LEFT = 0.35, 0.3
#: A lens is no wider than this share of its organ.
WIDEST = 0.9
#: Gaps of twice so many nodes count as inside.
CLOSING = 3
GAS_ML = 150.0
#: Around the blood, for its blur.
MARGIN_MM = 6.0
ORGANS = ("liver", "spleen", "kidney")


@dataclass(frozen=True)
class Laceration:
    """Parameters of `laceration`."""

    length: float = quantity(40, 10, 100, "mm", "Length", usual=(15, 70))
    width: float = quantity(6, 3, 10, "mm", "Width", usual=(3, 9))
    hu: float = quantity(50, 30, 75, "HU", "Density of the blood: fresh 30 to 45, clotted 45 to 70", usual=(35, 65))
    branches: int = quantity(2, 0, 4, "", "Side branches", usual=(0, 3), whole=True)
    bleeding: bool = switch(False, "Contrast leaks from a vessel", main=False)
    azimuth: float | None = direction.azimuth()
    elevation: float | None = direction.elevation()


@dataclass(frozen=True)
class SubcapsularHaematoma:
    """Parameters of `subcapsular_haematoma`."""

    thickness: float = quantity(14, 5, 25, "mm", "Thickness", usual=(7, 22))
    width: float = quantity(80, 20, 160, "mm", "Width along the surface", usual=(40, 120))
    hu: float = quantity(50, 30, 75, "HU", "Density of the blood: fresh 30 to 45, clotted 45 to 70", usual=(35, 65))


def edit_laceration(scene: Scene, operation: Operation) -> Change:
    """Tear an organ from its surface inwards."""
    p: Laceration = operation.parameters
    surface, normal = outward(scene, operation.organ, operation.place)
    rng = np.random.default_rng((operation.seed, 4))
    along = direction.aimed_inwards(0.25 * random_direction(rng) - normal, normal, operation)
    shape = tear(surface, along, p.length, p.width, operation.seed, p.branches, rng)
    block = make_room(scene, shape)
    block.axis = tuple(surface), tuple(surface + along / np.linalg.norm(along) * p.length)
    noise = tissue_noise(scene, block, operation.organ, operation.seed)
    inside = organ_share(block, operation.organ)
    cover = coverage(block, shape, 1.5) * inside
    replace(block, cover, _clot(block, min(p.hu, scene.organ(operation.organ).median - 5), operation.seed), noise)
    if p.bleeding and scene.phase != "native":
        blob = lump(surface - normal * 0.3 * p.length, 1.3 * p.width, operation.seed + 1, 0.2)
        leak = coverage(block, blob, 2.0) * inside
        replace(block, leak, np.float32(0.8 * phase_hu(scene.phase, "aorta")), noise)
    return finish(block, operation, cover)


def tear(surface: Vector, along: Vector, length_mm: float, width_mm: float, seed: int, branches: int,
         rng: np.random.Generator) -> Shape:
    """Jagged clefts (LPS, mm): one from the surface along a vector, narrowing, and others that branch off it.

    They stand more or less upright, as injuries of the trunk's organs do, so that an axial slice shows lines.
    """
    along = np.asarray(along, float)
    clefts = [_cleft(surface - 2 * along, along, length_mm + 2, width_mm, seed, rng)]
    for number in range(branches):
        root = np.asarray(surface) + along / np.linalg.norm(along) * length_mm * rng.uniform(0.2, 0.6)
        aside = np.cross(along, [0.0, 0.0, 1.0]) * rng.choice((-1, 1)) * rng.uniform(0.7, 1.3) + along
        clefts.append(_cleft(root, aside, length_mm * rng.uniform(0.3, 0.55), 0.7 * width_mm, seed + 1 + number, rng))
    return bundle(clefts)


def _cleft(start: Vector, along: Vector, length_mm: float, width_mm: float, seed: int,
           rng: np.random.Generator) -> Shape:
    """A flat cleft: it runs `along` from its start, as high as half its length, and ends in a point."""
    along = np.asarray(along, float) / np.linalg.norm(along)
    upright = np.array([0.0, 0.0, 1.0]) + 0.35 * random_direction(rng)
    across = np.cross(along, upright)
    across /= max(float(np.linalg.norm(across)), 1e-6)
    aside = np.cross(across, along)
    start, half_height = np.asarray(start, float), 0.3 * length_mm
    frame = np.stack([across, along, aside]).astype(np.float32)

    def distance(points: PatientPoints) -> Floats:
        offset = [axis - np.float32(c) for axis, c in zip((points.x, points.y, points.z), start)]
        off, ahead, up = (sum(n * part for n, part in zip(row, offset)) for row in frame)
        thin = np.clip(1.05 - ahead / np.float32(length_mm), 0.15, 1)
        half = np.float32(0.5 * width_mm) * thin * np.sqrt(np.clip(1 - (up / np.float32(1.2 * half_height)) ** 2, 0.04,
                                                                   1))
        bounds = np.maximum(np.maximum(ahead - np.float32(length_mm), -ahead), np.abs(up) - np.float32(half_height))
        result = np.maximum(np.abs(off) - half, bounds)
        # It zigzags and its edges are ragged: only near it need that be worked out.
        near = result < 0.16 * length_mm + 2
        if near.any():
            at = (points.x[near], points.y[near], points.z[near])
            bend = np.clip(fractal_noise(at, seed, 0.3 * length_mm, octaves=2), -2.2,
                           2.2) * np.float32(0.07 * length_mm)
            result[near] = np.maximum(np.abs(off[near] + bend) - half[near], bounds[near] + 0.6 * bend)
        return result

    reach = [0.25 * length_mm + width_mm, length_mm * 1.1, half_height * 1.3]
    corners = np.array([[sign * r for sign, r in zip(signs, reach)] for signs in np.ndindex(2, 2, 2)]) * [2, 1, 2]
    corners = (corners - [reach[0], 0, reach[2]]) @ frame + start
    return Shape(distance, tuple(corners.min(axis=0)), tuple(corners.max(axis=0)))


def _clot(block: Block, hu: float, seed: int) -> Floats:
    """Blood is not the same everywhere: clots are denser."""
    points = (block.points.x, block.points.y, block.points.z)
    return (hu + 6 * fractal_noise(points, seed + 2, 7.0, octaves=1)).astype(np.float32)


def edit_crescent(scene: Scene, operation: Operation) -> Change:
    """Put a lens of blood under the capsule: it lifts the capsule, dents the organ, and belongs to none."""
    p: SubcapsularHaematoma = operation.parameters
    surface, normal = outward(scene, operation.organ, operation.place)
    half = min(p.width / 2, WIDEST * _radius(scene, operation))
    # A flat cylinder about the normal, deep enough for a surface that curves away.
    inner, outer = 4 * p.thickness + 0.6 * half, 3 * p.thickness
    reach = np.abs(normal) * (inner + outer) / 2 + np.sqrt(1 - np.minimum(normal**2, 1)) * (half + 4)
    middle = surface + normal * (outer - inner) / 2
    block, label = scene.block(middle - reach, middle + reach, 2.0), LABEL_OF[operation.organ]
    thickness = lens(block, surface, normal, p.thickness, half, operation.seed)
    near = (thickness > 0) & (np.abs(dent(block, label, normal, thickness)) < thickness + MARGIN_MM)
    if not near.any():
        raise FlareSegError("disease_not_placed", "The organ has no surface there; choose another place.")
    points = np.stack(node_points(block.grid, block.box, _steps(block)))[:, near]
    part = block.part(points.min(axis=1), points.max(axis=1), MARGIN_MM)
    thickness, depth = (spread_out(nodes, _steps(part), part.hu.shape) for nodes in (
        lens(part, surface, normal, p.thickness, half, operation.seed), near_depth(part, label, normal)))
    blood = soft_step(depth - thickness, 1.0) * (part.labels == label) * (thickness > 0.5)
    # Not on the wall of a gallbladder that lies below it, too.
    blood *= largest_part(blood > 0)
    noise = tissue_noise(scene, part, operation.organ, operation.seed)
    replace(part, blurred_like_scan(part, blood), _clot(part, p.hu, operation.seed), noise)
    # By what is blood, not by what looks like it: at the capsule half of a blurred voxel lies outside the organ.
    return finish(part, operation, blood)


def _radius(scene: Scene, operation: Operation) -> float:
    """Of a ball as large as the piece of the organ that a place lies in, mm."""
    pieces = scene.pieces(operation.organ)
    if not pieces:
        return 20.0
    piece = min(pieces, key=lambda each: float(np.linalg.norm(np.subtract(each.centre, operation.place))))
    return float(np.cbrt(piece.volume_ml * 1000 * 0.75 / np.pi))


def _steps(block: Block) -> tuple[int, ...]:
    return coarse_steps(block.grid.spacing, NODE_MM)


def lens(block: Block, surface: Vector, normal: Vector, thickness_mm: float, half_width_mm: float, seed: int) -> Floats:
    """Thickness (mm) of a lens on nodes: largest at a point of the surface, falling to 0 at its rim.

    It counts how far aside of the normal a point lies; deep in the organ and on its other side there is nothing.
    """
    points = node_points(block.grid, block.box, _steps(block))
    offset = np.stack([axis - np.float32(c) for axis, c in zip(points, surface)])
    height = np.tensordot(np.asarray(normal, np.float32), offset, 1)
    aside = np.sqrt(np.maximum((offset**2).sum(axis=0) - height**2, 0))
    wave = 1 + np.float32(0.12) * fractal_noise(points, seed, 0.3 * half_width_mm, octaves=2)
    deep = np.clip((height + 0.7 * aside + 1.5 * thickness_mm + 12) / 8, 0, 1)
    profile = np.clip(1 - (aside / np.float32(half_width_mm)) ** 2, 0, 1)
    return (np.float32(thickness_mm) * profile * np.clip(wave, 0.6, 1.4) * deep).astype(np.float32)


def near_depth(block: Block, label: int, normal: Vector) -> Floats:
    """How far nodes lie below that part of an organ's surface that faces along a normal (mm; negative outside)."""
    steps = _steps(block)
    node_mm = [mm * step for mm, step in zip(reversed(block.grid.spacing), steps)]
    inside = thin_out(block.labels == label, steps) > 0.5
    # A kidney's sinus is no outside of it.
    around = np.pad(inside, CLOSING, mode="edge")
    inside = ndimage.binary_closing(around, iterations=CLOSING)[(slice(CLOSING, -CLOSING),) * 3]
    half = min(node_mm) / 2
    outside = ndimage.distance_transform_edt(~inside, node_mm) if inside.any() else np.full(inside.shape, 1e3)
    if inside.all():
        return np.full(inside.shape, 1e3, np.float32)
    depth = np.where(inside, ndimage.distance_transform_edt(inside, node_mm) - half, half - outside)
    smooth = ndimage.gaussian_filter(depth.astype(np.float32), [2.5 / mm for mm in node_mm], mode="nearest")
    facing = -sum(n * slope for n, slope in zip(_along_axes(block, normal), np.gradient(smooth, *node_mm)))
    near = ~inside & (facing > 0.2)
    if not near.any():
        return np.full(inside.shape, 1e3, np.float32)
    below = ndimage.distance_transform_edt(~near, node_mm) - half
    return ndimage.gaussian_filter(np.where(near, half - outside, below).astype(np.float32),
                                   [1.5 / mm for mm in node_mm],
                                   mode="nearest")


def _along_axes(block: Block, vector: Vector) -> Floats:
    """A vector of the patient (LPS) along the array's k, j and i axes, mm."""
    return (np.linalg.inv(block.grid.matrix) @ np.asarray(vector) * block.grid.spacing)[::-1].astype(np.float32)


def dent(block: Block, label: int, normal: Vector, thickness: Floats) -> Floats:
    """Make room under the capsule: it bulges by a part of the lens's thickness, the organ is pressed in by the rest.

    A little of the tissue in the lens's place is spread over it (`LEFT`, to be painted over); what is below is pressed
    together and moves less and less, over three times the thickness. Returned is roughly how far nodes lie below the
    lifted capsule, mm.
    """
    depth = near_depth(block, label, normal)
    lifted = np.float32(BULGE) * thickness * mobility(block, feather_mm=6.0, air_ml=GAS_ML)
    pressed = (thickness - lifted) - np.float32(LEFT) * thickness
    reach = np.maximum(3 * thickness, 1e-3)
    within = np.clip((depth + lifted) / np.maximum(thickness, 1e-3), 0, 1)
    # How far along the normal a point's tissue has come from; the same direction for all, so that nothing crosses.
    along = np.where(depth < -lifted, -lifted * np.clip(1 + (depth + lifted) / reach, 0, 1),
                     np.where(within < 1, -lifted + within * (lifted + pressed),
                              pressed * np.clip(1 - (depth + lifted - thickness) / reach, 0, 1)))
    warp(block, np.stack([along * part for part in _along_axes(block, normal)]).astype(np.float32), _steps(block))
    return depth + lifted


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Just below the capsule, away from the hilum."""
    return draw_on_outside(scene, operation.organ, rng, (1.0, 10.0))


DISEASES = (Disease("laceration", "Laceration", "A tear of an injured organ, filled with blood; with a fresh leak "
                    "contrast collects in it.", ORGANS, Laceration, edit_laceration, (KEEP, BACKGROUND), place),
            Disease("subcapsular_haematoma", "Subcapsular haematoma",
                    "Blood between an organ and its capsule, which it dents "
                    "like a lens.", ORGANS, SubcapsularHaematoma, edit_crescent, (BACKGROUND, KEEP), place))
