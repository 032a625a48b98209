"""Agreement of a label map with a reference, by FLARE21's rules."""

from __future__ import annotations

import numpy as np

IGNORE = 255


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
    counted = reference != IGNORE
    found = (prediction == label) & counted
    truth = reference == label
    total = int(found.sum()) + int(truth.sum())
    return 1.0 if total == 0 else 2.0 * int((found & truth).sum()) / total
