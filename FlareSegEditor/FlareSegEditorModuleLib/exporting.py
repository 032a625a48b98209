"""From an edit to a case in a data set: what the thread beside the GUI does."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExportJob:
    """What is exported, and where to; nothing in it is touched by later edits.

    Attributes
    ----------
    case, order, volume
        The originals (`Case`, axes' order, and `Volume` as stored).
    operations : tuple of Operation
        The shown ones.
    find : callable
        Name to `Disease`.
    folder : Path
    layout : str
        A key of `FlareSegLib.disease.datasets.LAYOUTS`.
    name, patient, operator : str
        Of the case; who made it.
    with_original : bool
        Whether the healthy case goes there, too, where it is not there yet.
    """

    case: object
    order: object
    volume: object
    operations: tuple
    find: object
    folder: Path
    layout: str
    name: str
    patient: str
    operator: str
    with_original: bool


def export(job: ExportJob) -> tuple[tuple[str, ...], bool]:
    """Replay, judge, write; return the names in the data set and whether the quality gate passed it.

    Raises
    ------
    FlareSegError
        What `simulate` and `append_cases` raise; nothing is written then.
    """
    from FlareSegLib.disease.append import Finished, append_cases, has_original
    from FlareSegLib.disease.contact_sheet import draw_variant
    from FlareSegLib.disease.datasets import LAYOUTS
    from FlareSegLib.disease.simulation import simulate

    made = simulate(job.case, job.operations, job.find)
    utc = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    recipe = made.recipe(job.operator, utc)
    image, labels = made.case.volumes(job.order, job.volume)
    cases = [Finished(job.name, job.patient, image, labels, recipe, draw_variant(job.case, made, job.name))]
    if job.with_original and not has_original(job.folder, job.patient):
        image, labels = job.case.volumes(job.order, job.volume)
        cases.insert(0, Finished(job.patient, job.patient, image, labels))
    return append_cases(job.folder, LAYOUTS[job.layout], tuple(cases)), made.verdict.passed
