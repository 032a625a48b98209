"""Make a training set: ``python -m FlareSegLib.training.synthesis.make OUT --data DATA --cases 200 --seed 0 --jobs 2``.

OUT becomes a slice store at 1.6 mm with the real CTs, transferred and synthetic cases; beside each case lies
``CASE.origin.json``, which tells what it is. The same command goes on where it was stopped, and with a larger --cases
adds to what is there. `flareseg`'s starter training reads it: ``python -m FlareSegLib.training.starter DATA CHECKPOINT
--synthesis OUT``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np

from ...disease.case import UNKNOWN
from ...errors import FlareSegError
from ...jobs.processes import Died, run_tasks, take_one_core
from ...organs import FLARE_ORGANS
from ...volumes.orientation import to_axial
from ...volumes.reading import read_volume
from ...volumes.volume import Volume
from ..cases import CaseEntry, case_patients, read_case_labels, read_case_list
from ..fingerprint import histogram
from ..json_files import write_json
from ..slice_store import CaseRecord, HuCode, StoreDescription, claim_store, stored_sources, write_case
from ..store_building import isotropify
from .drawing import WORKING_MM, MadeCase, Sources, draw_case, find_sources, kind_of
from .mix import SynthesisMix, mix_from, read_synthesis_mix

PLAN_FILE = "synthesis.json"
ORIGIN_ENDING = ".origin.json"
DESCRIPTION = StoreDescription(tuple((organ.label, organ.name) for organ in FLARE_ORGANS), WORKING_MM)


class Origin(TypedDict):
    """What a case was made of: the file beside it.

    A real case is a patient's CT with its own labels. A made one has the patient's body, or CT (the host), with the
    organs of a target, some of them of donors. "ignored" is what `synthesis.beyond` has done to it.
    """

    kind: str
    patient: str
    host: NotRequired[str]
    target: NotRequired[str]
    phase: NotRequired[str]
    donors: NotRequired[list[str]]
    diseases: NotRequired[list[str]]
    unlabelled: list[int]
    ignored: NotRequired[dict[str, Any]]
    weight: float


def read_origin(store: Path, name: str) -> Origin:
    """What a store's case was made of; OSError or ValueError where that cannot be read."""
    origin: Origin = json.loads((store / f"{name}{ORIGIN_ENDING}").read_text(encoding="utf-8"))
    return origin


@dataclass(frozen=True)
class Plan:
    """A training set to be made.

    Attributes
    ----------
    out, data : Path
        The store; the data folder, with ``ct`` and ``labels``.
    cases : int
        Transferred and synthetic ones.
    seed : int
    mix : SynthesisMix
    left_out : frozenset of str
        Patients that nothing is taken from.
    """

    out: Path
    data: Path
    cases: int
    seed: int = 0
    mix: SynthesisMix = SynthesisMix()
    left_out: frozenset[str] = frozenset()

    @property
    def document(self) -> dict[str, Any]:
        """What must be the same for a data set to go on."""
        return {"format": "flareseg-synthesis", "version": 1, "seed": self.seed, "mix": self.mix.document,
                "left_out": sorted(self.left_out)}

    @property
    def real(self) -> tuple[CaseEntry, ...]:
        """Entries of the real CTs."""
        return tuple(entry for entry in read_case_list() if entry["patient"] not in self.left_out
                     and (self.data / "ct" / entry["name"] / "ct.nii.gz").is_file())

    @property
    def missing(self) -> tuple[int | str, ...]:
        """What is not there yet: names of real cases (as the list has them) and numbers of made ones."""
        real = [entry["name"] for entry in self.real if stored_sources(self.out, f"real_{entry['name']}") is None]
        return (*real, *(number for number in range(self.cases)
                         if stored_sources(self.out, case_name(number, self.mix)) is None))


def case_name(number: int, mix: SynthesisMix) -> str:
    """Name of a made case in the store.

    Examples
    --------
    >>> case_name(0, SynthesisMix())
    'transferred_00000'
    """
    return f"{kind_of(number, mix)}_{number:05}"


def make(plan: Plan, jobs: int = 1, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Make what is missing of a plan, and return how many cases that were.

    Raises
    ------
    FlareSegError
        "not_found" without a data folder; "output_exists" where OUT holds something else, "output_unwritable",
        "bad_training_data", "out_of_memory" where a process was ended.
    """
    if not plan.data.is_dir():
        raise FlareSegError("not_found", f"There is no data folder {plan.data}; it holds ct/ and labels/.")
    sources = find_sources(plan.data, plan.left_out)
    _claim(plan)
    missing = plan.missing
    total = len(plan.real) + plan.cases
    progress(total - len(missing), total)
    for done, _ in enumerate(_made(plan, sources, missing, jobs), 1):
        progress(total - len(missing) + done, total)
    return len(missing)


def _claim(plan: Plan) -> None:
    file = plan.out / PLAN_FILE
    try:
        claim_store(plan.out, DESCRIPTION)
        if file.is_file() and not _same_plan(json.loads(file.read_text(encoding="utf-8")), plan.document):
            raise FlareSegError("output_exists", f"{plan.out} holds a data set of another seed, mix or patients; "
                                                 "choose another folder.")
        if not file.is_file():
            write_json(file, plan.document, indent=1)
    except (OSError, ValueError) as error:
        raise FlareSegError("output_unwritable", f"{plan.out} cannot be written or read; choose another "
                                                 "folder.") from error


def _same_plan(stored: Any, document: dict[str, Any]) -> bool:
    """Whether a store was made by the plan; what its mix could not say yet counts as today's default."""
    try:
        return bool({**stored, "mix": mix_from(stored["mix"]).document} == document)
    except (TypeError, KeyError, FlareSegError):
        return False


def _made(plan: Plan, sources: Sources, missing: tuple[int | str, ...], jobs: int) -> Iterator[object]:
    if jobs <= 1:
        for item in missing:
            yield _make(plan, sources, item)
        return
    with closing(run_tasks(missing, partial(_make, plan, sources), jobs, take_one_core)) as ended:
        for _, made in ended:
            if isinstance(made, Died):
                raise FlareSegError("out_of_memory", f"A case's process died {made.attempts} times, most likely for "
                                                     "want of memory; give the same command again with fewer --jobs.")
            yield made


def _make(plan: Plan, sources: Sources, item: int | str) -> str:
    """Make one case and return its name."""
    if isinstance(item, str):
        entry = next(entry for entry in plan.real if entry["name"] == item)
        return _store_real(plan, entry)
    made = draw_case(sources, plan.mix, plan.seed, item)
    return _store(plan.out, case_name(item, plan.mix), made)


def _store_real(plan: Plan, entry: CaseEntry) -> str:
    name = f"real_{entry['name']}"
    ct, _ = to_axial(read_volume(plan.data / "ct" / entry["name"] / "ct.nii.gz"))
    labels, _ = to_axial(read_case_labels(entry, plan.data / "ct"))
    origin: Origin = {"kind": "real", "patient": entry["patient"], "unlabelled": list(entry.get("unlabelled", ())),
              "weight": entry.get("weight", 1.0)}
    _write_case(plan.out, name, ct, labels.with_array(labels.array.astype(np.uint8)), origin)
    return name


def _store(out: Path, name: str, made: MadeCase) -> str:
    image = Volume(made.case.hu, made.case.grid.spacing)
    origin: Origin = {"kind": made.kind, "patient": made.patient, "host": made.host, "target": made.target,
              "phase": made.phase, "donors": list(made.donors), "diseases": list(made.diseases),
              "unlabelled": list(made.unlabelled), "weight": 1.0}
    _write_case(out, name, image, image.with_array(made.case.labels), origin)
    return name


def _write_case(out: Path, name: str, image: Volume, labels: Volume, origin: Origin) -> None:
    """Write slices and origin; the record comes last, so that what has one is complete."""
    slices = list(isotropify(image, labels, WORKING_MM))
    known = (labels.array > 0) & (labels.array != UNKNOWN)
    record = CaseRecord(name, image.spacing, len(image.array), len(slices), {}, histogram(image.array[known]))
    write_json(out / f"{name}{ORIGIN_ENDING}", origin)
    write_case(out, record, slices, HuCode())


def _count(text: str) -> int:
    if (number := int(text)) < 0:
        raise argparse.ArgumentTypeError("not a number of cases")
    return number


def main(arguments: list[str] | None = None) -> None:
    """Run this script; without `arguments`, with those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="slice store: a new folder, or one to go on with")
    parser.add_argument("--data", type=Path, required=True, help="folder with ct/ and labels/")
    parser.add_argument("--cases", type=_count, default=200, help="transferred and synthetic (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mix", type=Path, help="JSON file with shares and probabilities; see synthesis/mix.py")
    parser.add_argument("--leave-out", nargs="*", default=[], choices=case_patients(), metavar="PATIENT",
                        help="take nothing from these patients")
    parser.add_argument("--jobs", type=int, default=1, help="processes; each takes some 1.5 GB")
    options = parser.parse_args(arguments)
    started = time.monotonic()

    def progress(done: int, total: int) -> None:
        print(f"{done}/{total} cases, {time.monotonic() - started:.0f} s", flush=True)

    try:
        mix = read_synthesis_mix(options.mix) if options.mix else SynthesisMix()
        make(Plan(options.out, options.data, options.cases, options.seed, mix, frozenset(options.leave_out)),
             options.jobs, progress)
    except FlareSegError as error:
        parser.exit(error.exit_code, f"{error}\n")


if __name__ == "__main__":
    main()
