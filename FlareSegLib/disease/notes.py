"""What an editor keeps of a change: its figures, and the lesion's extent for an outline; the change is too large."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from ..arrays import Floats
from .block import Axis, Change
from .case import LABEL_OF, Box, extent
from .operation import Operation
from .quality import contrast
from .scene import Scene


@dataclass(frozen=True)
class Note:
    """What is known of an operation that was done.

    Attributes
    ----------
    lesion_ml : float or None
        Partial voxels counted in part; None where nothing is painted.
    requested_hu, achieved_hu : float or None
        Contrast to the organ's median before; None where that has no meaning.
    gained_ml : dict
        Organ to what its volume grew by, millilitres; only organs that changed.
    box : tuple of slice or None
        k, j, i of the lesion with a margin of one voxel, as far as its box went.
    packed : bytes
        The lesion's cover in that box, 0 to 255, compressed.
    axis : tuple or None
        Of a lesion that runs a way: the point that it is turned about, and its tip; LPS, mm.
    """

    lesion_ml: float | None
    requested_hu: float | None
    achieved_hu: float | None
    gained_ml: dict[str, float]
    box: Box | None
    packed: bytes
    axis: Axis | None = None

    def cover(self) -> Floats:
        """The lesion's cover in `box`, float32, 0 to 1."""
        assert self.box is not None, "of a note that has one"
        shape = tuple(part.stop - part.start for part in self.box)
        return np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(shape).astype(np.float32) / np.float32(255)

    @property
    def bytes(self) -> int:
        """Memory taken, about."""
        return len(self.packed)


def note_of(scene: Scene, operation: Operation, change: Change) -> Note:
    """Measure a change; cheap enough for every move of a handle (`Session`'s ``describe``).

    Parameters
    ----------
    scene : Scene
        Before the operation.
    """
    found = contrast(scene, operation, change)
    before = scene.case.labels[change.box]
    changed = change.labels != before
    counts = [np.bincount(labels[changed], minlength=256).astype(int) for labels in (change.labels, before)]
    gained = {name: float(counts[0][label] - counts[1][label]) * scene.case.grid.voxel_ml
              for name, label in LABEL_OF.items() if counts[0][label] != counts[1][label]}
    lesion = None if change.cover is None else float(change.cover.sum(dtype=float)) * scene.case.grid.voxel_ml
    box, packed = _packed(change)
    return Note(lesion, None if found is None else found.requested, None if found is None else found.achieved, gained,
                box, packed, change.axis)


def _packed(change: Change) -> tuple[Box | None, bytes]:
    inner = None if change.cover is None else extent(change.cover > 0)
    if change.cover is None or inner is None:
        return None, b""
    inner = tuple(slice(max(0, part.start - 1), min(n, part.stop + 1)) for part, n in zip(inner, change.cover.shape))
    box = tuple(slice(outer.start + part.start, outer.start + part.stop) for outer, part in zip(change.box, inner))
    return box, zlib.compress(np.rint(change.cover[inner] * 255).astype(np.uint8).tobytes(), 1)
