"""Hydronephrosis: a renal pelvis and calyces widened by urine that cannot flow off; the parenchyma thins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...arrays import Floats, Mask
from ...shapes import Shape, ellipsoid, tube, union
from ..block import Block, Change, blurred_like_scan, coverage, replace, soft_step
from ..bodies import irregular
from ..case import LABEL_OF, Vector
from ..coarse import coarse_steps, node_points, spread_out, thin_out
from ..focal import finish, free_room, make_room, tissue_noise
from ..operation import BACKGROUND, JOIN, Disease, Operation
from ..parameters import quantity
from ..placing import draw_in_organ
from ..scene import Piece, Scene

#: By grade 1 to 4, mm: width of the pelvis, of the calyces, and what parenchyma is left over these.
PELVIS_MM, CALYX_MM, LEFT_MM = (14.0, 20.0, 30.0, 44.0), (6.0, 9.0, 14.0, 21.0), (14.0, 11.0, 7.0, 3.5)
#: Share of the collecting system that pushes tissue aside.
PUSHED = (0.3, 0.45, 0.6, 0.7)
#: Calyces lie so far up and down (share of the kidney's length) and to the front and back (share of its width).
CALYX_PLACES = tuple((up, front) for up in (-0.27, 0.0, 0.27) for front in (-0.14, 0.14))
NODE_MM, CLOSING_MM, SINUS_ML = 2.5, 14.0, 1.0
URETER_MM = 45.0


@dataclass(frozen=True)
class Hydronephrosis:
    """Parameters of `hydronephrosis`."""

    grade: int = quantity(2, 1, 4, "", "Grade", usual=(1, 4), whole=True)
    pelvis: float | None = quantity(None, 10, 60, "mm", "Width of the pelvis; left open: by the grade")
    parenchyma: float | None = quantity(None, 2, 20, "mm", "Parenchyma left over the calyces; left open: by the grade")
    hu: float = quantity(5, -5, 25, "HU", "Density of the urine", usual=(0, 12))
    ureter: float = quantity(0.2, 0, 0.5, "", "Width of the ureter over that of the pelvis", usual=(0, 0.35),
                             main=False)


@dataclass(frozen=True)
class Kidney:
    """How a kidney lies: LPS, mm; unit vectors."""

    sinus: np.ndarray
    up: np.ndarray
    medial: np.ndarray
    length: float
    width: float

    @property
    def front(self) -> np.ndarray:
        """Across the other two."""
        return np.cross(self.up, self.medial)


def edit(scene: Scene, operation: Operation) -> Change:
    """Widen the collecting system of the kidney that the place lies in."""
    p: Hydronephrosis = operation.parameters
    number = p.grade - 1
    pelvis = PELVIS_MM[number] if p.pelvis is None else p.pelvis
    kidney = _kidney(scene, operation)
    inner = _calyces(kidney, pelvis, CALYX_MM[number] * (pelvis / PELVIS_MM[number]) ** 0.5, operation.seed)
    outer = _pelvis(kidney, pelvis, p.ureter, operation.seed)
    radii = (0.45 * pelvis + 2, 0.25 * kidney.length, 0.35 * pelvis + 2)
    turn = np.stack([kidney.medial, kidney.up, kidney.front], axis=1)
    block = make_room(scene, union(inner, outer), kidney.sinus, radii, PUSHED[number], turn)
    left = LEFT_MM[number] if p.parenchyma is None else p.parenchyma
    room = free_room(scene, block, operation.organ)
    below = _below(block, left, operation.organ)
    beside = np.maximum(below, _beside(block, operation.organ, kidney))
    filled = np.maximum(coverage(block, inner, 0.5, blurred=False) * below,
                        coverage(block, outer, 0.5, blurred=False) * beside)
    cover = blurred_like_scan(block, filled * room)
    replace(block, cover, np.float32(p.hu), tissue_noise(scene, block, operation.organ, operation.seed))
    return finish(block, operation, cover)


def _kidney(scene: Scene, operation: Operation) -> Kidney:
    """How the kidney at the operation's place lies; measured once."""
    pieces = scene.pieces(operation.organ)
    if not pieces:
        return _measured(scene, operation, None)
    far = [np.linalg.norm(np.subtract(piece.centre, operation.place)) for piece in pieces]
    number = int(np.argmin(far))
    return scene._once(("kidney", number), lambda: _measured(scene, operation, pieces[number]))


def _measured(scene: Scene, operation: Operation, piece: Piece | None) -> Kidney:
    """Measure a kidney: its axes, and its sinus, the hollow at its medial side."""
    block = scene.block_of(scene.grown(piece.box, CLOSING_MM + 4) if piece else scene.organ(operation.organ).box)
    steps = coarse_steps(block.grid.spacing, NODE_MM)
    mask = thin_out(block.labels == LABEL_OF[operation.organ], steps) > 0.5
    points = np.stack(node_points(block.grid, block.box, steps), axis=-1)
    middle = points[mask].mean(axis=0) if mask.any() else np.asarray(operation.place, float)
    up, length, width = _axes(points[mask])
    medial = np.array([1.0 if middle[0] < scene.middle_x else -1.0, -0.3, 0.0])
    hollow = points[_hollow(mask, block, steps, (points - middle) @ medial)]
    sinus = hollow.mean(axis=0) if len(hollow) else middle + 0.15 * width * medial
    sideways = sinus - middle + 0.3 * width * medial
    sideways = sideways - (sideways @ up) * up
    return Kidney(sinus, up, sideways / max(np.linalg.norm(sideways), 1e-6), length, width)


def _axes(points: Floats) -> tuple[np.ndarray, float, float]:
    """Direction of the longest axis (upwards), its length, and the width across it, mm."""
    if len(points) < 10:
        return np.array([0.0, 0.0, 1.0]), 100.0, 50.0
    values, vectors = np.linalg.eigh(np.cov(points.T))
    up = vectors[:, 2] * (1 if vectors[2, 2] >= 0 else -1)
    # A solid ellipsoid of length L has the variance L^2 / 20 along it.
    return up, float(np.sqrt(20 * values[2])), float(np.sqrt(20 * values[1]))


def _closed(mask: Mask, node_mm: Vector) -> Mask:
    """A mask without hollows narrower than twice `CLOSING_MM`."""
    near = ndimage.distance_transform_edt(~np.pad(mask, 1), node_mm) <= CLOSING_MM
    return (ndimage.distance_transform_edt(near, node_mm) > CLOSING_MM)[1:-1, 1:-1, 1:-1] | mask


def _hollow(mask: Mask, block: Block, steps: tuple[int, ...], medially: np.ndarray) -> Mask:
    """The largest hollow at the medial side; nothing where the labels have none."""
    node_mm = _node_mm(block, steps)
    parts, count = ndimage.label(_closed(mask, node_mm) & ~mask & (medially > -8.0))
    if not count:
        return np.zeros_like(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    largest = int(sizes.argmax())
    return parts == largest if sizes[largest] * np.prod(node_mm) / 1000 >= SINUS_ML else np.zeros_like(mask)


def _node_mm(block: Block, steps: tuple[int, ...]) -> list[float]:
    return [mm * step for mm, step in zip(reversed(block.grid.spacing), steps)]


def _below(block: Block, left: float, organ: str) -> Floats:
    """1 where voxels lie deeper than `left` mm below the kidney's outer contour, its hollow filled."""
    steps = coarse_steps(block.grid.spacing, NODE_MM)
    node_mm = _node_mm(block, steps)
    inside = _closed(thin_out(block.labels == LABEL_OF[organ], steps) > 0.5, node_mm)
    depth = ndimage.distance_transform_edt(inside, node_mm).astype(np.float32)
    return soft_step(np.float32(left) - spread_out(depth, steps, block.hu.shape), 2.0)


def _beside(block: Block, organ: str, kidney: Kidney) -> Floats:
    """1 medially of the sinus, but for the kidney itself: there the pelvis may be, too."""
    x, y, z = (np.float32(n) * (axis - np.float32(c)) for n, axis, c in
               zip(kidney.medial, (block.points.x, block.points.y, block.points.z), kidney.sinus))
    return soft_step(-(x + y + z) - 2, 4.0) * (block.labels != LABEL_OF[organ])


def _calyces(kidney: Kidney, pelvis: float, width: float, seed: int) -> Shape:
    """Round calyces in three groups, each on a neck from the sinus."""
    rng = np.random.default_rng((seed, 14))
    bodies = []
    for up, front in CALYX_PLACES:
        size = width * rng.uniform(0.8, 1.2)
        end = (kidney.sinus + (up * kidney.length) * kidney.up + (front * kidney.width) * kidney.front
               - (0.12 * kidney.width + 0.1 * width) * kidney.medial + rng.normal(0, 1.5, 3))
        bodies += [ellipsoid(tuple(end), (size / 2,) * 3),
                   tube((kidney.sinus, (kidney.sinus + end) / 2 + rng.normal(0, 1.0, 3), end), size / 4, steps=2)]
    bodies.append(ellipsoid(tuple(kidney.sinus), (0.3 * pelvis,) * 3))
    return irregular(union(*bodies, blend=0.3 * width), 0.04 * width, 5.0, seed)


def _pelvis(kidney: Kidney, width: float, ureter: float, seed: int) -> Shape:
    """The pelvis, a funnel that opens medially, and the beginning of the ureter."""
    turn = np.stack([kidney.medial, kidney.up, kidney.front], axis=1)
    turn = turn if np.linalg.det(turn) > 0 else turn * (1, 1, -1)
    middle = kidney.sinus + 0.25 * width * kidney.medial
    bodies = [ellipsoid(tuple(middle), (0.6 * width, 0.62 * width, 0.42 * width), turn)]
    if ureter > 0:
        down = np.array([0.0, -0.1, -1.0])
        start = middle + 0.3 * width * kidney.medial - 0.2 * width * kidney.up
        way = [start + t * URETER_MM * down + 6.0 * t * (1 - t) * kidney.medial for t in np.linspace(0, 1, 5)]
        bodies.append(tube(way, np.linspace(1, 0.6, 5) * max(ureter * width / 2, 1.5), steps=2))
    return irregular(union(*bodies, blend=0.25 * width), 0.03 * width, 6.0, seed + 1)


def place(scene: Scene, operation: Operation, rng: np.random.Generator) -> tuple[float, ...]:
    """Anywhere in the kidney that is to be blocked."""
    return draw_in_organ(scene, operation.organ, rng, (6.0, 1e3))


DISEASES = (Disease("hydronephrosis", "Hydronephrosis", "Urine that cannot flow off widens the renal pelvis and the "
                    "calyces; in the end little of the kidney is left.", ("kidney",), Hydronephrosis, edit,
                    (BACKGROUND, JOIN), place),)
