"""Solid masses of the pancreas: ductal carcinoma, which blocks the duct, and neuroendocrine tumours, which glow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...arrays import Floats
from ...shapes import Shape, tube
from ..block import Block, Change, coverage, replace, soft_step
from ..bodies import irregular, lump
from ..case import LABEL_OF, Box
from ..cavity import wall
from ..focal import PUSH_REACH, dead_core, finish, free_room, grown_into, organ_share, tissue_noise, uneven
from ..growth import flow_steps, make_up_noise, scale
from ..medial_axis import along, medial_axis
from ..operation import JOIN, KEEP, Disease, Operation
from ..parameters import choice, quantity
from ..phase import PHASES
from ..placing import draw_in_organ
from ..scan import residual_sd
from ..scene import Scene
from ..warping import push


@dataclass(frozen=True)
class Kind:
    """What one kind of mass looks like: difference to the gland (HU) and its SD, in the order of `PHASES`."""

    difference: tuple[float, float, float, float]
    spread: tuple[float, float, float, float]
    blocks_duct: bool


#: Carcinoma: -60.2 +- 24.6 in the pancreatic, -40.5 +- 23.0 in the portal, -18.3 +- 11.8 in the delayed phase (PMID
#: 17961951). Neuroendocrine: usual values of the field without a source of their own.
KINDS = {"carcinoma": Kind((-4, -60, -40, -18), (3, 25, 23, 12), True),
         "neuroendocrine": Kind((0, 55, 25, 10), (4, 25, 15, 8), False)}
DUCT_HU, NECROSIS_HU = 10.0, 25.0
#: Vessels that the tumour grows around stand out so far above the gland.
VESSEL_HU = 30.0
#: The duct thins out so far before the end of the tail, and begins so deep in the tumour (share of its radius).
TAIL_MM, CUT_OFF = 8.0, 0.75
SHRINKING_MM = 12.0
#: What moves when the gland shrinks lies so near to it, and so near to the part of its axis that lies behind the
#: tumour.
SHRINKING_REACH_MM, BEHIND_MM = 28.0, 50.0


@dataclass(frozen=True)
class PancreaticMass:
    """Parameters of `pancreatic_mass`."""

    kind: str = choice("carcinoma", tuple(KINDS), "Kind")
    diameter: float = quantity(32, 12, 80, "mm", "Diameter", usual=(15, 60), skewed=True)
    difference: float | None = quantity(None, -110, 120, "HU", "Difference to the gland; left open: by kind and phase")
    duct: float = quantity(5, 0, 12, "mm", "Width of the blocked duct (carcinoma)", usual=(2, 9))
    atrophy: float = quantity(0.3, 0, 0.6, "", "Share of the gland behind the tumour that is lost (carcinoma)",
                              usual=(0, 0.5))
    edge: float = quantity(3, 0, 6, "mm", "Width of the infiltrating edge", usual=(1, 4), main=False)
    necrosis: float = quantity(0, 0, 0.5, "", "Share of dead tissue", usual=(0, 0.2), main=False)
    mass_effect: float = quantity(0.6, 0, 0.95, "", "Share that pushes tissue aside", usual=(0.4, 0.8), main=False)


def edit(scene: Scene, operation: Operation) -> Change:
    """Put one mass into the scene: first the gland behind it shrinks, then the tumour grows, then the duct widens."""
    p: PancreaticMass = operation.parameters
    blocked = KINDS[p.kind].blocks_duct
    shape = lump(operation.place, p.diameter, operation.seed, 0.12 if blocked else 0.06, elongation=1.15)
    axis = _axis(scene, operation.organ) if blocked and (p.duct > 0 or p.atrophy > 0) else None
    whole = scene.block_of(_reach(scene, operation, shape, axis))
    if axis is not None and p.atrophy > 0:
        _shrink_behind(scene, whole, operation, axis)
    push(whole, operation.place, (p.diameter / 2,) * 3, p.mass_effect, reach=PUSH_REACH)
    if axis is not None and p.duct > 0:
        _paint_duct(scene, whole, operation, _to_tail(medial_axis(whole, operation.organ), axis[-1]))
    block = whole.part(shape.lower, shape.upper, 8.0)
    cover = _paint_tumour(scene, block, shape, operation)
    finish(block, operation, cover)
    return whole.change()


def _axis(scene: Scene, organ: str) -> np.ndarray:
    """The gland's `medial_axis`; measured once."""
    return scene._once(("axis", organ), lambda: medial_axis(scene.block_of(scene.organ(organ).box), organ))


def _to_tail(axis: np.ndarray, tail: np.ndarray) -> np.ndarray:
    """An axis turned so that it ends at the tail: which of a part's ends is the right one tells nothing."""
    first, last = (np.linalg.norm(end - tail) for end in (axis[0], axis[-1]))
    return axis if last <= first else axis[::-1]


def _reach(scene: Scene, operation: Operation, shape: Shape, axis: np.ndarray | None) -> Box:
    """The tumour with what it pushes, and the gland behind it with what moves when that shrinks."""
    p: PancreaticMass = operation.parameters
    around = scene.block(shape.lower, shape.upper, (PUSH_REACH - 1) * p.diameter / 2 + 4).box
    if axis is None:
        return around
    behind = axis[along(axis, operation.place):]
    gland = scene.grown(scene.organ(operation.organ).box, SHRINKING_REACH_MM if p.atrophy > 0 else 6.0)
    near = scene.case.grid.box(behind.min(axis=0), behind.max(axis=0), BEHIND_MM)
    assert near is not None, "the gland lies in the scan"
    return tuple(slice(min(a.start, max(b.start, c.start)), max(a.stop, min(b.stop, c.stop)))
                 for a, b, c in zip(around, gland, near))


def _shrink_behind(scene: Scene, block: Block, operation: Operation, axis: np.ndarray) -> None:
    """Atrophy of the gland between the tumour and the end of the tail; fat takes its place."""
    p: PancreaticMass = operation.parameters
    start = along(axis, operation.place)
    ahead = np.maximum(np.linalg.norm(axis - np.asarray(operation.place), axis=1) - p.diameter / 2, 0)
    strength = np.where(np.arange(len(axis)) > start, np.clip(ahead / SHRINKING_MM, 0, 1), 0)
    if not strength.any():
        return
    gland = block.labels == LABEL_OF[operation.organ]
    nearest = _nearest(axis)
    points = np.stack([c[gland][::7] for c in (block.points.x, block.points.y, block.points.z)], axis=-1)
    lost = p.atrophy * float(strength[nearest(points)].mean())
    if lost < 0.01:
        return
    sd = residual_sd(block.hu, gland, block.grid.spacing)
    moved = scale(block, gland, 1 - lost, lambda points: strength[nearest(np.stack(points,
                                                                                   axis=-1))].astype(np.float32),
                  still=wall(scene, block.box, flow_steps(block)))
    make_up_noise(block, scene.noise(operation.organ), moved, block.labels == LABEL_OF[operation.organ], sd,
                  operation.seed + 7)


def _nearest(axis: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Function from points (..., 3) to the index of the axis' nearest point."""
    from scipy.spatial import cKDTree

    tree = cKDTree(axis)
    return lambda points: tree.query(points)[1]


def _paint_duct(scene: Scene, block: Block, operation: Operation, axis: np.ndarray) -> None:
    """A duct of fluid from the tumour to the tail, widest where it is cut off; it stays in the gland and pancreas."""
    p: PancreaticMass = operation.parameters
    start = along(axis, operation.place)
    far = np.linalg.norm(axis - np.asarray(operation.place), axis=1)
    way = axis[(np.arange(len(axis)) >= start) & (far > CUT_OFF * p.diameter / 2)][: -int(TAIL_MM / 2)]
    if len(way) < 4:
        return
    way = way[::3] if len(way) > 9 else way
    shape = irregular(tube(way, np.linspace(1, 0.5, len(way)) * p.duct / 2, steps=2), 0.12 * p.duct, 5.0,
                      operation.seed + 5)
    part = block.part(shape.lower, shape.upper, 4.0)
    cover = coverage(part, shape) * organ_share(part, operation.organ)
    replace(part, cover, np.float32(DUCT_HU), tissue_noise(scene, part, operation.organ, operation.seed + 6))


def _paint_tumour(scene: Scene, block: Block, shape: Shape, operation: Operation) -> Floats:
    """The tumour itself, over its duct; vessels outside of the gland run on through it. Returns its cover."""
    p: PancreaticMass = operation.parameters
    median = scene.organ(operation.organ).median
    level = median + requested_difference(scene, operation)
    edge = p.edge if p.kind == "carcinoma" else p.edge / 3
    room = free_room(scene, block, operation.organ) * (1 - _vessels(block, median, operation))
    cover = grown_into(block, shape, edge, room)
    noise = tissue_noise(scene, block, operation.organ, operation.seed)
    texture = 2 + (0.02 if scene.phase == "native" else 0.05) * level
    target = np.float32(level) + uneven(block, cover, texture, max(0.2 * p.diameter, 5.0), operation.seed + 1)
    replace(block, cover, target, noise)
    if p.necrosis > 0:
        dead = dead_core(block, shape, cover, p.diameter, p.necrosis, operation.seed + 3)
        replace(block, dead, np.float32(min(NECROSIS_HU, level - 8)), noise)
    return cover


def _vessels(block: Block, median: float, operation: Operation) -> Floats:
    """1 in bright vessels and bowel content outside the gland, which a tumour encases but does not replace."""
    spacing = block.grid.spacing
    smooth = ndimage.gaussian_filter(block.hu, [0.5 * (1.0 / mm) for mm in reversed(spacing)], mode="nearest")
    outside = 1 - organ_share(block, operation.organ)
    return soft_step(np.float32(median + VESSEL_HU) - smooth, 20.0) * outside


def requested_difference(scene: Scene, operation: Operation) -> float:
    """HU over the gland's median: asked for, or the kind's in this phase."""
    p: PancreaticMass = operation.parameters
    if p.difference is not None:
        return p.difference
    kind, phase, median = KINDS[p.kind], PHASES.index(scene.phase), scene.organ(operation.organ).median
    chance = np.clip(np.random.default_rng((operation.seed, 11)).standard_normal(), -1, 1)
    # A solid tumour is never as dark as fluid.
    return float(max(kind.difference[phase] + chance * kind.spread[phase], min(28.0 - median, -4.0)))


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Anywhere in the gland, as deep as it goes in most places."""
    return draw_in_organ(scene, operation.organ, rng, (3.0, 1e3))


DISEASES = (Disease("pancreatic_mass", "Pancreatic mass", "A solid tumour of the pancreas: a dark carcinoma, behind "
                    "which the duct widens and the gland withers, or a bright neuroendocrine tumour.", ("pancreas",),
                    PancreaticMass, edit, (JOIN, KEEP), place),)
