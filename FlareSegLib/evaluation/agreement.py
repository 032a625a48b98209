"""Agreement of a label map with a reference, by FLARE21's rules.

The rules for empty masks are those of the challenge's evaluation code (JunMa11/FLARE, FLARE21/Evaluation): an organ
that neither label map holds counts as found (1), one that only one of them holds as missed (0). The challenge
scores Dice and the surface distance (`evaluation.surface`); sensitivity and precision are those of the paper's Table
4, here with the same rules.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Mask

#: Value of a reference voxel that is not annotated: it counts neither for nor against.
IGNORE = 255


@dataclass(frozen=True)
class Overlap:
    """How much of one mask lies in another.

    Attributes
    ----------
    found, truth, both : int
        Voxels of the prediction, of the reference, and of their intersection.

    Examples
    --------
    >>> overlap = Overlap(found=4, truth=2, both=2)
    >>> overlap.sensitivity, overlap.precision
    (1.0, 0.5)
    >>> Overlap(0, 0, 0).dice, Overlap(3, 0, 0).sensitivity
    (1.0, 0.0)
    """

    found: int
    truth: int
    both: int

    @property
    def dice(self) -> float:
        """Twice the intersection over the sum of both, 0 to 1."""
        return self._share(2 * self.both, self.found + self.truth)

    @property
    def sensitivity(self) -> float:
        """Share of the reference that was found, 0 to 1."""
        return self._share(self.both, self.truth)

    @property
    def precision(self) -> float:
        """Share of the prediction that is right, 0 to 1."""
        return self._share(self.both, self.found)

    def _share(self, part: int, whole: int) -> float:
        if self.found == self.truth == 0:
            return 1.0
        return part / whole if whole else 0.0


def overlap(found: Mask, truth: Mask) -> Overlap:
    """Count the voxels of two boolean masks of one shape."""
    return Overlap(*(int(np.count_nonzero(mask)) for mask in (found, truth, found & truth)))


def dice(prediction: np.ndarray, reference: np.ndarray, label: int) -> float:
    """Return the Dice coefficient of one label, 0 to 1.

    Parameters
    ----------
    prediction, reference : numpy.ndarray
        Label maps of one shape. Voxels where the reference is 255 are not counted.
    label : int
        The organ's label value.

    Notes
    -----
    Both empty gives 1, one of them empty 0, as in the challenge's evaluation code (JunMa11/FLARE).

    Examples
    --------
    >>> dice(np.array([1, 1, 0]), np.array([1, 0, 255]), 1)
    0.6666666666666666
    """
    return overlap((prediction == label) & (reference != IGNORE), reference == label).dice
