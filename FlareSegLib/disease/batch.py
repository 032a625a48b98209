"""Many simulated cases: a data set with variants of each case, made by several processes, resumed after any end.

Every variant is a function of the plan, its case and its number alone, so that neither the number of processes nor
an interruption changes a voxel. Its files appear together, the recipe last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import FlareSegError
from ..jobs.claim import claim, sweep
from ..jobs.processes import Died, run_tasks, take_one_core
from ..jobs.staging import Staging
from .contact_sheet import draw_variant, write_contact_sheets
from .datasets import Item, Layout, plan_items, write_descriptions, write_nifti
from .hardness import measure_hardness
from .mix import Mix, draw_operations, mix_text
from .recipe import Find, Recipe, recipe_text
from .scene import Scene
from .simulation import Simulation, ready_scene, reinstantiated, simulate
from .sources import LoadedCase, SourceCase, load

PLAN_FILE = "simulation.json"
#: Folder of what a model makes of each variant's lesions.
HARDNESS = "hardness"
#: Draws of one variant before the best of those that missed the quality gate is kept.
ATTEMPTS = 2
MOST_VARIANTS = 1000

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """What a batch makes.

    Attributes
    ----------
    sources : tuple of SourceCase
        From `sources.find_sources`.
    out : Path
        The new data set's folder.
    layout : Layout
        One of `datasets.LAYOUTS`.
    recipe_or_mix : Recipe or Mix
        Variants are like the recipe, or drawn from the mix.
    variants : int
        For each case.
    seed : int
        Of the whole batch.
    originals : bool
        Whether the cases themselves are in the data set, too.
    model : str or None
        Model (name or folder) whose agreement with each lesion is kept in hardness/; None: not measured. It changes
        nothing else.
    """

    sources: tuple[SourceCase, ...]
    out: Path
    layout: Layout
    recipe_or_mix: Recipe | Mix
    variants: int = 4
    seed: int = 0
    originals: bool = True
    model: str | None = None

    @property
    def items(self) -> tuple[Item, ...]:
        """All cases of the new data set."""
        return plan_items(self.sources, self.variants, self.originals, self.layout)

    @property
    def document(self) -> dict[str, Any]:
        """What must be the same for a batch to go on."""
        model = self.recipe_or_mix
        kind, text = ("recipe", recipe_text(model)) if isinstance(model, Recipe) else ("mix", mix_text(model))
        return {"format": "flareseg-simulation", "version": 1, "tool": f"FlareSeg {__version__}", "synthetic": True,
                "layout": self.layout.key, "variants": self.variants, "seed": self.seed, "originals": self.originals,
                "cases": [{"name": source.name, "patient": source.patient} for source in self.sources],
                kind: json.loads(text)}


@dataclass(frozen=True)
class Outcome:
    """What became of a batch.

    Attributes
    ----------
    made, kept : int
        Cases that were written now, and those that were there.
    doubtful : tuple of str
        One line for each variant made now that missed the quality gate.
    failed : tuple of str
        One line for each case that could not be used.
    """

    made: int
    kept: int
    doubtful: tuple[str, ...]
    failed: tuple[str, ...]


def variant_seed(seed: int, case: str, variant: int) -> int:
    """Return a variant's seed: the first eight bytes of SHA-256 of ["seed", "case", variant] as JSON text."""
    text = json.dumps([seed, case, variant], separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:8], "little")


def run_batch(plan: Plan, find: Find, jobs: int = 1, progress: Progress = lambda done, total: None) -> Outcome:
    """Make what is not there yet of a plan.

    Parameters
    ----------
    find : callable
        Name to `Disease`; with several jobs one that can be pickled, as ``catalogue.find``.
    jobs : int
        Processes.

    Raises
    ------
    FlareSegError
        "output_exists" where the folder holds something else, "output_unwritable", "bad_option".
    KeyboardInterrupt
        On Ctrl-C, with a sentence; what is complete stays.
    """
    items = plan.items
    _claim(plan)
    missing = [item for item in items if not item.is_complete(plan.out, plan.layout)]
    done = len(items) - len(missing)
    progress(done, len(items))
    doubtful: list[str] = []
    failed: list[str] = []
    try:
        for report in _reports(plan, missing, find, jobs):
            done += len(report.names)
            doubtful += report.doubtful
            failed += report.failed
            progress(done, len(items))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Stopped; {done} of {len(items)} cases are complete, and the same command goes on "
                                "from there.") from None
    complete = [item for item in items if item.is_complete(plan.out, plan.layout)]
    if not complete:  # nothing could be used: the folder is as free as it was
        _disclaim(plan)
        return Outcome(0, 0, (), tuple(sorted(set(failed))))
    write_descriptions(plan.out, plan.layout, complete, [source.patient for source in plan.sources])
    write_contact_sheets(plan.out, [item.preview(plan.out) for item in complete if item.variant is not None])
    kept = len(items) - len(missing)
    return Outcome(len(complete) - kept, kept, tuple(sorted(doubtful)), tuple(sorted(set(failed))))


def _claim(plan: Plan) -> None:
    """Make the folder this plan's own, or refuse one that is something else's."""
    folders = (plan.layout.images, plan.layout.labels, "recipes", "previews", *([HARDNESS] if plan.model else []))
    claim(plan.out, PLAN_FILE, plan.document, folders, "simulation with other settings or cases")
    sweep(plan.out / name for name in folders)


def _disclaim(plan: Plan) -> None:
    """Remove what `_claim` made and nothing was put into."""
    (plan.out / PLAN_FILE).unlink(missing_ok=True)
    for folder in (*(each for each in plan.out.iterdir() if each.is_dir()), plan.out):
        with suppress(OSError):  # not empty: something of somebody else's
            folder.rmdir()


@dataclass(frozen=True)
class _Report:
    """What became of some items of one case."""

    names: tuple[str, ...]
    doubtful: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def _reports(plan: Plan, missing: list[Item], find: Find, jobs: int) -> Iterator[_Report]:
    tasks = [(plan, task, find) for task in _tasks(missing, jobs)]
    if jobs <= 1 or len(tasks) <= 1:
        for task in tasks:
            yield from _make(*task)
        return
    with closing(run_tasks(tasks, _make_all, jobs, take_one_core)) as ended:
        for (_, items, _), reports in ended:
            if isinstance(reports, Died):
                reports = [_Report((), (), (f"{items[0].source.name}: its process died {reports.attempts} times, most "
                                            "likely for want of memory; give the same command again with fewer "
                                            "--jobs.",))]
            yield from reports


def _tasks(missing: list[Item], jobs: int) -> list[list[Item]]:
    """Items of one case each, which is then read once; split where there are more processes than cases."""
    by_case: dict[str, list[Item]] = {}
    for item in missing:
        by_case.setdefault(item.source.name, []).append(item)
    parts = -(-jobs // len(by_case)) if by_case else 1
    return [list(part) for items in by_case.values() for part in (items[n::parts] for n in range(parts)) if part]


def _make_all(task: tuple[Plan, list[Item], Find]) -> list[_Report]:
    return list(_make(*task))


def _make(plan: Plan, task: list[Item], find: Find) -> Iterator[_Report]:
    """Make some items of one case; a case that cannot be used is told of, and the others go on."""
    try:
        loaded = load(task[0].source)
        scene = ready_scene(loaded.case) if any(item.variant is not None for item in task) else None
    except FlareSegError as error:
        yield _Report((), (), (str(error),))
        return
    for item in task:
        try:
            yield _make_item(plan, item, loaded, scene, find)
        except FlareSegError as error:
            if error.code == "output_unwritable":
                raise
            yield _Report((), (), (f"{item.name}: {error}",))


def _make_item(plan: Plan, item: Item, loaded: LoadedCase, scene: Scene | None, find: Find) -> _Report:
    if item.variant is None:
        _write_original(plan, item, loaded)
        return _Report((item.name,))
    assert scene is not None, "variants are made of one"
    simulation = draw_variant_of(plan, item, scene, find)
    hardness = None if plan.model is None else measure_hardness(loaded, scene, simulation, find, plan.model)
    _write_variant(plan, item, loaded, simulation, hardness)
    return _Report((item.name,), tuple(f"{item.name}: {fault}" for fault in simulation.verdict.faults))


def draw_variant_of(plan: Plan, item: Item, scene: Scene, find: Find) -> Simulation:
    """Draw a variant until it passes the quality gate; after some attempts the one with the fewest faults is taken.

    Raises
    ------
    FlareSegError
        "disease_not_placed" where nothing could be put into the case.
    """
    assert item.variant is not None, "an original is not drawn"
    best, reason = None, None
    for attempt in range(ATTEMPTS):
        rng = np.random.default_rng((variant_seed(plan.seed, item.source.name, item.variant), attempt))
        try:
            operations = (draw_operations(plan.recipe_or_mix, scene, rng, find) if isinstance(plan.recipe_or_mix, Mix)
                          else reinstantiated(plan.recipe_or_mix, scene, rng, find))
            found = simulate(scene.case, operations, find, skip=True, scene=scene)
        except FlareSegError as error:
            if error.code not in ("disease_not_placed", "bad_disease_case"):
                raise
            reason = error
            continue
        if found.steps and (best is None or len(found.verdict.faults) < len(best.verdict.faults)):
            best = found
        if best is not None and best.verdict.passed:
            break
    if best is None:
        raise reason or FlareSegError("disease_not_placed", "Nothing could be put into this case.")
    return best


def _write_original(plan: Plan, item: Item, loaded: LoadedCase) -> None:
    image, labels = loaded.case.volumes(loaded.order, loaded.ct)
    with Staging() as staging:
        with staging.file(item.image(plan.out, plan.layout)) as staged:
            write_nifti(image, staged)
        with staging.file(item.labels(plan.out, plan.layout)) as staged:
            write_nifti(labels, staged)
        staging.commit(overwrite=True)


def _write_variant(plan: Plan, item: Item, loaded: LoadedCase, simulation: Simulation,
                   hardness: list[dict[str, Any]] | None) -> None:
    recipe = simulation.recipe()
    image, labels = simulation.case.volumes(loaded.order, loaded.ct)
    note = f"FlareSeg synthetic {recipe.sha256[:16]}"
    with Staging() as staging:
        with staging.file(item.image(plan.out, plan.layout)) as staged:
            write_nifti(image, staged, note)
        with staging.file(item.labels(plan.out, plan.layout)) as staged:
            write_nifti(labels, staged, note)
        with staging.file(item.preview(plan.out)) as staged:
            draw_variant(loaded.case, simulation, item.name).save(staged)
        if hardness is not None:
            with staging.file(plan.out / HARDNESS / f"{item.name}.json") as staged:
                staged.write_text(json.dumps(hardness, indent=1), encoding="utf-8")
        with staging.file(item.recipe(plan.out)) as staged:
            staged.write_text(recipe_text(recipe), encoding="utf-8")
        staging.commit(overwrite=True)
