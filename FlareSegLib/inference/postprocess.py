"""What may be done to a label map after the network, only when asked for: the paper's method does nothing."""

from __future__ import annotations

import numpy as np

from ..organs import Organ

#: Pieces that a healthy organ's label consists of; one where nothing else is said.
PIECES = {"kidney": 2}
#: A further piece is kept when it has at least this share of the largest one's voxels.
LEAST_SHARE = 0.2
NOTE = "Stray islands were removed: only the largest piece of each organ was kept (two of the kidneys)."


def keep_largest_pieces(labels: np.ndarray, organs: tuple[Organ, ...]) -> np.ndarray:
    """Return the label map without stray islands.

    Parameters
    ----------
    labels : numpy.ndarray
        uint8, (k, j, i).
    organs : tuple of Organ
        Each keeps its largest connected piece (faces, edges and corners connect); the kidneys keep two, where
        the second has at least a fifth of the first's voxels.

    Examples
    --------
    >>> from ..organs import FLARE_ORGANS
    >>> keep_largest_pieces(np.array([[[1, 1, 0, 1, 3]]], np.uint8), FLARE_ORGANS)
    array([[[1, 1, 0, 0, 3]]], dtype=uint8)
    """
    from scipy.ndimage import find_objects, label

    kept = labels.copy()
    boxes = find_objects(labels, max_label=255)
    for organ in organs:
        box = boxes[organ.label - 1]
        if box is None:
            continue
        pieces, count = label(labels[box] == organ.label, np.ones((3, 3, 3)))
        sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
        largest = np.argsort(sizes, kind="stable")[::-1][:PIECES.get(organ.name, 1)]
        stays = [piece + 1 for piece in largest if sizes[piece] >= LEAST_SHARE * sizes.max()]
        kept[box][(pieces > 0) & ~np.isin(pieces, stays)] = 0
    return kept
