"""Is a case fit to be trained on? Every fault is one line, and nothing is trained on half-checked data."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from ..arrays import Doubles
from ..errors import FlareSegError
from ..organs import Organ
from ..volumes.checks import check_ct
from ..volumes.reading import read_label_map, read_volume
from ..volumes.volume import Volume
from .raw_data import RawCase, RawDataset

SPACING_TOLERANCE = 1e-3  # relative: headers keep float32
PLACE_TOLERANCE = 0.05  # mm between the corners of both grids
MOST_FAULTS_SHOWN = 20


def check_dataset(dataset: RawDataset, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Read every file of a data set and refuse it unless all are fit.

    Raises
    ------
    FlareSegError
        "bad_training_data"; its text has one line a fault.
    """
    faults = list(dataset.faults)
    for done, case in enumerate(dataset.cases):
        progress(done, len(dataset.cases))
        faults += check_case(case, dataset.organs)
    progress(len(dataset.cases), len(dataset.cases))
    if faults:
        rest = len(faults) - MOST_FAULTS_SHOWN
        shown = faults[:MOST_FAULTS_SHOWN] + ([f"… and {rest} more."] if rest > 0 else [])
        raise FlareSegError("bad_training_data", "The data set cannot be trained on; mend or remove these cases:\n  "
                            + "\n  ".join(shown))


def check_case(case: RawCase, organs: tuple[Organ, ...]) -> list[str]:
    """Return the faults of one case, one line each; empty where it is fit."""
    try:
        image, labels = read_volume(case.image), read_label_map(case.labels)
        check_ct(image)
    except FlareSegError as error:
        return [f"{case.name}: {error}"]
    faults = geometry_faults(image, labels) or [*value_faults(labels, organs), *side_faults(labels, organs)]
    return [f"{case.name}: {fault}" for fault in faults]


def geometry_faults(image: Volume, labels: Volume) -> list[str]:
    """What differs between the grid of a CT and that of its labels: size, spacing, orientation or place."""
    if image.size != labels.size:
        return [f"the CT has {_times(image.size)} voxels, its labels have {_times(labels.size)}."]
    if not np.allclose(image.spacing, labels.spacing, rtol=SPACING_TOLERANCE):
        return [f"the CT's spacing is {_times(image.spacing)} mm, its labels' {_times(labels.spacing)} mm."]
    if not np.allclose(image.direction, labels.direction, atol=SPACING_TOLERANCE):
        return ["the CT and its labels are oriented differently (their direction matrices differ)."]
    corners = np.array([(0, 0, 0), np.subtract(image.size, 1)])
    apart = np.abs(image.index_to_physical(corners) - labels.index_to_physical(corners)).max()
    if apart > PLACE_TOLERANCE:
        return [f"the CT and its labels lie {apart:.3g} mm apart (their origins differ)."]
    return []


def value_faults(labels: Volume, organs: tuple[Organ, ...]) -> list[str]:
    """Label values that stand for nothing, and label maps without any organ."""
    values = set(np.unique(labels.array).tolist())
    unknown = sorted(values - {0} - {organ.label for organ in organs})
    if unknown:
        return [f"its labels hold the value(s) {', '.join(map(str, unknown))}, which stand for no organ."]
    return [] if values - {0} else ["its labels are empty."]


def side_faults(labels: Volume, organs: tuple[Organ, ...]) -> list[str]:
    """A liver to the left of the spleen: a file whose left and right were lost on the way.

    (Situs inversus occurs in one of some 8,000 people; leave such a case out.)
    """
    sides = {organ.name: _centre(labels, organ.label)[0] for organ in organs
             if organ.name in ("liver", "spleen") and (labels.array == organ.label).any()}
    if len(sides) == 2 and sides["liver"] > sides["spleen"]:  # LPS: x grows to the patient's left
        return ["its liver lies to the left of its spleen; left and right are exchanged in the file."]
    return []


def _centre(labels: Volume, label: int) -> Doubles:
    """Mean position of a label in patient coordinates (LPS, mm)."""
    return labels.index_to_physical(np.argwhere(labels.array == label)[:, ::-1].mean(axis=0))


def _times(numbers: Iterable[float]) -> str:
    return " × ".join(f"{number:g}" for number in numbers)
