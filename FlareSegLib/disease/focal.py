"""The steps that focal lesions share: make room, find the allowed tissue, bulge, paint, label."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..shapes import Shape
from .block import Block, Change, blurred_like_scan, relabel
from .case import LABEL_OF
from .operation import BACKGROUND, JOIN, Operation
from .placing import draw_in_organ
from .scene import Scene
from .warping import push

#: Mass effect dies away at this many radii.
PUSH_REACH = 2.5
#: Around a lesion, for blurs and smooth measures of its surroundings.
MARGIN_MM = 6.0
OUTSIDE_DRAWS = 6
BONE_HU, AIR_HU = 200.0, -400.0
LARGE_AIR_ML = 20.0


def make_room(scene: Scene, shape: Shape, centre=None, radii=None, mass_effect: float = 0.0,
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


def soft_tissue(block: Block) -> np.ndarray:
    """1 where a lesion may grow, 0 in bone, lung and outside the body; float32, blurred like the scan.

    Gas in the bowel is no obstacle: a lesion takes its place.
    """
    sigma = [1.0 / mm for mm in reversed(block.grid.spacing)]
    smooth = ndimage.gaussian_filter(block.hu, sigma, mode="nearest")
    closed = (smooth > BONE_HU) & (block.labels == 0)
    air, count = ndimage.label(smooth < AIR_HU)
    if count:
        large = np.bincount(air.ravel()) * block.grid.voxel_ml > LARGE_AIR_ML
        large[0] = False
        closed |= large[air]
    return blurred_like_scan(block, (~closed).astype(np.float32)) if closed.any() else np.ones_like(block.hu)


def organ_share(block: Block, organ: str) -> np.ndarray:
    """1 in an organ, 0 outside, float32, blurred like the scan: what confines a lesion to its organ."""
    return blurred_like_scan(block, (block.labels == LABEL_OF[organ]).astype(np.float32))


def tissue_noise(scene: Scene, block: Block, organ: str, seed: int) -> np.ndarray:
    """The scan's own noise on a block, as it is in an organ."""
    return scene.noise(organ).sample(block.hu.shape, seed)


def outward(scene: Scene, organ: str, point) -> tuple[np.ndarray, np.ndarray]:
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


def to_middle(scene: Scene, organ: str, point) -> np.ndarray:
    """Unit vector (LPS) from a point to the middle of the organ's nearest piece."""
    centres = np.array([piece.centre for piece in scene.pieces(organ)] or [point])
    offset = centres - np.asarray(point, float)
    nearest = offset[np.argmin(np.linalg.norm(offset, axis=1))]
    return nearest / max(np.linalg.norm(nearest), 1e-6)


def draw_on_outside(scene: Scene, organ: str, rng: np.random.Generator, depth_mm: tuple[float, float]
                    ) -> tuple[float, float, float]:
    """Draw a point below the surface where that faces away from the organ's middle: not at a hilum or in a fissure."""
    points = [draw_in_organ(scene, organ, rng, depth_mm) for _ in range(OUTSIDE_DRAWS)]
    facing = [-outward(scene, organ, point)[1] @ to_middle(scene, organ, point) for point in points]
    return points[int(np.argmax(facing))]


def _read(nodes: np.ndarray, place) -> float:
    return ndimage.map_coordinates(nodes, np.asarray(place, float)[:, None], order=1, mode="nearest")[0]


def bulging_centre(scene: Scene, organ: str, point, diameter: float, exophytic: float) -> np.ndarray:
    """Where a lesion's centre lies (LPS, mm) when a share of its diameter is to stand out of the organ.

    With a share of 0 it stays where it was put.
    """
    if exophytic <= 0:
        return np.asarray(point, float)
    surface, normal = outward(scene, organ, point)
    return surface + normal * diameter * (exophytic - 0.5)


def finish(block: Block, operation: Operation, cover: np.ndarray) -> Change:
    """Label a painted lesion by the operation's rule and hand the edit over."""
    if operation.label_rule == JOIN:
        relabel(block, cover, LABEL_OF[operation.organ], over=(0, *LABEL_OF.values()))
    elif operation.label_rule == BACKGROUND:
        relabel(block, cover, 0, over=tuple(LABEL_OF.values()))
    return block.change()
