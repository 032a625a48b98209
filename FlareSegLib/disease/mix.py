"""Which diseases a simulated data set has, and how often: a weighted list, as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FlareSegError
from . import parameters as typed
from .case import LABEL_OF
from .document import Fields, check_format, read_document, whole_text
from .operation import Disease, Operation, draw
from .scene import Scene

FORMAT, VERSION = "flareseg-mix", 1
MOST_ENTRIES = 200
#: A disease for which there is no room is replaced by another one, so many times.
ATTEMPTS = 20


@dataclass(frozen=True)
class Entry:
    """A disease of a mix.

    Attributes
    ----------
    disease : str
        Name in the catalogue.
    weight : float
        How often, relative to the others.
    organ : str
        Only there; "" for any of its organs that the case has.
    count : tuple of int
        At least and at most so many of it at once.
    parameters : tuple of (name, value)
        Fixed ones; the others are drawn.
    """

    disease: str
    weight: float
    organ: str = ""
    count: tuple[int, int] = (1, 1)
    parameters: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Mix:
    """Diseases with weights.

    Attributes
    ----------
    entries : tuple of Entry
        At least one.
    diseases : tuple of int
        At least and at most so many entries are drawn for one case.
    """

    entries: tuple[Entry, ...]
    diseases: tuple[int, int] = (1, 2)


#: In the order of usefulness for robust organs: what teams of FLARE21 named as failures (renal masses, fatty livers,
#: a swollen pancreas, another contrast phase) comes often; what changes hardly an outline comes rarely.
DEFAULT_MIX = Mix((
    Entry("contrast_phase", 10), Entry("renal_mass", 12), Entry("fatty_liver", 8), Entry("hypo_metastases", 7),
    Entry("pancreatic_mass", 8), Entry("renal_cyst", 7, count=(1, 4)), Entry("polycystic_kidneys", 2),
    Entry("hcc", 6), Entry("pancreatitis", 6), Entry("splenomegaly", 4), Entry("hepatomegaly", 3), Entry("atrophy", 4),
    Entry("pancreatic_cyst", 3), Entry("pancreatic_pseudocyst", 2), Entry("hydronephrosis", 4),
    Entry("absent_organ", 3),
    Entry("resection", 1), Entry("hepatectomy", 1), Entry("distal_pancreatectomy", 1), Entry("cirrhosis", 3),
    Entry("ascites", 4), Entry("pleural_effusion", 1), Entry("abscess", 3), Entry("laceration", 1),
    Entry("subcapsular_haematoma", 2), Entry("infarct", 2, count=(1, 3)), Entry("haemangioma", 2), Entry("lymphoma", 2),
    Entry("stone", 1, count=(1, 3)), Entry("calcifications", 1), Entry("clips", 1), Entry("stent", 1),
    Entry("biliary_dilatation", 1), Entry("portal_thrombosis", 1), Entry("hepatic_gas", 1), Entry("acquisition", 3)))

Find = Callable[[str], Disease]


def default_mix(known: Container[str]) -> Mix:
    """Return the default mix as far as a catalogue has its diseases."""
    return replace(DEFAULT_MIX, entries=tuple(entry for entry in DEFAULT_MIX.entries if entry.disease in known))


def alike(mix: Mix) -> Mix:
    """Return a mix of the same diseases, each as often as the others.

    Examples
    --------
    >>> {entry.weight for entry in alike(DEFAULT_MIX).entries}
    {1.0}
    """
    return replace(mix, entries=tuple(replace(entry, weight=1.0) for entry in mix.entries))


def read_mix(path: str | Path, find: Find) -> Mix:
    """Read a mix.

    Raises
    ------
    FlareSegError
        "not_found", "unreadable"; "bad_recipe" names the field.
    """
    return mix_from(read_document(path), find)


def mix_from(document: Any, find: Find) -> Mix:
    """A mix from a JSON document: format, version, diseases_per_case [low, high] and entries.

    Raises
    ------
    FlareSegError
        "bad_recipe", which names the field.

    Examples
    --------
    >>> from FlareSegLib.disease.catalogue import find
    >>> mix_from({"format": "flareseg-mix", "version": 1, "entries": [
    ...     {"disease": "renal_cyst", "weight": 2, "parameters": {"hu": 70}}]}, find).entries[0].parameters
    (('hu', 70),)
    """
    fields = Fields(document, "mix")
    check_format(fields, FORMAT, VERSION)
    low, high = _range(fields, "diseases_per_case", [1, 2])
    entries = tuple(_entry_from(each, find) for each in fields.objects("entries", MOST_ENTRIES))
    fields.close()
    if not any(entry.weight > 0 for entry in entries):
        fields.refuse("entries", [], "a list in which at least one weight is positive")
    return Mix(entries, (low, high))


def _range(fields: Fields, name: str, default: list[int]) -> tuple[int, int]:
    wanted = "a pair of whole numbers: [at least, at most]"
    value = fields.value(name, wanted, default)
    if not isinstance(value, list) or len(value) != 2:
        fields.refuse(name, value, wanted)
    ends = Fields(dict(zip(("low", "high"), value)), f"{fields.where}: {name}")
    low = ends.whole("low", 1, 50)
    return low, ends.whole("high", low, 50)


def _entry_from(fields: Fields, find: Find) -> Entry:
    name, given = fields.text("disease"), fields.fields("parameters", {})
    parameters = {each: given.value(each, "a value") for each in given.names()}
    try:
        disease = find(name)
        typed.from_json(name, disease.parameters, parameters)
    except FlareSegError as error:
        raise FlareSegError("bad_recipe", f"{fields.where}: {error}") from error
    organ = fields.text("organ", "")
    if organ and organ not in disease.organs:
        fields.refuse("organ", organ, f"one of {', '.join(disease.organs)}, or left out")
    entry = Entry(name, fields.number("weight", 0, 1e6), organ, _range(fields, "count", [1, 1]),
                  tuple(sorted(parameters.items())))
    fields.close()
    return entry


def mix_text(mix: Mix) -> str:
    """Return the JSON document of a mix."""
    entries = []
    for entry in mix.entries:
        fields: dict[str, Any] = {"disease": entry.disease, "weight": float(entry.weight)}
        fields |= {"organ": entry.organ} if entry.organ else {}
        fields |= {"count": list(entry.count)} if entry.count != (1, 1) else {}
        entries.append(fields | ({"parameters": dict(entry.parameters)} if entry.parameters else {}))
    return whole_text({"format": FORMAT, "version": VERSION, "diseases_per_case": list(mix.diseases),
                       "entries": json.loads(json.dumps(entries))})


def draw_operations(mix: Mix, scene: Scene, rng: np.random.Generator, find: Find) -> tuple[Operation, ...]:
    """Draw the diseases of one case.

    A disease whose organ is not there, or that finds no room, is replaced by another one of the mix.

    Raises
    ------
    FlareSegError
        "disease_not_placed" where nothing of the mix can be put into this case.
    """
    wanted = int(rng.integers(mix.diseases[0], mix.diseases[1] + 1))
    left = [entry for entry in mix.entries if entry.weight > 0]
    operations: list[Operation] = []
    for _ in range(wanted + ATTEMPTS):
        if wanted == 0 or not left:
            break
        weights = np.array([entry.weight for entry in left], float)
        # One disease comes once only in a case; how many lesions it has, its count says.
        entry = left.pop(int(rng.choice(len(left), p=weights / weights.sum())))
        drawn = _draw_entry(entry, find(entry.disease), scene, rng)
        operations += drawn
        wanted -= bool(drawn)
    if not operations:
        raise FlareSegError("disease_not_placed", "None of the mix's diseases can be put into this case; its organs "
                                                  "are missing or too small.")
    return tuple(operations)


def _draw_entry(entry: Entry, disease: Disease, scene: Scene, rng: np.random.Generator) -> list[Operation]:
    """The operations of an entry; none where it cannot be placed."""
    organs = [name for name in LABEL_OF if name in disease.organs and entry.organ in ("", name) and scene.has(name)]
    if disease.organs and not organs:
        return []
    organ = organs[int(rng.integers(len(organs)))] if organs else ""
    drawn = []
    for _ in range(int(rng.integers(entry.count[0], entry.count[1] + 1))):
        try:
            drawn.append(draw(disease, scene, organ, rng, _parameters(entry, disease, rng)))
        except FlareSegError as error:
            if error.code not in ("disease_not_placed", "bad_disease_case"):
                raise
    return drawn


def _parameters(entry: Entry, disease: Disease, rng: np.random.Generator) -> Any:
    drawn = typed.sample(disease.parameters, rng)
    return type(drawn)(**{**vars(drawn), **dict(entry.parameters)})
