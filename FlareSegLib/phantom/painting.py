"""Painting structures onto a block of voxels, one over the other, with soft edges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..shapes import Points, Shape

#: HU of a structure: one value, or a function of the points and the signed distance there.
Look = float | Callable[[Points, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Structure:
    """A shape, its HU and what it does to the label map.

    Attributes
    ----------
    shape : Shape
    look : float or callable
        HU; a callable gets (points, signed distance).
    label : int or None
        Label value of its voxels; 0 takes them away from what was painted before, None leaves the label map alone
        (a vessel inside an organ).
    """

    shape: Shape
    look: Look
    label: int | None = 0


def paint(structures: list[Structure], points: Points, hu: np.ndarray, labels: np.ndarray, edge: float) -> None:
    """Paint structures in order onto `hu` (float32) and `labels` (uint8), both (k, j, i) like the points.

    The edge of each is blended over `edge` mm, as voxels that it only partly fills would show; a voxel is labelled
    where its centre lies inside.
    """
    for structure in structures:
        box = points.box(structure.shape.lower, structure.shape.upper)
        if box is None:
            continue
        inside = points[box]
        distance = structure.shape.distance(inside)
        cover = np.clip(np.float32(0.5) - distance / np.float32(edge), 0, 1)
        look = structure.look(inside, distance) if callable(structure.look) else np.float32(structure.look)
        part = hu[box]
        part += cover * (look - part)
        if structure.label is not None:
            labels[box][distance < 0] = structure.label
