"""Random shapes: bending, organs of other sizes and places, a patient who lies askew; one smooth map for everything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...arrays import Doubles, Floats, Mask
from ...disease.case import Grid
from ...disease.warping import determinant
from ...shapes import rotation
from .registration import Points, affine, index_at, points_of, sampled
from .tissues import LANDMARKS, Tissues

NODE_MM = 8.0
LOWEST_DETERMINANT = 0.3


@dataclass(frozen=True)
class ShapeSettings:
    """Ranges and probabilities; millimetres, degrees."""

    turn_degrees: float = 6.0
    scale: tuple[float, float] = (0.86, 1.14)
    stretch: float = 0.07
    elastic_mm: tuple[float, float] = (1.0, 4.0)
    elastic_bump_mm: tuple[float, float] = (35.0, 70.0)
    organ_probability: float = 0.5
    organ_volume: tuple[float, float] = (0.6, 1.7)
    organ_shift_mm: float = 10.0


@dataclass(frozen=True)
class ShapeMap:
    """Where a point of the new patient lies in the old one: ``matrix @ (x + u(x) - middle) + middle``.

    Attributes
    ----------
    matrix : numpy.ndarray
        (3, 3), for x, y, z.
    middle : numpy.ndarray
        (3,), LPS mm, of the old patient.
    displacement : numpy.ndarray
        float32 (3, nodes along k, j, i): along z, y, x, mm.
    nodes : Grid
    """

    matrix: Doubles
    middle: Doubles
    displacement: Floats
    nodes: Grid

    def apply(self, points: Points) -> Points:
        """Map x, y, z (arrays of one shape, LPS mm), float32."""
        at = index_at(self.nodes, points)
        x, y, z = (p + u for p, u in zip(points, sampled(self.displacement, at)[::-1]))
        return affine(self.matrix, self.middle - self.matrix @ self.middle, (x, y, z))


def random_shape(tissues: Tissues, grid: Grid, rng: np.random.Generator,
                 settings: ShapeSettings = ShapeSettings()) -> ShapeMap:
    """Draw a map for an anatomy.

    Parameters
    ----------
    tissues : numpy.ndarray
        uint8 `Tissue`, (k, j, i): where the organs are.
    grid : Grid
        Axis-aligned.

    Returns
    -------
    ShapeMap
        Its determinant is above `LOWEST_DETERMINANT` everywhere: nothing folds, and sides stay sides.
    """
    turn = rotation(*rng.uniform(-1, 1, 3) * settings.turn_degrees)
    scale = rng.uniform(*settings.scale) * (1 + rng.uniform(-1, 1, 3) * settings.stretch)
    matrix = turn @ np.diag(1 / scale)
    middle = np.array(grid.point_of((np.array(grid.shape) - 1) / 2))
    # The map's nodes lie in the new patient; a border of the old one's is wide enough, beyond it displacements go on.
    nodes = _nodes(grid)
    x = points_of(nodes)
    u = _elastic(nodes, rng, settings)
    for organ in LANDMARKS:
        if rng.random() < settings.organ_probability and (tissues == organ).any():
            u += _organ(tissues == organ, grid, x, matrix, middle, rng, settings)
    return ShapeMap(matrix, middle, _unfolded(u, nodes.spacing[::-1]), nodes)


def _nodes(grid: Grid) -> Grid:
    shape = tuple(int(np.ceil(n * mm / NODE_MM)) + 9 for n, mm in zip(grid.shape, reversed(grid.spacing)))
    origin = tuple(o - 4 * NODE_MM for o in grid.origin)
    return Grid(shape, (NODE_MM,) * 3, origin, grid.direction)


def _elastic(nodes: Grid, rng: np.random.Generator, settings: ShapeSettings) -> Floats:
    bump, height = rng.uniform(*settings.elastic_bump_mm), rng.uniform(*settings.elastic_mm)
    fields = [ndimage.gaussian_filter(rng.standard_normal(nodes.shape, dtype=np.float32), bump / 2 / NODE_MM,
                                      mode="wrap")
              for _ in range(3)]
    return np.stack([field * np.float32(height / max(float(field.std()), 1e-6)) for field in fields])


def _organ(mask: Mask, grid: Grid, x: Points, matrix: Doubles, middle: Doubles, rng: np.random.Generator,
           settings: ShapeSettings) -> Floats:
    """Swelling or shrinking about an organ's centre, and a shift, dying away around it."""
    old = grid.point_of(np.array(ndimage.center_of_mass(mask)))
    centre = np.linalg.solve(matrix, old - middle) + middle
    radius = (3 * mask.sum() * np.prod(grid.spacing) / (4 * np.pi)) ** (1 / 3)
    factor = np.exp(rng.uniform(*np.log(settings.organ_volume))) ** (1 / 3)
    shift = rng.uniform(-1, 1, 3) * settings.organ_shift_mm
    offsets = [p - np.float32(c) for p, c in zip(x, centre)]
    near = np.exp(-0.5 * sum(o * o for o in offsets) / np.float32(1.6 * radius) ** 2)
    return np.stack([near * (o * np.float32(1 / factor - 1) - np.float32(s))
                     for o, s in zip(offsets[::-1], shift[::-1])])


def _unfolded(u: Floats, node_mm: tuple[float, ...]) -> Floats:
    while float(determinant(u, node_mm).min()) < LOWEST_DETERMINANT:
        u = u * np.float32(0.8)
    return u


