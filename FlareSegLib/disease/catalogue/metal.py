"""Metal in the body: surgical clips and stents, with the streaks that they throw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...shapes import Shape, tube
from .. import direction
from ..block import Block, Change, blurred_like_scan, coverage, replace
from ..bodies import random_direction, winding_tube
from ..branching import bundle
from ..case import Vector
from ..focal import tissue_noise
from ..metal import clip_streaks
from ..operation import KEEP, Disease, Operation
from ..parameters import choice, quantity
from ..placing import draw_in_organ
from ..scene import Scene

CLIP_RADIUS_MM = 0.8
#: A mesh of thin wire: the wall that a CT shows, and how much of it is metal; a plastic one is no metal.
WALL_MM, METAL_SHARE, PLASTIC_HU = 0.9, 0.45, 350.0
LUMEN_HU = {"bile": 5.0, "gas": -800.0}
STENT_DRAWS = 12
MARGIN_MM = 6.0


@dataclass(frozen=True)
class Clips:
    """Parameters of `clips`."""

    count: int = quantity(3, 1, 6, "", "Number", usual=(1, 6), whole=True)
    length: float = quantity(7, 3, 12, "mm", "Length of a clip", usual=(5, 10), main=False)
    spread: float = quantity(12, 3, 40, "mm", "How far from the place they lie", usual=(5, 25))
    streaks: float = quantity(0.12, 0, 1, "", "Strength of the streaks", usual=(0.03, 0.3))


@dataclass(frozen=True)
class Stent:
    """Parameters of `stent`."""

    diameter: float = quantity(9, 3, 12, "mm", "Diameter", usual=(7, 10))
    length: float = quantity(60, 25, 100, "mm", "Length", usual=(40, 80))
    material: str = choice("metal", ("metal", "plastic"), "Material")
    lumen: str = choice("bile", tuple(LUMEN_HU), "What flows in it")
    streaks: float = quantity(0.08, 0, 1, "", "Strength of the streaks", usual=(0.0, 0.2))
    azimuth: float | None = direction.azimuth()
    elevation: float | None = direction.elevation()


def edit_clips(scene: Scene, operation: Operation) -> Change:
    """Put clips around a place."""
    p: Clips = operation.parameters
    rng = np.random.default_rng((operation.seed, 6))
    centres = [np.asarray(operation.centre) + random_direction(rng) * p.spread * rng.random() ** 0.5
               for _ in range(p.count)]
    clips = rods(centres, p.length, rng)
    block = whole_slices(scene, clips)
    part = block.part(clips.lower, clips.upper, MARGIN_MM)
    clip_streaks(part, coverage(part, clips, blurred=False), p.streaks, operation.seed)
    return block.change()


def rods(centres: Sequence[Vector] | np.ndarray, length_mm: float, rng: np.random.Generator) -> Shape:
    """Clips (LPS, mm): short straight rods about their centres, each in a direction of its own."""
    ends = [(centre, length_mm / 2 * random_direction(rng)) for centre in np.asarray(centres, float)]
    return bundle([tube([centre - half, centre + half], CLIP_RADIUS_MM) for centre, half in ends])


def whole_slices(scene: Scene, shape: Shape) -> Block:
    """A block of all slices that a body lies in: streaks run through the whole patient."""
    box = scene.block(shape.lower, shape.upper, 2.0).box
    return scene.block_of((box[0], *scene.case.grid.whole[1:]))


def edit_stent(scene: Scene, operation: Operation) -> Change:
    """Put a stent in: a mesh with a lumen, along the bile duct."""
    p: Stent = operation.parameters
    rng = np.random.default_rng((operation.seed, 7))
    # The bile duct comes down from the liver's hilum, a little backwards and to the middle.
    along = np.array([-0.25, -0.25, 1.0]) + 0.2 * rng.standard_normal(3)
    along = direction.aimed(along / np.linalg.norm(along), p)
    middle, half = np.asarray(operation.centre), along * p.length / 2
    shape = winding_tube(middle - half, along, p.length, p.diameter / 2,
                         operation.seed, turn_degrees=6.0, taper=1.0)
    block = whole_slices(scene, shape)
    block.axis = tuple(middle), tuple(middle + half)
    part = block.part(shape.lower, shape.upper, MARGIN_MM)
    noise = tissue_noise(scene, part, operation.organ, operation.seed)
    sharp = coverage(part, shape, blurred=False, grown=(-WALL_MM, 0.0))
    inner, outer = blurred_like_scan(part, sharp)
    if p.material == "plastic":
        replace(part, outer, np.float32(PLASTIC_HU), noise)
    replace(part, inner, np.float32(LUMEN_HU[p.lumen]), noise)
    if p.material == "metal":
        clip_streaks(part, METAL_SHARE * (sharp[1] - sharp[0]), p.streaks, operation.seed)
    # Metal shines into the lumen: where it lies is told, but no voxel of it is pure enough to measure HU and noise in.
    part.cover[:] = 0.98 * inner
    return block.change()


def place_clips(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Near the organ's surface, where surgeons are."""
    return draw_in_organ(scene, operation.organ, rng, (0.0, 15.0))


def place_stent(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """In the head of the pancreas, which lies to the right."""
    return min((draw_in_organ(scene, operation.organ, rng, (3.0, 1e3)) for _ in range(STENT_DRAWS)),
               key=lambda at: at[0])


DISEASES = (Disease("clips", "Surgical clips", "Metal clips of an earlier operation, which throw streaks.",
                    ("liver", "kidney", "spleen", "pancreas"), Clips, edit_clips, (KEEP,), place_clips),
            Disease("stent", "Biliary stent", "A tube of metal mesh or plastic that keeps the bile duct open, often "
                    "for a tumour of the pancreas.", ("pancreas",), Stent, edit_stent, (KEEP,), place_stent))
