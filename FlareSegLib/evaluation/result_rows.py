"""Rows of results on unseen CTs: what the measuring scripts write into JSON files, and the model card is made from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from ..disease.document import read_document
from ..errors import FlareSegError

#: By what labels are compared.
Metric = Literal["dice", "nsd"]


class Agreement(TypedDict):
    """Dice and surface distance (NSD) by organ, 0 to 1; without organs for which there is none."""

    dice: dict[str, float]
    nsd: dict[str, float]


class AccuracyRow(Agreement):
    """A CT against one kind of reference (`leave_one_out`).

    Kinds of plausibility warnings, and millilitres on the wrong side of the body, are by organ; rows of manual livers
    have neither.
    """

    case: str
    patient: str
    contrast: bool
    slice_spacing_mm: float
    reference: str
    warnings: NotRequired[dict[str, list[str]]]
    wrong_side_ml: NotRequired[dict[str, float]]
    training: NotRequired[str]  # the script adds it


class ConditionFigures(Agreement):
    """What is found in a CT that was changed (`conditions`).

    "organs" are those that the condition concerns; "voxels_differ" from the unchanged CT's, of another storage alone.
    """

    group: str
    condition: str
    seed: int
    organs: list[str]
    slice_spacing_mm: float
    warnings: dict[str, list[str]]
    wrong_side_ml: dict[str, float]
    voxels_differ: NotRequired[int]


class CaseFigures(ConditionFigures):
    """The same with the CT that it is of."""

    case: str
    patient: str
    contrast: bool
    reference: str


class ConditionRow(CaseFigures):
    """The same with the steps that the network was trained for."""

    steps: int


ResultRow = AccuracyRow | ConditionRow


def read_rows(files: Iterable[Path]) -> list[Any]:
    """Return the rows of JSON files that the measuring scripts have written.

    Raises
    ------
    FlareSegError
        As `read_document`; "unreadable" for a file that holds something else.
    """
    return [row for file in files for row in _rows_of(read_document(file), file)]


def _rows_of(document: Any, file: Path) -> list[Any]:
    if isinstance(document, list) and all(isinstance(row, dict) and {"case", "dice", "nsd"} <= row.keys()
                                          for row in document):
        return document
    raise FlareSegError("unreadable", f"{file} holds no rows of leave_one_out or conditions.")
