"""The labelled CTs that a batch simulates diseases in: data sets and pairs of files, and whose they are."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import FlareSegError
from ..evaluation.pairs import case_name
from ..organs import FLARE_ORGANS
from ..training.raw_checks import side_faults
from ..training.raw_data import RawDataset, find_raw_dataset
from ..volumes.checks import check_ct
from ..volumes.orientation import AxisOrder
from ..volumes.reading import read_label_map, read_volume
from ..volumes.volume import Volume
from .case import Case, make_case


@dataclass(frozen=True)
class SourceCase:
    """A CT with labels.

    Attributes
    ----------
    name : str
        Of the case; unique in a batch.
    patient : str
        Whose it is; all cases of a patient stay in one fold.
    image, labels : Path
        The files.
    """

    name: str
    patient: str
    image: Path
    labels: Path


def find_sources(paths: list[str | Path], patients: str | Path | None = None) -> tuple[SourceCase, ...]:
    """Return the cases of one data set's folder, or of files in pairs (CT, labels, CT, labels, …), by name.

    Parameters
    ----------
    patients : str or Path, optional
        JSON file with an object: case to patient. A case that is not in it keeps the patient that the data set's own
        cases.json tells, or is a patient of its own.

    Raises
    ------
    FlareSegError
        "bad_option", "not_found", "bad_training_data".
    """
    files = [Path(path) for path in paths]
    for path in files:
        if not os.path.exists(path):  # unlike Path.exists never raises
            raise FlareSegError("not_found", f"{path} does not exist; check the path.")
    if len(files) == 1 and files[0].is_dir():
        sources = _of_dataset(find_raw_dataset(files[0]))
    elif files and len(files) % 2 == 0:
        sources = tuple(SourceCase(case_name(image), case_name(image), image, labels)
                        for image, labels in zip(files[::2], files[1::2]))
    else:
        raise FlareSegError("bad_option", "Give one data set's folder, or files in pairs: CT LABELS CT LABELS ….")
    names = [source.name for source in sources]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FlareSegError("bad_option", f"Two cases are called {twice[0]}; rename one of them.")
    sources = tuple(sorted(sources, key=lambda source: source.name))
    return sources if patients is None else _with_patients(sources, Path(patients))


def _of_dataset(dataset: RawDataset) -> tuple[SourceCase, ...]:
    if dataset.faults:
        raise FlareSegError("bad_training_data", "Not every CT has labels, or the other way round; mend or remove:\n  "
                            + "\n  ".join(dataset.faults[:20]))
    known = {organ.label: organ.name for organ in FLARE_ORGANS}
    for organ in dataset.organs:
        if known.get(organ.label) != organ.name:
            raise FlareSegError("bad_training_data", f"Label {organ.label} of {dataset.folder} is {organ.name!r}; "
                                "diseases are simulated in FLARE21's organs, "
                                f"{', '.join(f'{label} {name}' for label, name in known.items())}.")
    patients = _patients_told(dataset.folder)
    return tuple(SourceCase(case.name, patients.get(case.name, case.name), case.image, case.labels)
                 for case in dataset.cases)


def _patients_told(folder: Path) -> dict[str, str]:
    """Case to patient as a data set that FlareSeg wrote tells it; empty for any other."""
    try:
        cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
        return {str(case["name"]): str(case["patient"]) for case in cases}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _with_patients(sources: tuple[SourceCase, ...], path: Path) -> tuple[SourceCase, ...]:
    try:
        patients = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FlareSegError("not_found", f"{path} cannot be read; check the path.") from error
    except ValueError as error:
        raise FlareSegError("bad_option", f"{path} is no JSON file.") from error
    if not isinstance(patients, dict) or not all(isinstance(value, str) for value in patients.values()):
        raise FlareSegError("bad_option", f"{path} must hold one object: the name of each case and its patient.")
    unknown = sorted(set(patients) - {source.name for source in sources})
    if unknown:
        raise FlareSegError("bad_option", f"{path} names the case {unknown[0]}, which is not there.")
    return tuple(replace(source, patient=patients.get(source.name, source.patient)) for source in sources)


@dataclass(frozen=True)
class LoadedCase:
    """A source in memory.

    Attributes
    ----------
    case : Case
        Axial.
    order : AxisOrder
        The way back to the stored order.
    ct : Volume
        As stored.
    """

    case: Case
    order: AxisOrder
    ct: Volume


def load(source: SourceCase) -> LoadedCase:
    """Read and check a source.

    Raises
    ------
    FlareSegError
        What reading raises, "bad_disease_case"; the text names the case.
    """
    try:
        ct, labels = read_volume(source.image), read_label_map(source.labels)
        check_ct(ct)
        case, order = make_case(ct, labels)
        faults = side_faults(labels, FLARE_ORGANS)
        if faults:
            raise FlareSegError("bad_disease_case", f"Not usable: {faults[0]}")
    except FlareSegError as error:
        raise FlareSegError(error.code, f"{source.name}: {error}") from error
    return LoadedCase(case, order, ct)
