"""Undo and redo of image and labels together, in place, in bounded memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from ..arrays import Mask
from .block import Change
from .case import Box, Case, extent

#: All steps together take no more than this by default; a 30 mm lesion takes about one MB.
LIMIT_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class Sparse:
    """An array that is mostly zeros; made and read in a tenth of the time that compressing takes, in twice the memory.

    Attributes
    ----------
    shape : tuple of int
    where : numpy.ndarray
        uint8, a bit for each voxel: whether it is another number than 0.
    values : numpy.ndarray
        Those numbers, in order.
    """

    shape: tuple[int, ...]
    where: np.ndarray
    values: np.ndarray

    @property
    def bytes(self) -> int:
        """Memory taken."""
        return self.where.nbytes + self.values.nbytes

    @property
    def mask(self) -> Mask:
        """bool: where the numbers belong."""
        return np.unpackbits(self.where, count=int(np.prod(self.shape))).view(bool).reshape(self.shape)


@dataclass(frozen=True)
class Delta:
    """How a box of a case differs before and after an edit.

    Attributes
    ----------
    box : tuple of slice
        k, j, i: the smallest one that holds every voxel that changed.
    hu : Sparse
        int16 after - before, modulo 2^16: mostly zeros, and the way back as well as the way forth.
    labels : Sparse
        uint8 after XOR before.
    """

    box: Box
    hu: Sparse
    labels: Sparse

    @property
    def bytes(self) -> int:
        """Memory taken."""
        return self.hu.bytes + self.labels.bytes


class History:
    """The edits of one case, of which the last ones can be taken back and done again.

    Parameters
    ----------
    case : Case
        Its arrays are copied once; `case` is that working copy, edited in place from then on.
    limit_bytes : int
        Where the steps together would take more, the oldest are forgotten.

    Attributes
    ----------
    case : Case
        As it is now. Hand copies of its arrays to whatever outlives the next step.

    Examples
    --------
    >>> from .case import Grid
    >>> air = np.zeros((2, 3, 4), np.int16)
    >>> history = History(Case(air, air.astype(np.uint8), Grid(air.shape, (1, 1, 1), (0, 0, 0), tuple(np.eye(3).flat))))
    >>> box = (slice(0, 1), slice(0, 1), slice(0, 2))
    >>> history.do(Change(box, np.full((1, 1, 2), 40, np.int16), np.ones((1, 1, 2), np.uint8)))
    >>> before = int(history.case.hu.sum())
    >>> cyst = history.take_back()
    >>> before, int(history.case.hu.sum())
    (80, 0)
    >>> history.do_again(cyst)
    >>> int(history.case.hu.sum())
    80
    """

    def __init__(self, case: Case, limit_bytes: int = LIMIT_BYTES) -> None:
        self.case = case.with_arrays(case.hu.copy(), case.labels.copy())
        self._limit = limit_bytes
        self._done: deque[Delta] = deque()

    @property
    def steps(self) -> int:
        """How many steps can be undone."""
        return len(self._done)

    @property
    def memory_bytes(self) -> int:
        """What the steps take, without the working copy."""
        return sum(delta.bytes for delta in self._done)

    def do(self, change: Change) -> None:
        """Make a change to the working copy."""
        delta = _delta_of(self.case, change)
        self.case.hu[change.box], self.case.labels[change.box] = change.hu, change.labels
        self._keep(delta)

    def take_back(self) -> Delta:
        """Take the last change back and hand it over: `do_again` makes it anew where the case is as it was before it.

        Raises
        ------
        IndexError
            Where there is none (`steps` is 0).
        """
        delta = self._done.pop()
        self.case.hu[delta.box][delta.hu.mask] -= delta.hu.values
        self.case.labels[delta.box][delta.labels.mask] ^= delta.labels.values
        return delta

    def do_again(self, delta: Delta) -> None:
        """Make a change that was taken back; the case must be as it was before it was made first."""
        self.case.hu[delta.box][delta.hu.mask] += delta.hu.values
        self.case.labels[delta.box][delta.labels.mask] ^= delta.labels.values
        self._keep(delta)

    def labels_before(self, steps: int) -> np.ndarray:
        """A copy of the labels as they were so many steps ago, or as many of them as can be undone."""
        labels = self.case.labels.copy()
        for delta in list(self._done)[max(0, len(self._done) - steps):]:
            labels[delta.box][delta.labels.mask] ^= delta.labels.values
        return labels

    def _keep(self, delta: Delta) -> None:
        self._done.append(delta)
        while self._done and self.memory_bytes > self._limit:
            self._done.popleft()


def _delta_of(case: Case, change: Change) -> Delta:
    hu = change.hu - case.hu[change.box]
    labels = change.labels ^ case.labels[change.box]
    inner = extent((hu != 0) | (labels != 0)) or (slice(0, 0),) * 3
    box = tuple(slice(outer.start + part.start, outer.start + part.stop) for outer, part in zip(change.box, inner))
    return Delta(box, _sparse(hu[inner]), _sparse(labels[inner]))


def _sparse(array: np.ndarray) -> Sparse:
    mask = array != 0
    return Sparse(array.shape, np.packbits(mask), array[mask])
