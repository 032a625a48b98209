"""Large vessels and the spine, found by HU in an enhanced scan: what a change of the contrast phase must tell apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..arrays import Floats, Mask
from .case import Vector
from .cavity import wall
from .coarse import coarse_steps, node_points, thin_out
from .scene import Scene

NODE_MM = 3.0
#: Blood that holds contrast lies above this; muscle, bowel wall and unenhanced blood lie below.
BLOOD_HU = 95.0
BONE_HU, CANAL_HU = 170.0, 90.0
#: The spinal canal: so near to the body's middle, at least so large.
CANAL_OFF_MM, CANAL_MM2 = 18.0, 70.0
#: Vertebral bodies are ellipses of these half-axes so far in front of the canal's middle; arches are so wide at most.
BODY_HALF_MM, BODY_AHEAD_MM, OFF_MIDDLE_MM = (25.0, 16.0), 20.0, 40.0
#: Half the least width of a large vessel; the aorta lies so near to the spine and is so wide at most (radius).
VESSEL_MM, BESIDE_SPINE_MM, AORTA_MM = 5.0, 15.0, 14.0


@dataclass(frozen=True)
class Blood:
    """On nodes `steps` voxels (k, j, i) apart, over the whole case.

    Attributes
    ----------
    steps : tuple of int
    soft : numpy.ndarray
        float32: 1 in the trunk's cavities without the spine, 0 elsewhere: what is bright there is blood.
    arterial : numpy.ndarray
        float32: 1 nearer to the aorta than to other large vessels, 0 elsewhere.
    artery_hu, vein_hu : float or None
        Median HU in the aorta and in the other large vessels; None where there is too little of them to be seen.
    """

    steps: tuple[int, ...]
    soft: np.ndarray
    arterial: np.ndarray
    artery_hu: float | None
    vein_hu: float | None


def find_blood(scene: Scene) -> Blood:
    """What holds contrast."""
    return scene._once("blood", lambda: _find_blood(scene))


def _find_blood(scene: Scene) -> Blood:
    case = scene.case
    steps = coarse_steps(case.grid.spacing, NODE_MM)
    node_mm = np.array([mm * step for mm, step in zip(reversed(case.grid.spacing), steps)])
    hu, organs = thin_out(case.hu, steps), thin_out(case.labels > 0, steps) > 0.1
    outside = wall(scene, case.grid.whole, steps) > 0.5
    x, y, _ = node_points(case.grid, case.grid.whole, steps)
    spine = _find_spine(hu, outside, x - np.float32(scene.middle_x), y, node_mm)
    bone = spine | _touching((hu > BONE_HU - 20) & ~organs & ~spine, outside)
    large = _opened((hu > BLOOD_HU) & ~organs & ~outside & ~bone, VESSEL_MM, node_mm)
    aorta = _find_aorta(large, spine, x - np.float32(scene.middle_x), y, node_mm)
    veins = large & ~ndimage.binary_dilation(aorta, iterations=2)
    arterial = np.zeros(hu.shape, np.float32)
    if aorta.any():
        far = ndimage.distance_transform_edt(~aorta, node_mm)
        others = ndimage.distance_transform_edt(~veins, node_mm) if veins.any() else np.full(hu.shape, np.inf)
        arterial[far < others] = 1
    soft = ndimage.gaussian_filter((~outside & ~bone).astype(np.float32), 0.5)
    return Blood(steps, soft, ndimage.gaussian_filter(arterial, 0.7), _level(hu, aorta, node_mm),
                 _level(hu, veins, node_mm))


def _find_spine(hu: Floats, outside: Mask, x: Floats, y: Floats, node_mm: Vector) -> Mask:
    """Vertebral bodies and arches, as a column along the spinal canal.

    The canal is what bone encloses near the middle; it says where the bodies lie however bright they are, and the aorta
    on them is left out.
    """
    found = np.full(len(hu), np.nan), np.full(len(hu), np.nan)
    middle = np.abs(x[0]) < CANAL_OFF_MM
    for k, plane in enumerate(hu):
        bone = ndimage.binary_closing(plane > BONE_HU, iterations=2)
        hole = ndimage.binary_fill_holes(bone) & (plane < CANAL_HU) & (plane > 0) & middle & ~outside[k]
        if np.count_nonzero(hole) * node_mm[1] * node_mm[2] > CANAL_MM2:
            found[0][k], found[1][k] = np.median(x[0][hole]), np.median(y[k][hole])
    known = np.flatnonzero(np.isfinite(found[0]))
    if not len(known):
        return (np.abs(x) < OFF_MIDDLE_MM) & (y > np.median(y[~outside])) if (~outside).any() else outside
    smooth = [np.interp(np.arange(len(hu)), known, ndimage.median_filter(values[known], 9, mode="nearest"))
              for values in found]
    smooth = [ndimage.gaussian_filter1d(values, 12 / node_mm[0], mode="nearest")[:, None, None] for values in smooth]
    across, ahead = x - smooth[0], smooth[1] - y
    bodies = (across / BODY_HALF_MM[0]) ** 2 + ((ahead - BODY_AHEAD_MM) / BODY_HALF_MM[1]) ** 2 < 1
    return bodies | ((ahead < 10) & (np.abs(across) < OFF_MIDDLE_MM))


def _find_aorta(large: Mask, spine: Mask, x: Floats, y: Floats, node_mm: Vector) -> Mask:
    """The large vessel on the spine and to the left: a round one in every slice."""
    if not spine.any():
        return spine
    beside = large & (ndimage.distance_transform_edt(~spine, node_mm) < BESIDE_SPINE_MM) & (x > -6) & (x < 40)
    known = np.flatnonzero(beside.any(axis=(1, 2)))
    if not len(known):
        return beside
    across, along = np.broadcast_to(x, large.shape), np.broadcast_to(y, large.shape)
    medians = [[np.median(values[k][beside[k]]) for k in known] for values in (across, along)]
    middles = [np.interp(np.arange(len(large)), known, ndimage.median_filter(line, 7, mode="nearest"))[:, None, None]
               for line in medians]
    return large & ((x - middles[0]) ** 2 + (y - middles[1]) ** 2 < AORTA_MM**2)


def _touching(mask: Mask, other: Mask) -> Mask:
    """The connected parts of a mask that meet another one."""
    parts, count = ndimage.label(mask)
    met = np.zeros(count + 1, bool)
    met[parts[mask & other]] = True
    return met[parts] & mask


def _opened(mask: Mask, radius_mm: float, node_mm: Vector) -> Mask:
    """What of a mask balls of this radius reach."""
    deep = ndimage.distance_transform_edt(mask, node_mm) >= radius_mm
    if not deep.any():
        return deep
    return mask & (ndimage.distance_transform_edt(~deep, node_mm) <= radius_mm + max(node_mm) / 2)


def _level(hu: Floats, mask: Mask, node_mm: Vector) -> float | None:
    inner = mask & (ndimage.distance_transform_edt(mask, node_mm) > 1.2 * max(node_mm))
    return float(np.median(hu[inner])) if np.count_nonzero(inner) > 20 else None
