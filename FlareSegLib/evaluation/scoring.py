"""From pairs of label maps to rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import Mask
from ..errors import FlareSegError
from ..volumes.volume import Volume
from .agreement import IGNORE, overlap
from .pairs import Pair, Scheme, listed_faults, read_pair
from .rows import Score
from .rules import Rules
from .surface import bounding_box, surface_distance


def score_pairs(pairs: tuple[Pair, ...], organs: tuple[str, ...], prediction_scheme: Scheme, reference_scheme: Scheme,
                rules: Rules, progress: Callable[[int, int], None] = lambda done, total: None) -> tuple[Score, ...]:
    """Score every case; nothing is returned unless all of them can be compared.

    Parameters
    ----------
    pairs : tuple of Pair
        From `find_pairs`.
    organs : tuple of str
        From `rules.chosen_organs`.
    prediction_scheme, reference_scheme : dict
        From `rules.label_scheme`.
    rules : Rules
        Tolerances and exceptions.
    progress : callable
        Called with (cases done, cases) after each case.

    Raises
    ------
    FlareSegError
        "bad_evaluation_data" with one line for each case that cannot be compared.
    """
    scores, faults = [], []
    for done, pair in enumerate(pairs, 1):
        try:
            maps = read_pair(pair, prediction_scheme, reference_scheme)
        except FlareSegError as error:
            if len(pairs) == 1:
                raise
            faults.append(str(error))
        else:
            scores += [score_organ(pair.case, organ, *maps, prediction_scheme[organ], reference_scheme[organ], rules)
                       for organ in organs]
        progress(done, len(pairs))
    if faults:
        raise listed_faults(faults, f"{len(faults)} of {len(pairs)} cases cannot be evaluated")
    return tuple(scores)


def score_organ(case: str, organ: str, prediction: Volume, reference: Volume, prediction_labels: tuple[int, ...],
                reference_labels: tuple[int, ...], rules: Rules) -> Score:
    """Score one organ of one case; labels of an organ's parts are joined first."""
    ignored = reference.array == IGNORE
    partial = bool(ignored.any())
    found, truth = mask_of(prediction.array, prediction_labels), mask_of(reference.array, reference_labels)
    if partial:
        found &= ~ignored
    volumes = [int(np.count_nonzero(mask)) * reference.voxel_ml for mask in (found, truth)]
    if organ in rules.labelled_slices and truth.any() and found.any():
        found, truth = _labelled_slices(found, truth)
    agreement = overlap(found, truth)
    tolerance = rules.tolerance_of(organ)
    nsd = None if partial else 0.0 if agreement.dice < rules.least_dice else \
        surface_distance(found, truth, reference.spacing, tolerance)
    return Score(case, organ, agreement.dice, agreement.sensitivity, agreement.precision, nsd, tolerance,
                 round(volumes[0], 3), round(volumes[1], 3))


def mask_of(array: np.ndarray, labels: tuple[int, ...]) -> Mask:
    """Boolean mask of all voxels that have one of the labels."""
    mask = array == labels[0]
    for label in labels[1:]:
        mask |= array == label
    return mask


def _labelled_slices(found: Mask, truth: Mask) -> tuple[Mask, Mask]:
    """The stored slices from the reference's first one up to its last one, without that last one.

    Leaving the last slice out is what FLARE22's code does (its range ends at the highest index); a reference of one
    single slice is kept here, where that code would score nothing.
    """
    box = bounding_box(truth)
    assert box is not None, "the caller sees to it"
    extent = box[0]
    kept = slice(extent.start, max(extent.stop - 1, extent.start + 1))
    return found[kept], truth[kept]
