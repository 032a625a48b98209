"""A made training set as the plain loop's cases: slices stay on disk, kinds are drawn in the mix's shares."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...errors import FlareSegError
from ..cases import TrainingCase
from ..slice_store import CaseRecord, SliceStore, open_array, open_store
from .make import PLAN_FILE, Origin, read_origin
from .mix import KINDS, SynthesisMix, mix_from

#: Arrays that are open at once: systems allow a process a thousand files or so.
MOST_OPEN = 128


def training_cases(store: Path, left_out: frozenset[str] = frozenset(), kinds: tuple[str, ...] = KINDS,
                   without: frozenset[str] = frozenset()) -> list[TrainingCase]:
    """Open a store that `make` has made.

    Parameters
    ----------
    left_out : frozenset of str
        Patients of whom nothing is to be seen: neither their CTs nor cases made of them.
    kinds : tuple of str
        Of `KINDS`: which to take; their shares stay in proportion.
    without : frozenset of str
        Of "diseases" and "donors": made cases that have any are not taken. For measuring what an ingredient adds.

    Returns
    -------
    list of TrainingCase
        Weights of each kind add up to its share in the mix; within a kind all cases weigh alike, real ones as the list
        of training cases says. Slices are read from disk when they are drawn.

    Raises
    ------
    FlareSegError
        "not_found" where there is no such store, "bad_training_data" for a damaged one or one that holds nothing.
    """
    store = Path(store)
    opened, mix, origins = _opened_set(store)
    chosen = [(case, origin) for case in opened.cases for origin in (origins[case.record.name],)
              if origin["patient"] not in left_out and origin["kind"] in kinds
              and not any(origin.get(key) for key in without)]
    if not chosen:
        raise FlareSegError("bad_training_data", f"{store} holds no such case of other patients than those left out.")
    total = {kind: sum(origin["weight"] for _, origin in chosen if origin["kind"] == kind) for kind in KINDS}
    return [TrainingCase(case.record.name, origin["patient"], DiskSlices(store, case.record, "image"),
                         DiskSlices(store, case.record, "labels"), tuple(origin["unlabelled"]),
                         getattr(mix, origin["kind"]) * origin["weight"] / total[origin["kind"]],
                         case.record.slices_with, opened.description.working_spacing or case.record.spacing[0])
            for case, origin in chosen if getattr(mix, origin["kind"]) > 0]


def joint_training_cases(stores: Sequence[Path], left_out: frozenset[str] = frozenset(), kinds: tuple[str, ...] = KINDS,
                         without: frozenset[str] = frozenset()) -> list[TrainingCase]:
    """`training_cases` of several stores, each drawn as often as it has cases.

    Raises
    ------
    FlareSegError
        As `training_cases`.
    """
    sets = [training_cases(store, left_out, kinds, without) for store in stores]
    return [replace(case, weight=case.weight * len(cases)) for cases in sets for case in cases]


def fully_labelled(store: Path) -> SliceStore:
    """The store without cases of which an organ was not drawn, for trainers that take background for background.

    Raises
    ------
    FlareSegError
        As `training_cases`.
    """
    opened, _, origins = _opened_set(Path(store))
    return replace(opened, cases=tuple(case for case in opened.cases if not origins[case.record.name]["unlabelled"]))


def _opened_set(store: Path) -> tuple[SliceStore, SynthesisMix, dict[str, Origin]]:
    """The store, its mix, and the origin of each case by name."""
    opened = open_store(store)
    try:
        mix = mix_from(json.loads((store / PLAN_FILE).read_text(encoding="utf-8"))["mix"])
        origins = {case.record.name: read_origin(store, case.record.name) for case in opened.cases}
    except (OSError, ValueError, KeyError) as error:
        raise FlareSegError("bad_training_data", f"{store} is a slice store but no synthesised training set, or a "
                                                 "damaged one; make it again.") from error
    return opened, mix, origins


class DiskSlices:
    """The slices of one of a case's two arrays, read as those of an array in memory are."""

    def __init__(self, store: Path, record: CaseRecord, part: str) -> None:
        self._path, self._count = store / f"{record.name}.{part}.b2nd", record.slices

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int | slice) -> np.ndarray:
        return _opened(self._path)[place]


_opened = lru_cache(maxsize=MOST_OPEN)(open_array)
