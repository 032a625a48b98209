"""Drawing training slices: isotropified along z as at inference, with organs in most of them."""

from __future__ import annotations

import numpy as np

from ..arrays import Labels
from .cases import TrainingCase

FOREGROUND_FRACTION = 2 / 3
SLAB_PROBABILITY = 0.15


def draw_slices(cases: list[TrainingCase], labels: tuple[int, ...], rng: np.random.Generator,
                offsets_mm: tuple[float, ...] = (0.0,)) -> tuple[np.ndarray, Labels, TrainingCase]:
    """Draw one slice at a random z between stored slices, and neighbours of it.

    Parameters
    ----------
    offsets_mm : tuple of float
        Where the slices lie, from z upwards; beyond the case's ends its last slice is repeated.

    Returns
    -------
    image : numpy.ndarray
        HU, float32, (slices, rows, columns): each the linear blend of the two stored slices around it, as
        z-isotropification makes it, now and then averaged over a slab as thicker slices are.
    labels : numpy.ndarray
        uint8, same shape, of the nearer stored slice.
    case : TrainingCase
        Where it comes from.
    """
    weights = np.array([case.weight for case in cases])
    case = cases[rng.choice(len(cases), p=weights / weights.sum())]
    z = _draw_position(case, labels, rng)
    slab = rng.random() < SLAB_PROBABILITY
    places = [float(np.clip(z + mm / case.slice_spacing, 0, len(case.image) - 1)) for mm in offsets_mm]
    images, values = zip(*(_slice_at(case, place, slab) for place in places))
    return np.stack(images), np.stack(values), case


def _slice_at(case: TrainingCase, z: float, slab: bool) -> tuple[np.ndarray, Labels]:
    below = int(np.floor(z))
    above = min(below + 1, len(case.image) - 1)
    blend = np.float32(z - below)
    if slab:
        image = case.image[max(below - 1, 0):above + 2].mean(axis=0, dtype=np.float32)
    else:
        image = (1 - blend) * case.image[below].astype(np.float32) + blend * case.image[above]
    return image, case.labels[above if blend > 0.5 else below]


def _draw_position(case: TrainingCase, labels: tuple[int, ...], rng: np.random.Generator) -> float:
    """A position along z in slices; two times out of three within half a slice of a random organ."""
    last = len(case.image) - 1
    if rng.random() < FOREGROUND_FRACTION:
        present = [case.slices_with(label) for label in labels]
        present = [slices for slices in present if len(slices)]
        if present:
            slices = present[rng.integers(len(present))]
            return float(np.clip(slices[rng.integers(len(slices))] + rng.uniform(-0.5, 0.5), 0, last))
    return float(rng.uniform(0, last))
