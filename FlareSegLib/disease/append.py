"""One edited case into a data set: a new one, or one that is there, of which nothing is overwritten or broken."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FlareSegError
from ..jobs.folder_lock import locked
from ..jobs.staging import PREFIX, Staging
from ..organs import FLARE_ORGANS
from ..training.raw_checks import check_case
from ..training.raw_data import RawCase, find_raw_dataset
from ..volumes.volume import Volume
from .batch import PLAN_FILE
from .datasets import CHANNEL, ENDING, LAYOUTS, Item, Layout, description, write_nifti
from .recipe import Recipe, recipe_text
from .sources import SourceCase

LAYOUT_NAMES = {"nnU-Net v2": "v2", "nnU-Net v1": "v1", "FLARE21": "flare"}
AUDIT_FILE = "audit.jsonl"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Finished:
    """A case to be added.

    Attributes
    ----------
    name : str
        In the data set; FLARE21's layout numbers its cases instead.
    patient : str
        Whose it is: cases of one patient stay in one fold.
    image, labels : Volume
        In the order that the CT was stored in.
    recipe : Recipe or None
        How it was made, with operator and time; None for an original.
    preview : PIL.Image.Image or None
        Its picture.
    """

    name: str
    patient: str
    image: Volume
    labels: Volume
    recipe: Recipe | None = None
    preview: Any = None


def append_cases(folder: str | Path, layout: Layout, cases: tuple[Finished, ...]) -> tuple[str, ...]:
    """Add cases to a data set and return their names in it: all files or none.

    Raises
    ------
    FlareSegError
        "bad_option" for a name that files cannot have, "output_exists" for a name that is taken and a folder that holds
        something else, "bad_training_data" for a data set with faults and a case that could not be trained on,
        "output_unwritable".
    """
    folder = Path(folder)
    _make_folder(folder, layout)
    with locked(folder) as journal:
        _remove_leftovers(folder, layout)
        there = _names_there(folder, layout)
        items = _items(cases, there, layout)
        with Staging() as staging:
            new = [path for case, item in zip(cases, items) for path in _stage_case(staging, folder, layout, case,
                                                                                    item)]
            replaced = _stage_descriptions(staging, folder, layout, items, there, cases)
            journal.begin(new)
            staging.commit(overwrite=replaced)
            journal.end()
    return tuple(item.name for item in items)


def free_name(folder: str | Path, wanted: str) -> str:
    """Return a name that no case of a data set's folder has: the wanted one, or one with a number."""
    folder = Path(folder)
    taken = {path.name.lower() for layout in LAYOUTS.values() for path in (folder / layout.labels).glob(f"*{ENDING}")}
    name, number = wanted, 1
    while f"{name}{ENDING}".lower() in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def has_original(folder: str | Path, patient: str) -> bool:
    """Whether a data set holds a patient's healthy case: by its list of cases, else by its files' names."""
    folder = Path(folder)
    known = _read(folder / "cases.json", [])
    if any(case.get("patient") == patient and not case.get("synthetic") for case in known):
        return True
    return free_name(folder, patient) != patient


def _make_folder(folder: Path, layout: Layout) -> None:
    """Make a new data set's folder; refuse one that holds something else, before anything is written."""
    try:
        names = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if not any(name for name in names if not name.startswith(".")):
            for name in (layout.images, layout.labels):
                (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"{folder} cannot be written ({error.strerror}); choose another "
                                                 "folder.") from error
    if PLAN_FILE in names:
        raise FlareSegError("output_exists", f"{folder} was made by a batch, which would not know of the case; choose "
                                             "another folder.")
    if not ((folder / layout.images).is_dir() and (folder / layout.labels).is_dir()):
        raise FlareSegError("output_exists", f"{folder} holds something else than {layout.images} and {layout.labels}; "
                                             "choose another folder or layout.")


def _remove_leftovers(folder: Path, layout: Layout) -> None:
    """Temporary folders of a process that was killed."""
    for part in (folder, *(folder / name for name in (layout.images, layout.labels, "recipes", "previews"))):
        for leftover in part.glob(f"{PREFIX}*"):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)


def _names_there(folder: Path, layout: Layout) -> tuple[str, ...]:
    """The data set's cases, once it is known to be one of this layout and without faults."""
    if not any(each for name in (layout.images, layout.labels) for each in (folder / name).iterdir()):
        return ()
    dataset = find_raw_dataset(folder)
    if LAYOUT_NAMES[dataset.layout] != layout.key:
        raise FlareSegError("output_exists", f"{folder} is a data set of {dataset.layout}; choose that layout, or "
                                             "another folder.")
    if dataset.faults:
        raise FlareSegError("bad_training_data", f"{folder} is not complete; mend it first:\n  "
                            + "\n  ".join(dataset.faults[:20]))
    known = {organ.label: organ.name for organ in FLARE_ORGANS}
    if any(known.get(organ.label) != organ.name for organ in dataset.organs):
        raise FlareSegError("bad_training_data", f"The labels of {folder} are not FLARE21's four organs; choose "
                                                 "another data set.")
    if layout.key == "v2" and _read(folder / "dataset.json", {}).get("file_ending") != ENDING:
        raise FlareSegError("output_exists", f"The files of {folder} do not end in {ENDING}; choose another data set.")
    return tuple(case.name for case in dataset.cases)


def _items(cases: tuple[Finished, ...], there: tuple[str, ...], layout: Layout) -> list[Item]:
    """Names for the new cases, each one free."""
    taken, items = {name.lower() for name in there}, []
    for case in cases:
        name = _next_number(taken) if layout.key == "flare" else case.name
        if not NAME.fullmatch(name) or name.endswith(CHANNEL):
            raise FlareSegError("bad_option", f"{name!r} is no name for a case; use letters, digits, - and _ (not "
                                              f"{CHANNEL} at the end).")
        if name.lower() in taken:
            raise FlareSegError("output_exists", f"The data set has a case {name} already; choose another name.")
        taken.add(name.lower())
        source = SourceCase(case.patient, case.patient, Path(), Path())
        items.append(Item(name, source, None if case.recipe is None else 0))
    return items


def _next_number(taken: set[str]) -> str:
    numbers = [int(found[1]) for found in (re.fullmatch(r"train_(\d+)", name) for name in taken) if found]
    return f"train_{max(numbers, default=-1) + 1:03}"


def _stage_case(staging: Staging, folder: Path, layout: Layout, case: Finished, item: Item) -> list[Path]:
    """Write a case's files and check them as training does; return where they will be."""
    new = [item.image(folder, layout), item.labels(folder, layout)]
    note = "" if case.recipe is None else f"FlareSeg synthetic {case.recipe.sha256[:16]}"
    with staging.file(new[0]) as image, staging.file(new[1]) as labels:
        write_nifti(case.image, image, note)
        write_nifti(case.labels, labels, note)
        faults = check_case(RawCase(item.name, image, labels), FLARE_ORGANS)
        if faults:
            raise FlareSegError("bad_training_data", f"The case could not be trained on: {faults[0]}")
    if case.preview is not None:
        _folder_of(item.preview(folder))
        with staging.file(item.preview(folder)) as staged:
            case.preview.save(staged)
        new.append(item.preview(folder))
    if case.recipe is not None:
        _folder_of(item.recipe(folder))
        with staging.file(item.recipe(folder)) as staged:
            staged.write_text(recipe_text(case.recipe), encoding="utf-8")
        new.append(item.recipe(folder))
    return new


def _folder_of(path: Path) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"{path.parent} cannot be made ({error.strerror}).") from error


def _stage_descriptions(staging: Staging, folder: Path, layout: Layout, items: list[Item], there: tuple[str, ...],
                        cases: tuple[Finished, ...]) -> set[Path]:
    """The data set's own files with the new cases in them; return which they are."""
    # What a process that died had entered, but not put in place, is left out.
    known = [case for case in _read(folder / "cases.json", []) if case.get("name") in there]
    documents = {"dataset.json": _description(folder, layout, items, there),
                 "cases.json": [*known, *map(_about, items)],
                 "splits_final.json": _splits(folder, items, there, known)}
    targets = set()
    for name, document in documents.items():
        if document is not None:
            targets.add(folder / name)
            with staging.file(folder / name) as staged:
                staged.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = (folder / AUDIT_FILE).read_text(encoding="utf-8") if (folder / AUDIT_FILE).is_file() else ""
    with staging.file(folder / AUDIT_FILE) as staged:
        staged.write_text(lines + "".join(_audit(item, case) for item, case in zip(items, cases)), encoding="utf-8")
    return targets | {folder / AUDIT_FILE}


def _about(item: Item) -> dict[str, Any]:
    return {"name": item.name, "case": item.source.name, "patient": item.source.patient, "variant": item.variant,
            "synthetic": item.variant is not None}


def _audit(item: Item, case: Finished) -> str:
    """One line: who added what, when, and made by which recipe."""
    recipe = case.recipe
    line = {"case": item.name, "patient": item.source.patient, "synthetic": recipe is not None}
    if recipe is not None:
        line |= {"operator": recipe.operator, "utc": recipe.utc, "tool": f"FlareSeg {recipe.tool_version}",
                 "recipe_sha256": recipe.sha256, "image_sha256": recipe.source.image_sha256,
                 "quality": recipe.quality.passed}
    return json.dumps(line, ensure_ascii=False) + "\n"


def _description(folder: Path, layout: Layout, items: list[Item], there: tuple[str, ...]) -> dict[str, Any] | None:
    """dataset.json: a new one, or the one that is there with the new cases counted; nothing else in it is touched."""
    old = _read(folder / "dataset.json", None)
    if old is None:
        return description(layout, items)
    old = {**old, "numTraining": len(there) + len(items)}
    if layout.key == "v1":
        pairs = [pair for pair in old.get("training", []) if _name_of(pair) in there]
        new = description(layout, items)
        assert new is not None, "of v1's layout"
        old["training"] = [*pairs, *new["training"]]
    return old


def _name_of(pair: Any) -> str:
    """The case of an entry in nnU-Net v1's list of pairs."""
    return Path(str(pair["label"] if isinstance(pair, dict) else pair)).name.removesuffix(ENDING)


def _splits(folder: Path, items: list[Item], there: tuple[str, ...], known: list[dict[str, Any]]
            ) -> list[dict[str, list[str]]] | None:
    """A data set's own folds with the new cases: where their patient's cases are, else trained on in every fold."""
    folds = _read(folder / "splits_final.json", None)
    if folds is None:
        return None
    patients = {str(case.get("name")): case.get("patient") for case in known}
    wanted = []
    for fold in folds:
        fold = {part: [name for name in names if name in there] for part, names in fold.items()}
        for item in items:
            relatives = {name for name, patient in patients.items() if patient == item.source.patient}
            relatives.add(item.source.patient)  # in a data set of others a patient's only case bears its name
            fold["val" if relatives & set(fold.get("val", [])) else "train"].append(item.name)
        wanted.append(fold)
    return wanted


def _read(path: Path, default: Any = None) -> Any:
    if not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FlareSegError("bad_training_data", f"{path} cannot be read as JSON; mend it first.") from error
