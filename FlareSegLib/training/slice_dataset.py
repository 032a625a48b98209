"""Training slices drawn from a store, by step and place in the batch alone: any process can make any of them."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import Dataset

from ..preprocessing.inplane import AIR_HU
from ..preprocessing.normalisation import Normalisation
from .paper_augmentation import augment_slice, transforms
from .protocol import TrainingProtocol
from .slice_store import StoredCase


class SliceDataset(Dataset):
    """Slice number ``step * batch + place`` of a training, normalised and augmented.

    A number fixes everything that is drawn (case, slice, crop, augmentation), so that a resumed training sees the
    slices that an uninterrupted one would, and several processes those that one would.

    Parameters
    ----------
    cases : tuple of StoredCase
        Drawn with equal chance, as nnU-Net does, however many slices they have.
    normalisation : Normalisation
        Applied before augmentation, as nnU-Net does.
    """

    def __init__(self, cases: tuple[StoredCase, ...], normalisation: Normalisation, protocol: TrainingProtocol):
        self._cases, self._normalisation, self._protocol = cases, normalisation, protocol
        self._transforms = transforms(protocol.grid)

    def __len__(self) -> int:
        return self._protocol.steps * self._protocol.batch

    def __getitem__(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return image float32 (1, rows, columns) and labels int64 (rows, columns)."""
        rng = np.random.default_rng((self._protocol.seed, number))
        case = self._cases[rng.integers(len(self._cases))]
        hu, labels, centre = self._draw(case, number % self._protocol.batch, rng)
        hu, labels = fit(hu, labels, self._protocol.grid, centre, rng)
        image = torch.from_numpy(self._normalisation.apply(hu))[None]
        target = torch.from_numpy(labels.astype(np.int16))[None]
        image, target = augment_slice(image, target, self._transforms, int(rng.integers(2**32)))
        return image, target[0].long()

    def _draw(self, case: StoredCase, place: int, rng):
        """A slice, and for a forced one a pixel of the organ it was drawn for."""
        organs = sorted(label for label in case.record.slices_with if label > 0)
        if not self._protocol.is_forced(place) or not organs:
            return *case.slice(int(rng.integers(case.record.slices))), None
        organ = organs[rng.integers(len(organs))]
        slices = case.record.slices_with[organ]
        hu, labels = case.slice(int(slices[rng.integers(len(slices))]))
        pixels = np.argwhere(labels == organ)
        return hu, labels, tuple(pixels[rng.integers(len(pixels))])


def fit(hu: np.ndarray, labels: np.ndarray, grid: tuple[int, int], centre: tuple[int, int] | None,
        rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Bring a slice to the grid: too small a side is centred in air, as at inference; a larger one is cropped.

    A crop lies at random, or around `centre` as far as the slice goes.
    """
    for axis in (0, 1):
        spare = grid[axis] - hu.shape[axis]
        if spare >= 0:
            width = [(0, 0), (0, 0)]
            width[axis] = (spare // 2, spare - spare // 2)
            hu, labels = np.pad(hu, width, constant_values=AIR_HU), np.pad(labels, width)
        else:
            first = int(rng.integers(-spare + 1)) if centre is None else centre[axis] - grid[axis] // 2
            part = [slice(None), slice(None)]
            part[axis] = slice(max(0, min(first, -spare)), max(0, min(first, -spare)) + grid[axis])
            hu, labels = hu[tuple(part)], labels[tuple(part)]
    return hu, labels
