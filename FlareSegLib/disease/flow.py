"""Tissue that flows: an organ swells or shrinks, what is soft around it gives way, and the map of it never folds.

The flow is that of a fluid through a porous body. With a pressure p, a mobility m, the swelling s and the softness k of
what is around, the velocity v = -m grad p obeys div v = s - k p: tissue that swells pushes its neighbours along, fat
and gas are compressed, flesh hardly, what has no mobility stays. The linear system is solved on coarse nodes, and the
velocity followed in small steps, with tissue carrying its swelling and softness along.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..arrays import Floats
from .case import Box, Vector
from .warping import determinant, sample

#: Soft tissue takes up movement over this distance.
REACH_MM = 25.0
#: In one step nothing moves farther or swells more; so many steps at most; pressure is reckoned anew after so many.
STEP_MM, STEP_SWELLING, MOST_STEPS, STEPS_OF_PRESSURE = 2.5, 0.08, 80, 4
#: The flow ends before a determinant falls so low; below the second one stretch is spread.
LOWEST_DETERMINANT, TIGHT_DETERMINANT = 0.15, 0.35
#: Even what is not soft gives way so much: what is shut in cannot grow.
LEAST_SOFTNESS = 0.005
#: Below this mobility tissue swells less, too: it lies against bone.
STIFF = 0.2
#: Of the linear system's solution, relative.
TOLERANCE, MOST_ITERATIONS = 5e-3, 200


@dataclass(frozen=True)
class Tissue:
    """What flows, on nodes (k, j, i); all arrays float32 of one shape.

    Attributes
    ----------
    node_mm : numpy.ndarray
        (3,): distance of the nodes along k, j, i.
    filled : numpy.ndarray
        0 to 1: the body that swells.
    swelling : numpy.ndarray
        How fast the body swells, in volume; negative: it shrinks.
    mobility : numpy.ndarray
        0 (stays) to 1; fixed in space.
    softness : numpy.ndarray
        0 (keeps its volume) to 1 (fat).
    """

    node_mm: np.ndarray
    filled: np.ndarray
    swelling: np.ndarray
    mobility: np.ndarray
    softness: np.ndarray

    def part(self, box: Box) -> Tissue:
        """The nodes of a box."""
        return Tissue(self.node_mm, *(values[box] for values in (self.filled, self.swelling, self.mobility,
                                                                 self.softness)))


def follow(tissue: Tissue, longest: float = np.inf) -> Iterator[tuple[float, np.ndarray]]:
    """Yield time and inverse map u (x takes what was at x + u; float32, (3, k, j, i), mm) after each step of the flow.

    It ends after a time of `longest` (tissue of swelling s then has exp(s longest) times its volume), before it folds,
    or after `MOST_STEPS`.
    """
    displacement = np.zeros((3, *tissue.filled.shape), np.float32)
    pressure, faces, passed = np.zeros(tissue.filled.size, np.float32), _faces(tissue), 0.0
    for number in range(MOST_STEPS):
        if number % STEPS_OF_PRESSURE == 0:
            filled = moved(tissue.filled, displacement, tissue.node_mm)
            source = tissue.swelling * filled * np.minimum(tissue.mobility / np.float32(STIFF), 1)
            soft = moved(tissue.softness, displacement, tissue.node_mm) * (1 - filled)
            soft = np.maximum(soft, np.float32(LEAST_SOFTNESS)) / np.float32(REACH_MM**2)
            pressure = _solve(faces, soft, source, pressure)
            velocity = _velocity(faces, pressure.reshape(soft.shape), tissue.node_mm)
            fastest = max(float(np.sqrt((velocity**2).sum(axis=0).max())) / STEP_MM,
                          float(np.abs(source).max()) / STEP_SWELLING, 1e-9)
        step = min(1 / fastest, longest - passed)
        onwards = _relaxed(carried(displacement, np.float32(-step) * velocity, tissue.node_mm), tissue)
        if onwards is None:
            return
        displacement, passed = onwards, min(passed + step, longest)
        yield passed, displacement
        if passed >= longest:
            return


def _relaxed(displacement: Floats, tissue: Tissue) -> Floats | None:
    """The same, smoother where tissue is stretched most, so that its stretch spreads; None where it nearly folds."""
    tight = determinant(displacement, tissue.node_mm)
    if tight.min() < TIGHT_DETERMINANT:
        part = (tight < TIGHT_DETERMINANT).astype(np.float32)
        part = ndimage.gaussian_filter(part, 8.0 / tissue.node_mm, mode="nearest")
        part = np.minimum(part * 8, 1) * (tissue.mobility > 0)
        smooth = np.stack([ndimage.gaussian_filter(u, 5.0 / tissue.node_mm, mode="nearest") for u in displacement])
        displacement = displacement + part * (smooth - displacement)
        tight = determinant(displacement, tissue.node_mm)
    return displacement if tight.min() > LOWEST_DETERMINANT else None


def moved(values: Floats, displacement: Floats, node_mm: Vector) -> Floats:
    """What an inverse map (3, k, j, i; mm) makes of values on the same nodes; of several fields (n, k, j, i), too."""
    at = displacement / np.asarray(node_mm, np.float32)[:, None, None, None]
    for along, index in zip(at, np.ogrid[tuple(slice(0, n) for n in values.shape[-3:])]):
        along += index
    return sample(values.reshape(-1, *values.shape[-3:]), at).reshape(values.shape)


def carried(displacement: Floats, more: Floats, node_mm: Vector) -> Floats:
    """First `displacement` happens to the tissue, then `more`; all are inverse maps, mm."""
    return more + moved(displacement, more, node_mm)


def _faces(tissue: Tissue) -> list[np.ndarray]:
    """Mobility between neighbouring nodes along each axis (the harmonic mean), over their distance squared."""
    faces, free = [], tissue.mobility
    for axis, mm in enumerate(tissue.node_mm):
        low, high = free[_low(axis)], free[_high(axis)]
        faces.append(2 * low * high / np.maximum(low + high, np.float32(1e-6)) / mm**2)
    return faces


def _low(axis: int) -> Box:
    return tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))


def _high(axis: int) -> Box:
    return tuple(slice(1, None) if a == axis else slice(None) for a in range(3))


def _solve(faces: list[np.ndarray], soft: Floats, source: Floats, start: Floats) -> Floats:
    """The pressure (flat): what leaves a node through its faces, and what its softness takes up, is its source."""
    from scipy.sparse import diags
    from scipy.sparse.linalg import cg

    diagonal, strides, bands = soft.astype(np.float32), (soft[0].size, soft[0, 0].size, 1), []
    for axis, face in enumerate(faces):
        after = np.zeros(soft.shape, np.float32)
        after[_low(axis)] = -face
        bands.append(after.ravel()[:-strides[axis]])
        diagonal[_low(axis)] += face
        diagonal[_high(axis)] += face
    # Where nothing can flow there is no pressure.
    diagonal = np.where(diagonal > 1e-9, diagonal, np.float32(1)).ravel()
    matrix = diags([diagonal, *bands, *bands], [0, *strides, *(-n for n in strides)], format="csr", dtype=np.float32)
    preconditioner = diags([1 / diagonal], [0], format="csr", dtype=np.float32)
    pressure, _ = cg(matrix, np.where(diagonal == 1, 0, source.ravel()), start, rtol=TOLERANCE,
                     maxiter=MOST_ITERATIONS, M=preconditioner)
    return pressure.astype(np.float32)


def _velocity(faces: list[np.ndarray], pressure: Floats, node_mm: Vector) -> Floats:
    """Mean of the fluxes through the faces on both sides of each node, mm in a unit of time."""
    velocity = np.zeros((3, *pressure.shape), np.float32)
    for axis, (face, mm) in enumerate(zip(faces, node_mm)):
        flux = face * np.float32(mm / 2) * (pressure[_low(axis)] - pressure[_high(axis)])
        velocity[axis][_low(axis)] += flux
        velocity[axis][_high(axis)] += flux
    return velocity
