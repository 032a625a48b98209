"""One disease at one place: what is asked for (`Operation`), what a disease is (`Disease`), and doing it (`apply`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FlareSegError
from . import parameters as typed
from .block import Change
from .case import LABEL_OF, UNKNOWN
from .scene import Scene

#: What happens to the labels of a lesion's voxels.
KEEP = "keep"              # labels stay as they are (apart from what is pushed aside)
JOIN = "join"              # the lesion belongs to its organ, also where it bulges out of it
BACKGROUND = "background"  # the lesion belongs to no organ


@dataclass(frozen=True)
class Operation:
    """A disease with its parameters at a place.

    Attributes
    ----------
    disease : str
        Name in the catalogue.
    organ : str
        "liver", "kidney", "spleen" or "pancreas"; "" for diseases of no single organ.
    parameters : dataclass
        Of the disease's own type.
    centre : tuple of float or None
        LPS, mm; None for diseases that need no place.
    seed : int
        Of everything random in it.
    label_rule : str
        `KEEP`, `JOIN` or `BACKGROUND`, one that the disease allows.
    """

    disease: str
    organ: str
    parameters: Any
    centre: tuple[float, ...] | None
    seed: int
    label_rule: str

    @property
    def place(self) -> tuple[float, ...]:
        """The centre, of a disease that needs one."""
        assert self.centre is not None, "whoever draws or reads an operation sees to it"
        return self.centre


Edit = Callable[[Scene, Operation], Change]
Place = Callable[[Scene, Operation, np.random.Generator], tuple[float, ...]]
Parts = Callable[[Scene, Operation], tuple[Operation, ...]]


@dataclass(frozen=True)
class Disease:
    """An entry of the catalogue.

    Attributes
    ----------
    name : str
        Lower case with underscores; recipes use it, so it never changes.
    title, description : str
        For people; the description is one line on what it is clinically.
    organs : tuple of str
        Where it can be; empty: it concerns the whole scan.
    parameters : type
        Frozen dataclass of typed fields (`parameters`).
    edit : callable or None
        ``edit(scene, operation) -> Change``; pure.
    label_rules : tuple of str
        The allowed ones, the default first.
    place : callable or None
        ``place(scene, operation, rng) -> centre`` draws a place; None: the disease needs none.
    may_lie_outside : bool
        Whether a place outside the organ is accepted (a pseudocyst beside the pancreas).
    parts : callable or None
        A composition: ``parts(scene, operation) -> operations``, instead of `edit`.
    whole_organ : bool
        Whether it works on whole organs: seconds, not milliseconds.
    """

    name: str
    title: str
    description: str
    organs: tuple[str, ...]
    parameters: type
    edit: Edit | None = None
    label_rules: tuple[str, ...] = (KEEP,)
    place: Place | None = None
    may_lie_outside: bool = False
    parts: Parts | None = None
    whole_organ: bool = False


def check(disease: Disease, scene: Scene, operation: Operation) -> None:
    """Refuse an operation that cannot be done.

    Raises
    ------
    FlareSegError
        "bad_disease_parameter" (a parameter, organ or label rule that the disease does not have),
        "bad_disease_case" (the organ is not there), "disease_not_placed" (no place, or one outside the organ).
    """
    name, organ, centre = disease.name, operation.organ, operation.centre
    if type(operation.parameters) is not disease.parameters:
        raise FlareSegError("bad_disease_parameter", f"{name}: the parameters are those of another disease.")
    typed.check(name, operation.parameters)
    if operation.label_rule not in disease.label_rules:
        raise FlareSegError("bad_disease_parameter", f"{name}: label_rule is {operation.label_rule!r}; choose "
                                                     f"{', '.join(disease.label_rules)}.")
    if disease.organs and organ not in disease.organs:
        raise FlareSegError("bad_disease_parameter", f"{name}: organ is {organ!r}; choose {', '.join(disease.organs)}.")
    if isinstance(operation.seed, bool) or not isinstance(operation.seed, int) or not 0 <= operation.seed < 2**63:
        raise FlareSegError("bad_disease_parameter", f"{name}: seed is {operation.seed!r}; choose 0 to 2^63 - 1.")
    if disease.organs:
        scene.organ(organ)
    if disease.place is None:
        return
    if centre is None:
        raise FlareSegError("disease_not_placed", f"{name} needs a place: a point in the {organ}.")
    if not disease.may_lie_outside and scene.label_at(centre) != LABEL_OF[organ]:
        raise FlareSegError("disease_not_placed", f"{name}: the place lies outside the {organ}; choose a point in it.")


def apply(disease: Disease, scene: Scene, operation: Operation) -> Change:
    """Do one operation (not a composition) on a scene; pure.

    Raises
    ------
    FlareSegError
        See `check`; also "disease_not_placed" where the disease finds no room.
    """
    if disease.edit is None:
        raise ValueError(f"{disease.name} is a composition; apply its parts")
    check(disease, scene, operation)
    change = disease.edit(scene, operation)
    _assert_sound(scene, change)
    return change


def _assert_sound(scene: Scene, change: Change) -> None:
    """What holds for every disease; a failure is a defect of the disease, not of its user."""
    before = scene.case.labels[change.box]
    assert change.hu.dtype == np.int16 and change.labels.dtype == np.uint8
    assert change.hu.shape == change.labels.shape == before.shape
    assert np.array_equal(change.labels == UNKNOWN, before == UNKNOWN), "unknown voxels were changed"
    assert change.jacobian > 0, "the displacement folds"


def draw(disease: Disease, scene: Scene, organ: str, rng: np.random.Generator, parameters: Any = None,
         label_rule: str | None = None) -> Operation:
    """Draw an operation: parameters (where none are given), seed and place.

    Raises
    ------
    FlareSegError
        "bad_disease_case" without the organ, "disease_not_placed" without room.
    """
    if disease.organs:
        scene.organ(organ)
    if parameters is None:
        parameters = typed.sample(disease.parameters, rng)
    operation = Operation(disease.name, organ, parameters, None, int(rng.integers(2**31)),
                          label_rule or disease.label_rules[0])
    if disease.place is None:
        return operation
    return Operation(disease.name, organ, parameters, disease.place(scene, operation, rng), operation.seed,
                     operation.label_rule)


def perform(find: Callable[[str], Disease], scene: Scene, operation: Operation, in_place: bool = False
            ) -> tuple[Scene, tuple[tuple[Operation, Change], ...]]:
    """Do an operation, or all parts of a composition, one after the other.

    Parameters
    ----------
    find : callable
        Name to `Disease`: ``catalogue.find``.
    in_place : bool
        Edit the scene's own arrays, see `Scene.after`.

    Returns
    -------
    scene : Scene
        Afterwards.
    done : tuple of (Operation, Change)
        What was done, compositions resolved; a part for which its forerunners left no room is left out.

    Raises
    ------
    FlareSegError
        See `check`.
    """
    disease = find(operation.disease)
    scene.measure_what_lasts()
    if disease.parts is None:
        change = apply(disease, scene, operation)
        return scene.after(change, in_place), ((operation, change),)
    typed.check(disease.name, operation.parameters)
    done: list[tuple[Operation, Change]] = []
    for part in disease.parts(scene, operation):
        try:
            scene, more = perform(find, scene, part, in_place or bool(done))
        except FlareSegError as error:
            if error.code != "disease_not_placed":
                raise
            continue
        done += more
    if not done:
        raise FlareSegError("disease_not_placed", f"{disease.name}: there is no room for it.")
    return scene, tuple(done)
