"""What a network was trained on, read from its training sets: cases by kind, CTs, label maps, and under which terms."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict

from ..errors import FlareSegError
from ..models.bundle import ModelBundle
from .cases import case_patients, read_case_list
from .synthesis.make import Origin, read_origin
from .synthesis.mix import KINDS
from .synthesis.stored import training_cases

LABEL_SOURCES = Path(__file__).with_name("label_sources.json")
#: What a licence that allows derived works, commercial ones too, does not have in its name.
RESTRICTIONS = ("NC", "ND")


class LabelSource(TypedDict):
    """An entry of label_sources.json: label maps without images, and how their names begin in a case's origin."""

    folder: str
    begins: str
    source: str
    licence: str
    restricted: bool


class UsedSource(TypedDict):
    """CTs or label maps that something was made of: under which terms, in how many cases.

    "labels" is the kind of a CT's own labels, which label maps alone do not have.
    """

    name: str
    source: str
    licence: str
    labels: NotRequired[str]
    restricted: bool
    cases: int


class TrainingData(TypedDict):
    """What a network was trained on: numbers of cases by kind, CTs, label maps.

    Of the cases, those with diseases, and those of which something beyond partial labels is ignored
    (`synthesis.beyond`). "begun_with" names a model that the training went on from, after its "steps_before";
    what that one was trained on is counted, too.
    """

    begun_with: NotRequired[str]
    steps_before: NotRequired[int]
    cases: dict[str, int]
    with_diseases: int
    with_ignored: int
    cts: list[UsedSource]
    labels: list[UsedSource]


def allows_derived_works(licence: str) -> bool:
    """Whether a CT's licence allows pictures of it, with attribution.

    Examples
    --------
    >>> [allows_derived_works(licence) for licence in ("CC BY 4.0", "CC BY-NC-ND 3.0", "AMOS", "Apache-2.0")]
    [True, False, False, True]
    """
    return licence.startswith(("CC BY", "Apache")) and not any(word in licence for word in RESTRICTIONS)


def training_data(stores: Sequence[Path], left_out: frozenset[str] = frozenset(), kinds: tuple[str, ...] = KINDS,
                  without: frozenset[str] = frozenset()) -> TrainingData:
    """Return what of synthesised training sets a training takes; the arguments are those of `training_cases`.

    Raises
    ------
    FlareSegError
        As `training_cases`; "bad_training_data" for a source that the lists do not have.
    """
    origins = _origins(stores, left_out, kinds, without)
    used: Counter[str] = Counter()
    for origin in origins:
        used.update({_source_of(name) for name in
                     (origin["patient"], origin.get("target", ""), *origin.get("donors", ())) if name})
    entries = {entry["patient"]: entry for entry in reversed(read_case_list())}
    cts: list[UsedSource] = [
        {"name": name, "source": entry["source"], "licence": entry["licence"], "labels": entry["kind"],
         "restricted": not allows_derived_works(entry["licence"]), "cases": used[name]}
        for name, entry in reversed(entries.items()) if used[name]]
    labels: list[UsedSource] = [
        {"name": source["folder"] or source["begins"], "source": source["source"], "licence": source["licence"],
         "restricted": source["restricted"], "cases": used[source["begins"]]}
        for source in _label_sources() if used[source["begins"]]]
    return {"cases": dict(Counter(origin["kind"] for origin in origins)),
            "with_diseases": sum(bool(origin.get("diseases")) for origin in origins),
            "with_ignored": sum("ignored" in origin for origin in origins), "cts": cts, "labels": labels}


def _origins(stores: Sequence[Path], left_out: frozenset[str], kinds: tuple[str, ...],
             without: frozenset[str]) -> list[Origin]:
    """Of all cases; a real CT that lies in several stores counts once, while made cases of several may share a name."""
    real: dict[str, Origin] = {}
    made: list[Origin] = []
    for store in map(Path, stores):
        for case in training_cases(store, left_out, kinds, without):
            origin = read_origin(store, case.name)
            if origin["kind"] == "real":
                real[case.name] = origin
            else:
                made.append(origin)
    return [*real.values(), *made]


def begun_with(bundle: ModelBundle, data: TrainingData) -> TrainingData:
    """Return `data` and what a model was trained on that the training went on from; a real CT of both counts once.

    Raises
    ------
    FlareSegError
        "bad_training_data" for a model that does not tell what it was trained on.
    """
    before: TrainingData | None = bundle.training.get("data")
    if before is None or "protocol" not in bundle.training:
        raise FlareSegError("bad_training_data", f"{bundle.folder} does not tell what it was trained on.")
    real_twice = min(each["cases"].get("real", 0) for each in (before, data))
    cases = {kind: before["cases"].get(kind, 0) + data["cases"].get(kind, 0) for kind in KINDS}
    cases["real"] -= real_twice
    cts_of = Counter(entry["patient"] for entry in read_case_list()) if real_twice else Counter[str]()
    return {"begun_with": f"{bundle.name} {bundle.version}", "steps_before": bundle.training["protocol"]["steps"],
            "cases": {kind: n for kind, n in cases.items() if n},
            "with_diseases": before["with_diseases"] + data["with_diseases"],
            "with_ignored": before["with_ignored"] + data["with_ignored"],
            "cts": _both(before["cts"], data["cts"], cts_of), "labels": _both(before["labels"], data["labels"], {})}


def _both(before: list[UsedSource], now: list[UsedSource], twice: Mapping[str, int]) -> list[UsedSource]:
    """Sources of two trainings; `twice` tells how many cases of one that both have are the same."""
    joined = {each["name"]: each for each in before}
    for each in now:
        known = joined.get(each["name"])
        more = known["cases"] - twice.get(each["name"], 0) if known else 0
        joined[each["name"]] = {**each, "cases": each["cases"] + more}
    return list(joined.values())


def licence_sentence(data: TrainingData) -> str:
    """The terms of a network trained on `training_data`: those of the strictest of its sources."""
    strict: dict[str, list[str]] = {}
    for each in (*data["cts"], *data["labels"]):
        if each["restricted"]:
            strict.setdefault(each["licence"], []).append(each["source"])
    if not strict:
        every = dict.fromkeys(each["licence"] for each in (*data["cts"], *data["labels"]))
        return f"Free use with attribution; trained on data under {', '.join(every)}."
    listed = "; ".join(f"{licence} ({', '.join(sources)})" for licence, sources in strict.items())
    return f"For research use only, not for commercial purposes. Trained in part on data under: {listed}."


def _source_of(name: str) -> str:
    """A patient of the CTs, or how the names of a label source begin."""
    if name in case_patients():
        return name
    for source in _label_sources():
        if name.startswith(source["begins"]):
            return source["begins"]
    raise FlareSegError("bad_training_data", f"The training set has something of {name}, of which no terms are known; "
                                             f"add it to {LABEL_SOURCES.name}.")


def _label_sources() -> list[LabelSource]:
    return json.loads(LABEL_SOURCES.read_text(encoding="utf-8"))["sources"]
