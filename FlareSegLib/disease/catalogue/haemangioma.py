"""Haemangiomas: benign tangles of vessels that fill with contrast from their rim inwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Floats
from ...shapes import Shape, ellipsoid, union
from ..block import Block, Change, coverage, replace, soft_step
from ..bodies import irregular, lobulated, random_turn
from ..coarse import coarse_steps, thin_out
from ..focal import finish, make_room, organ_share, tissue_noise
from ..operation import JOIN, KEEP, Disease, Operation
from ..parameters import quantity
from ..placing import draw_in_organ
from ..scene import Scene

#: Lumps that a rim has room for; voxels that vessels are measured in; at last all is a little brighter than the organ.
NODULES, VESSEL_MM, LATE = 14, 3.0, 15.0
#: How far it has filled by then: nothing without contrast, nodules at the rim first, all at last.
FILLED = {"native": 0.0, "arterial": 0.15, "portal": 0.32, "excretory": 1.0}
#: What has not filled yet lies so far below the organ, HU; without contrast the whole lesion does.
BELOW_ORGAN, BELOW_NATIVE = {"arterial": -25.0, "portal": -50.0, "excretory": -10.0}, -15.0


@dataclass(frozen=True)
class Haemangioma:
    """Parameters of `haemangioma`."""

    diameter: float = quantity(30, 5, 100, "mm", "Diameter", usual=(8, 60), skewed=True)
    filled: float | None = quantity(None, 0, 1, "", "How far it has filled from its rim; left open: by the phase")
    nodularity: float = quantity(0.6, 0, 1, "", "How much the filled rim is broken into nodules", usual=(0.4, 0.9))
    mass_effect: float = quantity(0.1, 0, 0.9, "", "Share that pushes tissue aside", usual=(0, 0.3), main=False)


def edit(scene: Scene, operation: Operation) -> Change:
    """Put one haemangioma into the scene."""
    p: Haemangioma = operation.parameters
    shape = lobulated(operation.place, p.diameter, operation.seed, lobes=4, irregularity=0.03)
    block = make_room(scene, shape, operation.place, (p.diameter / 2,) * 3, p.mass_effect)
    cover = coverage(block, shape, 1.0) * organ_share(block, operation.organ)
    noise = tissue_noise(scene, block, operation.organ, operation.seed)
    replace(block, cover, _target(scene, block, operation), noise)
    return finish(block, operation, cover)


def _target(scene: Scene, block: Block, operation: Operation) -> Floats:
    """HU: filled nodules as bright as blood, the rest below the organ."""
    p: Haemangioma = operation.parameters
    median = scene.organ(operation.organ).median
    if scene.phase == "native":
        return np.full(block.hu.shape, median + BELOW_NATIVE, np.float32)
    filled = FILLED[scene.phase] if p.filled is None else p.filled
    blood = max(median + 30, vessel_hu(scene, operation.organ))
    inside = median + BELOW_ORGAN[scene.phase]
    if filled >= 1:
        return np.full(block.hu.shape, median + LATE, np.float32)
    bright = soft_step(_nodules(operation, filled).distance(block.points), max(0.06 * p.diameter, 1.0))
    return (inside + (blood - inside) * bright).astype(np.float32)


def _nodules(operation: Operation, filled: float) -> Shape:
    """Lumps of contrast that sit on the rim with gaps between them and grow inwards."""
    p: Haemangioma = operation.parameters
    rng, radius = np.random.default_rng((operation.seed, 12)), p.diameter / 2
    balls = []
    for direction in _spread_directions(NODULES, rng):
        if rng.random() < 0.35 * p.nodularity:
            continue
        size = radius * (0.18 + 0.55 * filled) * (1 + 0.6 * p.nodularity * rng.uniform(-1, 1))
        balls.append(ellipsoid(tuple(np.asarray(operation.place) + direction * (1.02 * radius - 0.45 * size)),
                               (size,) * 3))
    if not balls:
        balls = [ellipsoid(operation.place, (0.3 * radius,) * 3)]
    return irregular(union(*balls, blend=0.1 * radius), 0.04 * radius, max(0.3 * radius, 1.5), operation.seed + 1)


def _spread_directions(count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Unit vectors evenly over the sphere (a golden spiral), turned at random."""
    number = np.arange(count) + 0.5
    height, angle = 1 - 2 * number / count, np.pi * (1 + 5**0.5) * number
    ring = np.sqrt(1 - height**2)
    return list(np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1) @ random_turn(rng).T)


def vessel_hu(scene: Scene, organ: str) -> float:
    """HU of an organ's larger vessels: what the brightest of it measure when noise is smoothed away."""
    return scene._once(("vessels", organ), lambda: _measure_vessels(scene, organ))


def _measure_vessels(scene: Scene, organ: str) -> float:
    measure, case = scene.organ(organ), scene.case
    smooth = thin_out(case.hu[measure.box], coarse_steps(case.grid.spacing, VESSEL_MM))
    inside = thin_out(case.labels[measure.box] == measure.label, coarse_steps(case.grid.spacing, VESSEL_MM)) > 0.99
    return float(np.quantile(smooth[inside], 0.995)) if inside.any() else measure.median


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Mostly near the surface."""
    radius = operation.parameters.diameter / 2
    return draw_in_organ(scene, operation.organ, rng, (0.8 * radius, 1.5 * radius + 15))


DISEASES = (Disease("haemangioma", "Haemangioma", "A benign tangle of vessels that fills with contrast slowly, in "
                    "nodules from its rim inwards.", ("liver", "spleen"), Haemangioma, edit, (KEEP, JOIN), place),)
