"""A batch of simulated cases as one job: what a worker process gets, and what it says when it is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FlareSegError

if TYPE_CHECKING:
    from .batch import Plan

TASK = "simulate"


@dataclass(frozen=True)
class SimulateJob:
    """What is simulated; see `flareseg simulate`.

    Attributes
    ----------
    cases : tuple of str
        A data set's folder, or files in pairs.
    output : str
        Folder of the new data set.
    layout : str
        A key of `datasets.LAYOUTS`.
    model : dict
        A recipe's or a mix' JSON document.
    variants, seed, jobs : int
    originals : bool
    """

    cases: tuple[str, ...]
    output: str
    layout: str = "v2"
    model: dict[str, Any] = dataclasses.field(default_factory=dict)
    variants: int = 4
    seed: int = 0
    jobs: int = 1
    originals: bool = True

    @property
    def targets(self) -> tuple[str, ...]:
        """Files whose folders may hold temporary ones: none, a batch that is begun again cleans its own up."""
        return ()

    def as_fields(self) -> dict[str, Any]:
        """As JSON."""
        return {"task": TASK, **dataclasses.asdict(self), "cases": list(self.cases)}

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> SimulateJob:
        """From JSON.

        Raises
        ------
        FlareSegError
            "bad_option", which names the field.
        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        given = {name: value for name, value in fields.items() if name not in ("type", "task")}
        unknown = sorted(set(given) - set(known)) or [name for name in ("cases", "output") if name not in given]
        if unknown:
            raise FlareSegError("bad_option", f"The job's field {unknown[0]} is unknown or missing.")
        kinds = {"cases": list, "output": str, "layout": str, "model": dict, "variants": int, "seed": int, "jobs": int,
                 "originals": bool}
        for name, value in given.items():
            if not isinstance(value, kinds[name]) or (kinds[name] is int and isinstance(value, bool)):
                raise FlareSegError("bad_option", f"The job's field {name} is not a {kinds[name].__name__}.")
        return cls(**{**given, "cases": tuple(map(str, given["cases"]))})

    def plan(self) -> Plan:
        """Return the batch's `Plan`.

        Raises
        ------
        FlareSegError
            "bad_option", and what reading sources, mix or recipe raises.
        """
        from .batch import MOST_VARIANTS, Plan
        from .catalogue import find
        from .datasets import LAYOUTS
        from .mix import FORMAT, mix_from
        from .recipe import recipe_from
        from .sources import find_sources

        if self.layout not in LAYOUTS or not 1 <= self.variants <= MOST_VARIANTS or self.seed < 0 or self.jobs < 1:
            raise FlareSegError("bad_option", f"Choose a layout of {', '.join(LAYOUTS)}, 1 to {MOST_VARIANTS} "
                                              "variants, a seed of 0 or more and at least one process.")
        inside = [case for case in self.cases if Path(self.output).resolve().is_relative_to(Path(case).resolve())]
        if inside:
            raise FlareSegError("bad_option", f"{self.output} lies in {inside[0]}; write the new data set elsewhere.")
        model = (mix_from if self.model.get("format") == FORMAT else recipe_from)(self.model, find)
        return Plan(find_sources(list(self.cases)), Path(self.output), LAYOUTS[self.layout], model, self.variants,
                    self.seed, self.originals)

    def run(self, progress: Callable[[int, int], None] = lambda done, total: None) -> dict[str, Any]:
        """Make what is not there yet; return what became of it as JSON.

        Raises
        ------
        FlareSegError
            See `batch.run_batch`.
        """
        from .batch import run_batch
        from .catalogue import find

        plan = self.plan()
        outcome = run_batch(plan, find, self.jobs, progress)
        return {**dataclasses.asdict(outcome), "contact_sheets": sorted(map(str, plan.out.glob("contact_sheet_*.png")))}
