"""Where the trunk's cavities end: what is outside the body, the fat under the skin, the wall of muscle and ribs."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..arrays import Floats, Mask
from .case import LABEL_OF, Box
from .coarse import between, coarse_steps, node_count, thin_out
from .scene import Scene

NODE_MM = 5.0
#: So thick is the wall of muscle and ribs under the fat.
WALL_MM = 14.0
OUTSIDE_HU = -400.0
FAT_HU = -150.0, -30.0


def wall(scene: Scene, box: Box, steps: tuple[int, ...]) -> Floats:
    """What lies outside the trunk's cavities, on the nodes of a box.

    Parameters
    ----------
    box : tuple of slice
        k, j, i of the case.
    steps : tuple of int
        Voxels between nodes along k, j, i.

    Returns
    -------
    numpy.ndarray
        float32, nodes along k, j, i: 1 in the wall and outside of it, 0 in the cavities and in the four organs.
    """
    nodes, own = whole_wall(scene)
    counts = node_count(tuple(part.stop - part.start for part in box), steps)
    axes = [(part.start + step * np.arange(n)) / mine for part, step, n, mine in zip(box, steps, counts, own)]
    return between(nodes, axes)


def wall_on_voxels(scene: Scene, box: Box) -> Floats:
    """The same on every voxel of a box, float32."""
    return wall(scene, box, (1, 1, 1))


def whole_wall(scene: Scene) -> tuple[np.ndarray, tuple[int, ...]]:
    """The same on nodes some 5 mm apart in all of the case, and the voxels between them."""
    return scene._once("wall", lambda: _find_wall(scene))


def _find_wall(scene: Scene) -> tuple[np.ndarray, tuple[int, ...]]:
    case = scene.case
    steps = coarse_steps(case.grid.spacing, NODE_MM)
    node_mm = [step * mm for step, mm in zip(steps, reversed(case.grid.spacing))]
    hu = thin_out(case.hu, steps)
    organs = thin_out(np.isin(case.labels, list(LABEL_OF.values())), steps) > 0.3
    outside = _touching_the_border(hu < OUTSIDE_HU)
    loose = (outside | ((hu > FAT_HU[0]) & (hu < FAT_HU[1]))) & ~organs
    # The fat under the skin hangs together with that in the belly by narrow ways only; erosion closes them.
    cross = ndimage.generate_binary_structure(3, 1)
    seeds = ndimage.binary_erosion(np.pad(loose, 1, mode="edge"), cross)[1:-1, 1:-1, 1:-1] | outside
    parts, count = ndimage.label(seeds)
    skin = np.zeros(count + 1, bool)
    skin[parts[outside]] = True
    skin[0] = False
    found = skin[parts]
    found = ndimage.binary_dilation(found, cross) & loose
    if not found.any():
        return np.zeros(hu.shape, np.float32), steps
    far = ndimage.distance_transform_edt(~found, node_mm)
    return ((far < WALL_MM) & ~organs).astype(np.float32), steps


def _touching_the_border(mask: Mask) -> Mask:
    """The connected parts of a mask (k, j, i) that touch a side of the slices."""
    parts, count = ndimage.label(mask)
    sides = np.concatenate([parts[:, [0, -1]].ravel(), parts[:, :, [0, -1]].ravel()])
    touching = np.zeros(count + 1, bool)
    touching[sides] = True
    touching[0] = False
    return touching[parts]
