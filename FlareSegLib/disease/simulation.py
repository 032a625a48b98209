"""From a case and a list of operations to a simulated case, and from a recipe to the same or to a similar one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Labels
from ..errors import FlareSegError
from . import parameters as typed
from .block import Change
from .case import LABEL_OF, Case
from .operation import Operation, Place, perform
from .placing import draw_in_organ
from .quality import Finding, Verdict, contrast, judge_case, judge_operation
from .recipe import Effect, Find, Recipe, Source, Step, source_of
from .scene import Scene

#: ``watch(scene before, operation, change)``, called for each operation that was done.
Watch = Callable[[Scene, Operation, Change], None]
#: A new place lies as deep as the old one, give or take this and the share of the jitter.
DEPTH_TOLERANCE_MM = 2.0


@dataclass(frozen=True)
class Simulation:
    """A simulated case.

    Attributes
    ----------
    case : Case
        The result.
    source : Source
        What it was made from.
    steps : tuple of Step
        What was done, compositions resolved, with what it did.
    verdict : Verdict
        The quality gate's findings.
    skipped : tuple of str
        Why operations were left out; only with ``skip``.
    """

    case: Case
    source: Source
    steps: tuple[Step, ...]
    verdict: Verdict
    skipped: tuple[str, ...] = ()

    def recipe(self, operator: str = "", utc: str = "") -> Recipe:
        """Return the recipe that makes this case again."""
        return Recipe(self.source, self.steps, self.verdict, operator=operator, utc=utc)


def simulate(case: Case, operations: Iterable[Operation], find: Find, skip: bool = False,
             watch: Watch = lambda scene, operation, change: None, scene: Scene | None = None) -> Simulation:
    """Do operations one after the other.

    Parameters
    ----------
    operations : iterable of Operation
        Compositions too.
    find : callable
        Name to `Disease`: ``catalogue.find``.
    skip : bool
        Leave out operations for which there is no room (any more) instead of refusing.
    scene : Scene, optional
        `ready_scene` of the case, where several simulations begin with it.

    Raises
    ------
    FlareSegError
        See `operation.perform`; nothing has been changed then.
    """
    scene = scene or ready_scene(case)
    steps: list[Step] = []
    findings: list[tuple[Finding, ...]] = []
    skipped: list[str] = []
    for operation in operations:
        try:
            after, done = perform(find, scene, operation)
        except FlareSegError as error:
            if not skip or error.code != "disease_not_placed":
                raise
            skipped.append(str(error))
            continue
        labels = scene.case.labels
        for part, change in done:
            watch(scene, part, change)
            effect = _effect(scene, part, change, labels[change.box], steps[-1].effect if steps else None)
            steps.append(Step(part, operation.disease if part.disease != operation.disease else "", effect))
            findings.append(judge_operation(scene, part, change))
            labels = _with(labels, change) if len(done) > 1 else labels
        scene = after
        scene.measure_what_lasts()
    verdict = Verdict(tuple(findings), judge_case(case, scene.case, [step.operation for step in steps],
                                                  [step.effect.box for step in steps]))
    return Simulation(scene.case, source_of(case), tuple(steps), verdict, tuple(skipped))


def ready_scene(case: Case) -> Scene:
    """A scene that drawing, simulating and replaying begin with: what lasts is measured."""
    scene = Scene(case)
    scene.measure_what_lasts()
    return scene


def _with(labels: Labels, change: Change) -> Labels:
    labels = labels.copy()
    labels[change.box] = change.labels
    return labels


def _effect(scene: Scene, operation: Operation, change: Change, labels: Labels, last: Effect | None) -> Effect:
    """Measure an operation; `labels` are those of its box just before it, `last` is the effect of the one before."""
    grid = scene.case.grid
    found = contrast(scene, operation, change)
    lesion = None if change.cover is None else round(float(change.cover.sum(dtype=float)) * grid.voxel_ml, 4)
    return Effect(change.box, lesion, None if found is None else round(found.requested, 2),
                  None if found is None else round(found.achieved, 2), round(float(change.jacobian), 4),
                  _depth(scene, operation), _volumes(scene.case, change, labels, last))


def _volumes(case: Case, change: Change, labels: Labels, last: Effect | None) -> dict[str, tuple[float, float]]:
    """Volume of each organ before and after, ml; only the box is counted anew."""
    if last is None:
        whole = np.bincount(case.labels.ravel(), minlength=256)
        before = {name: float(whole[label]) * case.grid.voxel_ml for name, label in LABEL_OF.items() if whole[label]}
    else:
        before = {name: ml for name, (_, ml) in last.organs_ml.items()}
    counts = [np.bincount(array.ravel(), minlength=256).astype(float) for array in (labels, change.labels)]
    gained = {name: (counts[1][label] - counts[0][label]) * case.grid.voxel_ml for name, label in LABEL_OF.items()}
    return {name: (round(ml, 4), round(max(0.0, ml + gained[name]), 4)) for name, ml in before.items()}


def _depth(scene: Scene, operation: Operation) -> float | None:
    """How deep in its organ an operation's place lies, mm; negative outside."""
    if operation.centre is None or not operation.organ:
        return None
    depth = scene.depth(operation.organ)
    node = (scene.case.grid.index_of(operation.centre) - [part.start for part in depth.box]) / depth.steps
    node = np.clip(np.rint(node).astype(int), 0, np.array(depth.mm.shape) - 1)
    return round(float(depth.mm[tuple(node)]), 2)


def replay(recipe: Recipe, case: Case, find: Find, elsewhere: bool = False) -> Case:
    """Make a recipe's case again: on the same platform every voxel is the same.

    Parameters
    ----------
    elsewhere : bool
        Also do it on another case, at the same places in patient coordinates.

    Raises
    ------
    FlareSegError
        "bad_recipe" for another source; what `operation.check` raises.
    """
    difference = "" if elsewhere else recipe.source.difference(source_of(case))
    if difference:
        raise FlareSegError("bad_recipe", f"The recipe was made for another case ({difference}); give that one, or "
                                          "draw a similar case from the recipe.")
    scene = ready_scene(case)
    for operation in recipe.operations:
        scene, _ = perform(find, scene, operation)
        scene.measure_what_lasts()
    return scene.case


def reinstantiated(recipe: Recipe, scene: Scene, rng: np.random.Generator, find: Find,
                   share: float = 0.2) -> tuple[Operation, ...]:
    """Draw operations like those of a recipe, for this or any other case.

    Numbers move by up to `share`, seeds are new, and places are drawn anew: in the same organ, about as deep.
    Operations whose organ is not there are left out.

    Raises
    ------
    FlareSegError
        "bad_disease_case" where none is left.
    """
    drawn = []
    for step in recipe.steps:
        old = step.operation
        if old.organ and not scene.has(old.organ):
            continue
        new = replace(old, parameters=typed.jittered(old.parameters, rng, share), seed=int(rng.integers(2**31)),
                      centre=None)
        place = find(old.disease).place
        if place is not None:
            new = replace(new, centre=_new_place(new, place, step.effect.depth_mm, scene, rng, share))
        drawn.append(new)
    if not drawn:
        raise FlareSegError("bad_disease_case", "The label map holds none of the organs that the recipe is about.")
    return tuple(drawn)


def _new_place(operation: Operation, place: Place, depth_mm: float | None, scene: Scene, rng: np.random.Generator,
               share: float) -> tuple[float, ...]:
    """As deep as before; where that is unknown or outside, wherever the disease likes to be."""
    if depth_mm is None or depth_mm < 0:
        return place(scene, operation, rng)
    reach = depth_mm * share + DEPTH_TOLERANCE_MM
    return draw_in_organ(scene, operation.organ, rng, (depth_mm - reach, depth_mm + reach))
