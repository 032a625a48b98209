"""In-plane resampling of axial slices to the model's spacing and grid, and of logits back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

AIR_HU = -1024.0


@dataclass(frozen=True)
class InPlanePlan:
    """How a slice's (rows, columns) become the network's grid and come back.

    Attributes
    ----------
    slice_shape : tuple of int
        Rows and columns of the stored axial slice.
    resampled_shape : tuple of int
        Rows and columns at the working spacing; the whole slice, nothing is cropped.
    grid : tuple of int
        Rows and columns that the network sees: the resampled slice centred in air.
    """

    slice_shape: tuple[int, int]
    resampled_shape: tuple[int, int]
    grid: tuple[int, int]

    @property
    def corner(self) -> tuple[int, int]:
        """Row and column of the grid where the resampled slice begins."""
        row, column = ((whole - part) // 2 for whole, part in zip(self.grid, self.resampled_shape))
        return row, column


def plan_inplane(slice_shape: tuple[int, int], slice_spacing: tuple[float, float],
                 working_spacing: tuple[float, float], model_grid: tuple[int, int], divisor: int) -> InPlanePlan:
    """Plan the way from a slice to the network's grid.

    Parameters
    ----------
    slice_shape : tuple of int
        Rows and columns of the axial slice.
    slice_spacing : tuple of float
        Row and column spacing, mm.
    working_spacing : tuple of float
        Row and column spacing the model works at, mm.
    model_grid : tuple of int
        The grid the model was trained on; a slice that does not fit gets a larger one, so that nothing of
        the body is cut off.
    divisor : int
        The network's input sides must be multiples of this.
    """
    rows, columns = (max(1, round(n * have / want))
                     for n, have, want in zip(slice_shape, slice_spacing, working_spacing))
    height, width = (max(side, -(-n // divisor) * divisor) for side, n in zip(model_grid, (rows, columns)))
    return InPlanePlan((slice_shape[0], slice_shape[1]), (rows, columns), (height, width))


def to_grid(slices: torch.Tensor, plan: InPlanePlan, fill: float = AIR_HU) -> torch.Tensor:
    """Resample slices (n, 1, rows, columns) linearly to the working spacing and centre them on the grid.

    Shrinking averages over the pixels it merges (a wider triangle filter), so that noise does not alias.
    """
    if plan.resampled_shape != plan.slice_shape:
        slices = F.interpolate(slices, plan.resampled_shape, mode="bilinear", antialias=True)
    if plan.resampled_shape == plan.grid:
        return slices
    top, left = plan.corner
    bottom = plan.grid[0] - plan.resampled_shape[0] - top
    right = plan.grid[1] - plan.resampled_shape[1] - left
    return F.pad(slices, (left, right, top, bottom), value=fill)


def labels_to_grid(labels: np.ndarray, plan: InPlanePlan) -> np.ndarray:
    """Resample one slice of labels (rows, columns), as uint8: each pixel takes the label that covers most of it."""
    values = np.unique(labels)
    layers = torch.from_numpy((labels[None] == values[:, None, None]).astype(np.float32))[:, None]
    return values[to_grid(layers, plan, 0.0)[:, 0].max(dim=0).indices.numpy()].astype(np.uint8)


def from_grid(logits: torch.Tensor, plan: InPlanePlan) -> torch.Tensor:
    """Take logits (n, classes, rows, columns) on the grid back to the slice's own pixels, linearly."""
    top, left = plan.corner
    rows, columns = plan.resampled_shape
    logits = logits[..., top:top + rows, left:left + columns]
    if plan.resampled_shape == plan.slice_shape:
        return logits
    return F.interpolate(logits, plan.slice_shape, mode="bilinear", align_corners=False)
