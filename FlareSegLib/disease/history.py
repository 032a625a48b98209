"""Undo and redo of image and labels together, in place, in bounded memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from .block import Change
from .case import Box, Case, Mask, extent

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
    title : str
        What a menu calls it ("Undo renal cyst").
    box : tuple of slice
        k, j, i: the smallest one that holds every voxel that changed.
    hu : Sparse
        int16 after - before, modulo 2^16: mostly zeros, and the way back as well as the way forth.
    labels : Sparse
        uint8 after XOR before.
    """

    title: str
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
    forgotten : int
        Steps that can no longer be undone because memory ran out.

    Examples
    --------
    >>> from .case import Grid
    >>> air = np.zeros((2, 3, 4), np.int16)
    >>> history = History(Case(air, air.astype(np.uint8), Grid(air.shape, (1, 1, 1), (0, 0, 0), tuple(np.eye(3).flat))))
    >>> box = (slice(0, 1), slice(0, 1), slice(0, 2))
    >>> history.do(Change(box, np.full((1, 1, 2), 40, np.int16), np.ones((1, 1, 2), np.uint8)), "cyst")
    >>> int(history.case.hu.sum()), history.undo(), int(history.case.hu.sum()), history.redo()
    (80, 'cyst', 0, 'cyst')
    """

    def __init__(self, case: Case, limit_bytes: int = LIMIT_BYTES) -> None:
        self.case = case.with_arrays(case.hu.copy(), case.labels.copy())
        self.forgotten = 0
        self._limit = limit_bytes
        self._done: deque[Delta] = deque()
        self._undone: list[Delta] = []

    @property
    def undo_title(self) -> str | None:
        """What `undo` would take back; None where there is nothing."""
        return self._done[-1].title if self._done else None

    @property
    def redo_title(self) -> str | None:
        """What `redo` would do again; None where there is nothing."""
        return self._undone[-1].title if self._undone else None

    @property
    def steps(self) -> int:
        """How many steps can be undone."""
        return len(self._done)

    @property
    def memory_bytes(self) -> int:
        """What the steps take, without the working copy."""
        return sum(delta.bytes for delta in (*self._done, *self._undone))

    def do(self, change: Change, title: str = "") -> None:
        """Make a change to the working copy; what had been undone cannot be redone any more."""
        delta = _delta_of(self.case, change, title)
        self.case.hu[change.box], self.case.labels[change.box] = change.hu, change.labels
        self._undone.clear()
        self._keep(delta)

    def take_back(self) -> Delta:
        """Take the last change back and hand it over: `do_again` makes it anew where the case is as it was before it.

        Raises
        ------
        IndexError
            Where there is none (`undo_title` is None).
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
            self.forgotten += 1

    def undo(self) -> str:
        """Take the last change back and return its title.

        Raises
        ------
        IndexError
            Where there is none (`undo_title` is None).
        """
        self._undone.append(self.take_back())
        return self._undone[-1].title

    def redo(self) -> str:
        """Do the change that was undone last again and return its title.

        Raises
        ------
        IndexError
            Where there is none (`redo_title` is None).
        """
        delta = self._undone.pop()
        self.do_again(delta)
        return delta.title


def _delta_of(case: Case, change: Change, title: str) -> Delta:
    hu = change.hu - case.hu[change.box]
    labels = change.labels ^ case.labels[change.box]
    inner = extent((hu != 0) | (labels != 0)) or (slice(0, 0),) * 3
    box = tuple(slice(outer.start + part.start, outer.start + part.stop) for outer, part in zip(change.box, inner))
    return Delta(title, box, _sparse(hu[inner]), _sparse(labels[inner]))


def _sparse(array: np.ndarray) -> Sparse:
    mask = array != 0
    return Sparse(array.shape, np.packbits(mask), array[mask])
