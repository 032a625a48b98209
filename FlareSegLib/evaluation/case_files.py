"""The files of the few cases that a report shows, read into one form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import FlareSegError
from ..organs import Organ, organs_of
from ..volumes.orientation import to_axial
from ..volumes.reading import read_volume
from ..volumes.volume import Volume
from .case_pictures import CaseImages
from .pairs import Pair, Scheme, files_by_case, grid_difference, read_pair
from .rows import Evaluation
from .scoring import mask_of


#: The colours of the paper's Figure 8: further apart than Slicer's, which are all shades of flesh.
COLOURS = {"liver": (46, 160, 67), "kidney": (232, 119, 34), "spleen": (224, 200, 30), "pancreas": (140, 90, 210)}


@dataclass(frozen=True)
class CaseFiles:
    """Where predictions, references and CTs lie, by case.

    Attributes
    ----------
    predictions, references, images : dict
        Path by case; `images` may be empty.
    prediction_scheme, reference_scheme : dict
        Label values of each organ (`rules.label_scheme`).
    """

    predictions: dict[str, Path]
    references: dict[str, Path]
    images: dict[str, Path]
    prediction_scheme: dict[str, tuple[int, ...]]
    reference_scheme: dict[str, tuple[int, ...]]


def files_of(path: str | Path, evaluation: Evaluation) -> dict[str, Path]:
    """Return the files of a folder by case, or the one file for an evaluation of one case.

    Raises
    ------
    FlareSegError
        "not_found", "bad_evaluation_data".
    """
    path = Path(path)
    if path.is_dir():
        return files_by_case(path)
    if not path.is_file():
        raise FlareSegError("not_found", f"{path} does not exist; check the path.")
    if len(evaluation.cases) != 1:
        raise FlareSegError("bad_evaluation_data", f"{path} is one file, but {len(evaluation.cases)} cases were "
                                                   "evaluated; give the folder.")
    return {evaluation.cases[0]: path}


def report_organs(evaluation: Evaluation) -> tuple[Organ, ...]:
    """The evaluated organs as labels 1 to n, in the paper's colours where it has one."""
    return tuple(replace(organ, colour=COLOURS.get(organ.name, organ.colour))
                 for organ in organs_of(dict(enumerate(evaluation.organs, 1))))


def load_case(case: str, files: CaseFiles, organs: tuple[Organ, ...]) -> CaseImages | None:
    """Read a case in axial orientation, None where its prediction or reference is not among the files.

    Raises
    ------
    FlareSegError
        As `read_pair` and `read_volume`; "bad_evaluation_data" for a CT on another grid.
    """
    if case not in files.predictions or case not in files.references:
        return None
    schemes = files.prediction_scheme, files.reference_scheme
    volumes = read_pair(Pair(case, files.predictions[case], files.references[case]), *schemes)
    prediction, reference = (_numbered(volume, scheme, organs) for volume, scheme in zip(volumes, schemes))
    ct = read_volume(files.images[case]) if case in files.images else None
    if ct is not None and (difference := grid_difference(ct, reference)):
        raise FlareSegError("bad_evaluation_data", f"{case}: image and reference differ in {difference}; both must lie "
                                                   "on the grid of one CT.")
    return CaseImages(case, ct and to_axial(ct)[0], to_axial(prediction)[0], to_axial(reference)[0])


def _numbered(volume: Volume, scheme: Scheme, organs: tuple[Organ, ...]) -> Volume:
    labels = np.zeros(volume.array.shape, np.uint8)
    for organ in organs:
        labels[mask_of(volume.array, scheme[organ.name])] = organ.label
    return volume.with_array(labels)
