"""Z-isotropification, lazily: only the isotropic slices that labels are read back from are ever made.

Witanto et al. (section 2.1) interpolate each CT along z to its in-plane spacing, segment every isotropic slice
and bring the labels back to the stored slices. Going back by nearest neighbour reads at most one isotropic
slice a stored slice, so the others need neither be interpolated nor run; the labels are the same, bit for bit.

Positions along z follow the convention of image resizing (pixel areas match, as in torch's
``align_corners=False`` and nnU-Net's resampling): n stored slices of thickness dz and m isotropic ones share
the extent n * dz.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ZPlan:
    """How stored slices and isotropic slices relate.

    Attributes
    ----------
    stored, isotropic : int
        Number of slices before and after isotropification.
    reads : tuple of int
        ``reads[k]`` is the isotropic slice that gives the labels of stored slice k.
    """

    stored: int
    isotropic: int
    reads: tuple[int, ...]


def plan_z(slices: int, spacing: float, target_spacing: float) -> ZPlan:
    """Plan the isotropification of `slices` slices.

    Parameters
    ----------
    slices : int
        Stored axial slices.
    spacing, target_spacing : float
        Slice spacing of the CT and the in-plane spacing that the model works at, mm.

    Examples
    --------
    >>> plan = plan_z(93, 2.5, 0.864)
    >>> plan.isotropic, len(set(plan.reads))
    (269, 93)
    """
    isotropic = max(1, round(slices * spacing / target_spacing))
    centres = (np.arange(slices) + 0.5) * isotropic / slices
    reads = np.minimum(np.floor(centres).astype(int), isotropic - 1)
    return ZPlan(slices, isotropic, tuple(reads.tolist()))


def slice_weights(plan: ZPlan, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the stored slices that make up isotropic slice `index`, and their weights (sum one).

    Linear interpolation between the two neighbours. Where the isotropic slices are further apart than the
    stored ones, the triangle widens to that distance, so that no slice is skipped and noise averages out.
    """
    step = plan.stored / plan.isotropic
    position = (index + 0.5) * step - 0.5
    reach = max(1.0, step)
    candidates = np.arange(int(np.ceil(position - reach)), int(np.floor(position + reach)) + 1)
    weights = np.maximum(0.0, 1.0 - np.abs(candidates - position) / reach)
    inside = np.clip(candidates, 0, plan.stored - 1)
    indices = np.unique(inside)
    total = np.array([weights[inside == i].sum() for i in indices])
    kept = total > 0
    return indices[kept], (total[kept] / total.sum()).astype(np.float32)


def isotropic_slice(array: np.ndarray, plan: ZPlan, index: int) -> np.ndarray:
    """Return one isotropic slice (rows, columns) of an axial array (slices, rows, columns), float32 HU."""
    indices, weights = slice_weights(plan, index)
    blend = array[indices[0]].astype(np.float32) * weights[0]
    for i, weight in zip(indices[1:], weights[1:]):
        blend += array[i] * weight
    return blend
