"""A real CT, with its labels, in another patient's shape: real texture meets new anatomy."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...arrays import Floats, Labels
from ...disease.case import LABEL_OF, LOWEST_HU, UNKNOWN, Case, Grid
from .anatomies import Placement
from .hosts import Host
from .registration import index_at, points_of, sampled

#: The FLARE21 winner's: each organ with this chance, by up to so many HU.
ORGAN_PROBABILITY, ORGAN_SHIFT_HU = 0.5, 200.0


def transfer(host: Host, placement: Placement, grid: Grid, count: int = 1) -> Case:
    """Move a host's CT and its labels onto a new patient.

    Parameters
    ----------
    grid : Grid
        Axis-aligned, in the new patient's millimetres.
    count : int
        The mean of so many slices becomes one.

    Returns
    -------
    Case
        int16 HU; labels of the host's own, moved along; 255 where the host's scan had ended along z.
    """
    ct = host.ct
    assert ct is not None and host.labels is not None, "only hosts with a CT are transferred"
    at = index_at(Grid(ct.array.shape, ct.spacing, ct.origin, ct.direction), placement.to_host(points_of(grid)))
    hu = sampled(ct.array, at)
    labels = _moved(host.labels, at)
    beyond = [(part < -0.5) | (part > n - 0.5) for part, n in zip(at, ct.array.shape)]
    labels[beyond[0]] = UNKNOWN
    outside = beyond[1] | beyond[2]
    hu[outside], labels[outside] = LOWEST_HU, 0
    slices = len(hu) // count
    hu = hu[:slices * count].reshape(slices, count, *hu.shape[1:]).mean(axis=1)
    labels = np.ascontiguousarray(labels[count // 2:slices * count:count])
    spacing = (*grid.spacing[:2], grid.spacing[2] * count)
    return Case(np.rint(hu).astype(np.int16), labels, Grid(hu.shape, spacing, (0.0, 0.0, 0.0), grid.direction))


def _moved(labels: Labels, at: Floats) -> Labels:
    """Labels at indices (3, ...): of each voxel the one that covers most of it."""
    found, best = np.zeros(at.shape[1:], np.uint8), np.full(at.shape[1:], 0.5, np.float32)
    for value in np.unique(labels[labels > 0]):
        cover = sampled(labels == value, at)
        larger = cover >= best
        found[larger], best[larger] = value, cover[larger]
    return found


def shift_organs(case: Case, rng: np.random.Generator, probability: float = ORGAN_PROBABILITY,
                 most_hu: float = ORGAN_SHIFT_HU) -> Case:
    """Make each organ brighter or darker by its own amount, with a soft edge; labels stay."""
    hu = case.hu.astype(np.float32)
    for label in LABEL_OF.values():
        if rng.random() < probability:
            mask = (case.labels == label).astype(np.float32)
            hu += ndimage.gaussian_filter(mask, (0, 0.7, 0.7)) * np.float32(rng.uniform(-most_hu, most_hu))
    return case.with_arrays(np.clip(np.rint(hu), LOWEST_HU, None).astype(np.int16), case.labels)
