"""The steps that focal lesions share: make room, find the allowed tissue, bulge, paint, label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from ..arrays import Floats
from ..shapes import Shape
from .block import Block, Change, Look, blurred_like_scan, coverage, relabel, soft_step
from .case import LABEL_OF, Vector, extent
from .cavity import wall, whole_wall
from .coarse import coarse_steps, node_points, spread_out, thin_out
from .fractal import fractal_noise
from .operation import BACKGROUND, JOIN, Operation
from .placing import draw_in_organ
from .scene import Scene
from .warping import large_parts, push

#: Mass effect dies away at this many radii.
PUSH_REACH = 2.5
#: Around a lesion, for blurs and smooth measures of its surroundings.
MARGIN_MM = 6.0
OUTSIDE_DRAWS = 6
BONE_HU, AIR_HU = 200.0, -400.0
LARGE_AIR_ML = 20.0
#: Smaller bright spots are vessels, clips and calcifications.
SMALLEST_BONE_ML = 0.8
NODE_MM = 2.5
#: So far behind its organ a mass may reach.
BEHIND_MM, SETTLING_STEPS = 6.0, 8


def make_room(scene: Scene, shape: Shape, centre: Vector = (), radii: Vector = (), mass_effect: float = 0.0,
              turn: np.ndarray | None = None) -> Block:
    """A block to paint a lesion in, its neighbours pushed aside.

    Parameters
    ----------
    shape : Shape
        The lesion, LPS mm.
    centre, radii : sequence of float
        Of the ellipsoid that stands for it when it pushes; only read with a mass effect.
    mass_effect : float
        Share of the lesion's volume that is displaced tissue; the rest is replaced.
    """
    if mass_effect <= 0:
        return scene.block(shape.lower, shape.upper, MARGIN_MM)
    reach = PUSH_REACH * max(radii) + 2.0
    lower = np.minimum(shape.lower, np.asarray(centre) - reach)
    upper = np.maximum(shape.upper, np.asarray(centre) + reach)
    block = scene.block(lower, upper, 2.0)
    push(block, centre, tuple(radii), mass_effect, turn, PUSH_REACH)
    return block.part(shape.lower, shape.upper, MARGIN_MM)


def soft_tissue(block: Block) -> Floats:
    """1 where a lesion may grow, 0 in bone, lung and outside the body; float32, blurred like the scan.

    Gas in the bowel is no obstacle: a lesion takes its place.
    """
    sigma = [1.0 / mm for mm in reversed(block.grid.spacing)]
    smooth = ndimage.gaussian_filter(block.hu, sigma, mode="nearest")
    closed = (smooth > BONE_HU) & (block.labels == 0)
    closed |= large_parts(smooth < AIR_HU, block.grid.voxel_ml, LARGE_AIR_ML)
    return blurred_like_scan(block, (~closed).astype(np.float32)) if closed.any() else np.ones_like(block.hu)


def organ_share(block: Block, organ: str) -> Floats:
    """1 in an organ, 0 outside, float32, blurred like the scan: what confines a lesion to its organ."""
    return blurred_like_scan(block, (block.labels == LABEL_OF[organ]).astype(np.float32))


def free_room(scene: Scene, block: Block, organ: str) -> Floats:
    """1 where a mass of an organ may grow, float32, not blurred: it flattens against what stands firm.

    That is bone (and what lies between ribs), lung, the wall of the trunk, the muscles of the back, and other organs,
    which stay whole.
    """
    steps = coarse_steps(block.grid.spacing, NODE_MM)
    node_mm = [mm * step for mm, step in zip(reversed(block.grid.spacing), steps)]
    hu, own = thin_out(block.hu, steps), thin_out(block.labels == LABEL_OF[organ], steps)
    node_ml = block.grid.voxel_ml * np.prod(steps)
    bone = large_parts((hu > BONE_HU) & (thin_out(block.labels == 0, steps) > 0.5), node_ml, SMALLEST_BONE_ML)
    firm = ndimage.gaussian_filter(bone.astype(np.float32), 4.0 / np.array(node_mm)) > 0.2
    firm |= bone | large_parts(hu < AIR_HU, node_ml, LARGE_AIR_ML) | (wall(scene, block.box, steps) > 0.5)
    firm |= node_points(block.grid, block.box, steps)[1] > _back_of(scene, organ) + BEHIND_MM
    firm &= own < 0.3
    room = 1 - spread_out(ndimage.gaussian_filter(firm.astype(np.float32), 1.5 / np.array(node_mm)), steps,
                          block.hu.shape)
    room[np.isin(block.labels, [label for name, label in LABEL_OF.items() if name != organ])] = 0
    return room


def grown_into(block: Block, shape: Shape, edge_mm: float, room: Floats,
               grown: float | Sequence[float] = 0.0) -> Floats:
    """A body's `coverage` where it has room; all of its border is as sharp as the scan."""
    return blurred_like_scan(block, coverage(block, shape, edge_mm, blurred=False, grown=grown) * room)


def _back_of(scene: Scene, organ: str) -> float:
    """y (LPS, mm) of an organ's hindmost part: behind it lie the muscles of the back."""
    box = scene.organ(organ).box
    corners = [[part.stop if bit else part.start for part, bit in zip(box, bits)] for bits in np.ndindex(2, 2, 2)]
    return float(scene.case.grid.point_of(np.array(corners))[:, 1].max())


def settled(scene: Scene, organ: str, centre: Vector, radius_mm: float) -> np.ndarray:
    """Move a mass's centre (LPS, mm) away from bone and the trunk's wall, until it has room."""
    lattice = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * 3), axis=-1).reshape(-1, 3)
    ball = lattice[np.linalg.norm(lattice, axis=1) <= 1] * radius_mm
    grid, middle = scene.case.grid, np.asarray(centre, float)
    nodes, steps = whole_wall(scene)
    for _ in range(SETTLING_STEPS):
        points = middle + ball
        index = grid.index_of(points)
        at = tuple(np.clip(np.rint(index), 0, np.subtract(grid.shape, 1)).astype(int).T)
        blocked = ndimage.map_coordinates(nodes, (index / steps).T, order=1, mode="nearest") > 0.5
        blocked |= (scene.case.hu[at] > BONE_HU) | (points[:, 1] > _back_of(scene, organ) + BEHIND_MM)
        blocked &= scene.case.labels[at] != LABEL_OF[organ]
        if blocked.all() or not blocked.any():
            break
        middle = middle + 0.7 * (points[~blocked].mean(axis=0) - middle)
    return middle


def patches(block: Block, cover: Floats, share: float, bump_mm: float, seed: int, edge_mm: float = 2.0,
            towards: Look = 0.0) -> Floats:
    """Irregular patches that make up a share of a lesion, 0 to 1: fat, dead tissue.

    Parameters
    ----------
    cover : numpy.ndarray
        The lesion, 0 to 1.
    bump_mm : float
        Half the width of a patch.
    edge_mm : float
        Width over which they pass into what is around them.
    towards : float or numpy.ndarray
        Where patches lie rather, in SD of the noise that makes them.
    """
    inside = cover > 0.5
    if share <= 0 or not inside.any():
        return np.zeros_like(cover)
    field = noise_over(block, cover, seed, bump_mm) + towards
    level = np.quantile(field[inside], 1 - min(share, 1.0))
    # One SD of the noise is climbed over about one bump.
    return soft_step((np.float32(level) - field) * np.float32(bump_mm), edge_mm) * cover


def uneven(block: Block, cover: Floats, sd_hu: float, bump_mm: float, seed: int) -> Floats:
    """HU that a solid mass is lighter and darker in places; mean 0 over the lesion."""
    bumps = noise_over(block, cover, seed, bump_mm)
    inside = cover > 0.5
    return np.float32(sd_hu) * (bumps - (bumps[inside].mean() if inside.any() else np.float32(0)))


def noise_over(block: Block, cover: Floats, seed: int, bump_mm: float, octaves: int = 2) -> Floats:
    """`fractal_noise` in the box that a lesion fills, 0 elsewhere: a block reaches as far as the lesion pushes."""
    noise, box = np.zeros_like(cover), extent(cover > 0)
    if box is not None:
        points = block.points[box]
        noise[box] = fractal_noise((points.x, points.y, points.z), seed, bump_mm, octaves)
    return noise


def dead_core(block: Block, shape: Shape, cover: Floats, diameter: float, share: float, seed: int) -> Floats:
    """Dead tissue that makes up a share of a mass (0 to 1), in its middle and never at its rim."""
    depth = -shape.distance(block.points) / np.float32(diameter / 2)
    dead = patches(block, cover, share, 0.3 * diameter, seed, towards=2.5 * depth)
    return dead * soft_step(0.12 - depth, 0.1)


def tissue_noise(scene: Scene, block: Block, organ: str, seed: int) -> Floats:
    """The scan's own noise on a block, as it is in an organ."""
    return scene.noise(organ).sample(block.hu.shape, seed)


def outward(scene: Scene, organ: str, point: Vector) -> tuple[np.ndarray, np.ndarray]:
    """The nearest point of an organ's surface to a point in it, and the surface's outward normal (LPS, mm)."""
    depth, grid = scene.depth(organ, 10.0), scene.case.grid
    node = (grid.index_of(point) - [part.start for part in depth.box]) / depth.steps
    here = float(_read(depth.mm, node))
    slope = np.array([_read(depth.mm, node + step) - _read(depth.mm, node - step)
                      for step in np.eye(3)]) / (2 * np.asarray(depth.steps))
    # Along the array's axes, per voxel; turned into the patient's millimetres.
    inward = np.linalg.inv(grid.matrix).T @ slope[::-1]
    length = np.linalg.norm(inward)
    normal = -inward / length if length > 1e-3 else np.array([0.0, -1.0, 0.0])
    return np.asarray(point, float) + here * normal, normal


def to_middle(scene: Scene, organ: str, point: Vector) -> np.ndarray:
    """Unit vector (LPS) from a point to the middle of the organ's nearest piece."""
    centres = np.array([piece.centre for piece in scene.pieces(organ)] or [tuple(point)])
    offset = centres - np.asarray(point, float)
    nearest = offset[np.argmin(np.linalg.norm(offset, axis=1))]
    return nearest / max(np.linalg.norm(nearest), 1e-6)


def draw_on_outside(scene: Scene, organ: str, rng: np.random.Generator, depth_mm: tuple[float, float]
                    ) -> tuple[float, ...]:
    """Draw a point below the surface where that faces away from the organ's middle: not at a hilum or in a fissure."""
    points = [draw_in_organ(scene, organ, rng, depth_mm) for _ in range(OUTSIDE_DRAWS)]
    facing = [-outward(scene, organ, point)[1] @ to_middle(scene, organ, point) for point in points]
    return points[int(np.argmax(facing))]


def _read(nodes: Floats, place: Vector) -> float:
    return ndimage.map_coordinates(nodes, np.asarray(place, float)[:, None], order=1, mode="nearest")[0]


def bulging_centre(scene: Scene, organ: str, point: Vector, diameter: float, exophytic: float) -> np.ndarray:
    """Where a lesion's centre lies (LPS, mm) when a share of its diameter is to stand out of the organ.

    With a share of 0 it stays where it was put.
    """
    if exophytic <= 0:
        return np.asarray(point, float)
    surface, normal = outward(scene, organ, point)
    return surface + normal * diameter * (exophytic - 0.5)


def finish(block: Block, operation: Operation, cover: Floats) -> Change:
    """Label a painted lesion by the operation's rule and hand the edit over."""
    if operation.label_rule == JOIN:
        relabel(block, cover, LABEL_OF[operation.organ], over=(0, *LABEL_OF.values()))
    elif operation.label_rule == BACKGROUND:
        relabel(block, cover, 0, over=tuple(LABEL_OF.values()))
    return block.change()
