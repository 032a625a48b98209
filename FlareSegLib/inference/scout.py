"""Which slices need not be run: those between two slices that were run and show no organ (`--fast`).

The scouts are slices that the method runs anyway, at full resolution, so that looking first costs nothing.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

#: Scouts are at most so far apart: an organ, or a part of one, that is not as high can be missed.
STEP_MM = 12.0
#: A scout shows an organ where its labels cover at least so much: stray pixels far from the organs are no reason.
LEAST_MM2 = 100.0


def scouts(slices: int, spacing: float) -> tuple[int, ...]:
    """Return the stored slices to look at first, ascending: the first, the last, and one every `STEP_MM`.

    Examples
    --------
    >>> scouts(10, 4.0), scouts(3, 20.0)
    ((0, 3, 6, 9), (0, 1, 2))
    """
    return tuple(sorted({*range(0, slices, max(1, int(STEP_MM / spacing))), slices - 1}))


def shows_organ(labels: np.ndarray, pixel_mm2: float) -> bool:
    """Whether a slice of labels (rows, columns) holds more than stray pixels."""
    return bool(np.count_nonzero(labels) * pixel_mm2 >= LEAST_MM2)


def near_organs(looked_at: tuple[int, ...], with_organ: Collection[int]) -> set[int]:
    """Return the stored slices between two neighbouring scouts of which at least one shows an organ.

    Examples
    --------
    >>> sorted(near_organs((0, 3, 6, 9, 12), {3}))
    [0, 1, 2, 3, 4, 5, 6]
    """
    return {slice_ for below, above in zip(looked_at, looked_at[1:])
            if below in with_organ or above in with_organ for slice_ in range(below, above + 1)}


def skipped_note(skipped: int, slices: int) -> str:
    """Return the sentence for the user."""
    return (f"{skipped} of {slices} slices were not run (--fast): the nearest slices on both sides that were, at most "
            f"{STEP_MM:g} mm apart, show no organ.")
