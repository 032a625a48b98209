"""Training slices drawn from a store, by step and place in the batch alone: any process can make any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.utils.data import Dataset

from ..arrays import Floats, Labels
from ..preprocessing.inplane import AIR_HU
from ..preprocessing.normalisation import Normalisation
from .paper_augmentation import augment_slice, transforms
from .protocol import TrainingProtocol
from .slice_store import StoredCase

if TYPE_CHECKING:
    from .simulated_cases import SimulatedCases


class SliceDataset(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Slice number ``step * batch + place`` of a training, normalised and augmented.

    A number fixes everything that is drawn (case, slice, crop, augmentation), so that a resumed training sees the
    slices that an uninterrupted one would, and several processes those that one would.

    Parameters
    ----------
    cases : tuple of StoredCase
        Drawn with equal chance, as nnU-Net does, however many slices they have.
    normalisation : Normalisation
        Applied before augmentation, as nnU-Net does.
    window : int or None
        For 3D networks: windows of so many neighbouring slices instead of slices.
    simulated : SimulatedCases or None
        Where some of the slices come from instead.
    """

    def __init__(self, cases: tuple[StoredCase, ...], normalisation: Normalisation, protocol: TrainingProtocol,
                 window: int | None = None, simulated: SimulatedCases | None = None) -> None:
        self._cases, self._normalisation, self._protocol = cases, normalisation, protocol
        self._window, self._simulated = window, simulated
        self._transforms = transforms(protocol.grid, window=window is not None)

    def __len__(self) -> int:
        return self._protocol.steps * self._protocol.batch

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return image float32 (1, [slices,] rows, columns) and labels int64 ([slices,] rows, columns)."""
        rng = np.random.default_rng((self._protocol.seed, number))
        case = self._simulated.case(number, rng) if self._simulated is not None else None
        case = case or self._cases[rng.integers(len(self._cases))]
        hu, labels, centre = self._draw(case, number % self._protocol.batch, rng)
        hu, labels = fit(hu, labels, self._protocol.grid, centre, rng)
        image = torch.from_numpy(self._normalisation.apply(hu))[None]
        target = torch.from_numpy(labels.astype(np.int16))[None]
        image, target = augment_slice(image, target, self._transforms, int(rng.integers(2**32)))
        return image, target[0].long()

    def _draw(self, case: StoredCase, place: int,
              rng: np.random.Generator) -> tuple[Floats, Labels, tuple[int, int] | None]:
        """A slice or window, and for a forced one a pixel of the organ it was drawn for."""
        organs = sorted(label for label in case.record.slices_with if label > 0)
        if not self._protocol.is_forced(place) or not organs:
            return *self._around(case, int(rng.integers(case.record.slices))), None
        organ = organs[rng.integers(len(organs))]
        slices = case.record.slices_with[organ]
        index = int(slices[rng.integers(len(slices))])
        pixels = np.argwhere(case.slice(index)[1] == organ)
        return *self._around(case, index), tuple(pixels[rng.integers(len(pixels))])

    def _around(self, case: StoredCase, index: int) -> tuple[Floats, Labels]:
        """The slice, or the window around it as far as the case goes; a case shorter than that is centred in air."""
        if self._window is None:
            return case.slice(index)
        spare = self._window - case.record.slices
        first = -(spare // 2) if spare >= 0 else min(max(0, index - self._window // 2), -spare)
        inside = range(max(0, first), min(first + self._window, case.record.slices))
        hu, labels = map(np.stack, zip(*map(case.slice, inside)))
        around = ((inside.start - first, first + self._window - inside.stop), (0, 0), (0, 0))
        return np.pad(hu, around, constant_values=AIR_HU), np.pad(labels, around)


def fit(hu: Floats, labels: Labels, grid: tuple[int, int], centre: tuple[int, int] | None,
        rng: np.random.Generator) -> tuple[Floats, Labels]:
    """Bring a slice to the grid: too small a side is centred in air, as at inference; a larger one is cropped.

    A crop lies at random, or around `centre` as far as the slice goes. The slices of a window are treated alike.
    """
    for axis in (0, 1):
        spare = grid[axis] - hu.shape[axis - 2]
        if spare >= 0:
            width = [(0, 0)] * hu.ndim
            width[axis - 2] = (spare // 2, spare - spare // 2)
            hu, labels = np.pad(hu, width, constant_values=AIR_HU), np.pad(labels, width)
        else:
            first = int(rng.integers(-spare + 1)) if centre is None else centre[axis] - grid[axis] // 2
            part = [slice(None)] * hu.ndim
            part[axis - 2] = slice(max(0, min(first, -spare)), max(0, min(first, -spare)) + grid[axis])
            hu, labels = hu[tuple(part)], labels[tuple(part)]
    return hu, labels
