"""What a network sees of a CT's isotropic slices: a slice with its neighbours, or, in three dimensions, a window.

Windows overlap by half and always hold whole slices: nothing is cut in plane, no logits are blended. A slice takes its
labels from the window in whose middle it lies most, so that it has at least a quarter of a window as context on either
side, but for the first and last slices of the CT.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..preprocessing.inplane import AIR_HU


@dataclass(frozen=True)
class WindowPlan:
    """The windows over a CT.

    Attributes
    ----------
    slices : int
        Isotropic slices of the CT.
    window : int
        Slices of a window.
    starts : tuple of int
        First slice of each; below zero where the CT is shorter than a window: it is centred in air.
    """

    slices: int
    window: int
    starts: tuple[int, ...]

    def place(self, index: int) -> tuple[int, int]:
        """The window that a slice takes its labels from, and the slice's place in it."""
        ideal = index - (self.window - 1) / 2
        after = bisect_left(self.starts, ideal)
        number = min(range(max(0, after - 1), min(after + 1, len(self.starts))),
                     key=lambda each: abs(self.starts[each] - ideal))
        return number, index - self.starts[number]

    def readers(self, reads: Sequence[int]) -> list[list[tuple[int, int]]]:
        """Return for each window the stored slices that take their labels from it, each with its place in it.

        Parameters
        ----------
        reads : sequence of int
            For each stored slice the isotropic slice whose labels it takes.

        Examples
        --------
        >>> plan_windows(6, 4).readers([0, 2, 5])
        [[(0, 0), (1, 2)], [(2, 3)]]
        """
        readers: list[list[tuple[int, int]]] = [[] for _ in self.starts]
        for stored, index in enumerate(reads):
            number, place = self.place(index)
            readers[number].append((stored, place))
        return readers

    def read(self, read_slice: Callable[[int], np.ndarray], number: int) -> np.ndarray:
        """Return a window (slices, rows, columns), float32 HU; beyond the CT there is air."""
        first = self.starts[number]
        inside = {index: read_slice(index) for index in range(max(first, 0), min(first + self.window, self.slices))}
        air = np.full_like(next(iter(inside.values())), AIR_HU)
        return np.stack([inside.get(index, air) for index in range(first, first + self.window)])


def plan_windows(slices: int, window: int) -> WindowPlan:
    """Plan the windows over a number of slices.

    Examples
    --------
    >>> plan_windows(20, 8).starts, plan_windows(5, 8).starts
    ((0, 4, 8, 12), (-1,))
    """
    if slices <= window:
        return WindowPlan(slices, window, (-((window - slices) // 2),))
    starts = {min(start, slices - window) for start in range(0, slices, max(1, window // 2))}
    return WindowPlan(slices, window, tuple(sorted(starts)))


def with_neighbours(read_slice: Callable[[int], np.ndarray], index: int, slices: int,
                    offsets: Sequence[int]) -> np.ndarray:
    """Return a slice and its neighbours (slices, rows, columns), float32 HU.

    Parameters
    ----------
    read_slice : callable
        From an isotropic slice's index to its HU (rows, columns).
    index, slices : int
        Of the slice that is labelled, and how many there are. Beyond the first and last one, these are repeated.
    offsets : sequence of int
        Where the slices lie, from the labelled one (`networks.spec.UNet2DSpec.offsets`).
    """
    inside = [min(max(index + offset, 0), slices - 1) for offset in offsets]
    read = {place: read_slice(place) for place in set(inside)}
    return np.stack([read[place] for place in inside])
