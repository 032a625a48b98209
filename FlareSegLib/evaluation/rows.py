"""The figures of an evaluation: one row a case and organ, and the files they are kept in."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from .. import __version__
from ..errors import FlareSegError

#: Raised whenever a field changes its meaning or goes away.
SCHEMA_VERSION = 1
SUFFIXES = (".csv", ".json")

#: What a reference is: drawn by people; the output of another model, which is no ground truth; a phantom's own truth.
REFERENCE_KINDS = ("manual", "silver", "synthetic", "unstated")
METRICS = ("dice", "sensitivity", "precision", "nsd")


@dataclass(frozen=True)
class Score:
    """Agreement of one organ in one case; Dice, sensitivity, precision and NSD from 0 to 1.

    Attributes
    ----------
    case, organ : str
        Which case, which organ.
    dice, sensitivity, precision : float
        See `agreement`.
    nsd : float or None
        See `surface`; None where part of the reference is not annotated, which leaves its surface open.
    tolerance_mm : float
        Tolerance of `nsd`.
    prediction_ml, reference_ml : float
        Volumes.
    """

    case: str
    organ: str
    dice: float
    sensitivity: float
    precision: float
    nsd: float | None
    tolerance_mm: float
    prediction_ml: float
    reference_ml: float


@dataclass(frozen=True)
class Cost:
    """What one case took. None where it was not measured.

    Attributes
    ----------
    seconds : float or None
        Wall clock from the start of the program to its end.
    gpu_mb : float or None
        "Maximum GPU memory when stable" (`resources.stable_maximum`), MiB.
    """

    case: str
    seconds: float | None
    gpu_mb: float | None


@dataclass(frozen=True)
class Evaluation:
    """One model against one set of references.

    Attributes
    ----------
    name : str
        What tables and figures call the model.
    data : str
        What they call the set of cases.
    reference_kind : str
        One of `REFERENCE_KINDS`.
    rules : str
        Name of the challenge rules.
    scores : tuple of Score
        By case, organs in their order.
    costs : tuple of Cost
        Empty where nothing was measured.
    notes : tuple of str
        What a reader of the figures must know.
    """

    name: str
    data: str
    reference_kind: str
    rules: str
    scores: tuple[Score, ...]
    costs: tuple[Cost, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def cases(self) -> tuple[str, ...]:
        """Names of the cases, in order."""
        return tuple(dict.fromkeys(score.case for score in self.scores))

    @property
    def organs(self) -> tuple[str, ...]:
        """Names of the organs, in order."""
        return tuple(dict.fromkeys(score.organ for score in self.scores))

    def values(self, metric: str, organ: str) -> dict[str, float]:
        """Values of one metric of one organ by case; those that are not defined are left out."""
        found = {score.case: getattr(score, metric) for score in self.scores if score.organ == organ}
        return {case: value for case, value in found.items() if value is not None}

    def case_means(self, metric: str) -> dict[str, float]:
        """Mean of one metric over a case's organs, by case."""
        return {case: sum(values) / len(values) for case in self.cases
                if (values := [value for score in self.scores
                               if score.case == case and (value := getattr(score, metric)) is not None])}

    def cost_values(self, name: str) -> dict[str, float]:
        """"seconds" or "gpu_mb" by case, where measured."""
        return {cost.case: value for cost in self.costs if (value := getattr(cost, name)) is not None}


def to_json(evaluation: Evaluation) -> str:
    """Return an evaluation as JSON text; `read_evaluation` reads it."""
    content = {"schema_version": SCHEMA_VERSION, "flareseg_version": __version__, **asdict(evaluation)}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(evaluation: Evaluation) -> str:
    """Return one line a case and organ, with the kind of reference, the rules and the costs in each."""
    costs = {cost.case: cost for cost in evaluation.costs}
    stream = io.StringIO()
    names = [field.name for field in fields(Score)]
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*names, "reference_kind", "rules", "seconds", "gpu_mb"])
    for score in evaluation.scores:
        cost = costs.get(score.case, Cost(score.case, None, None))
        writer.writerow([*asdict(score).values(), evaluation.reference_kind, evaluation.rules, cost.seconds,
                         cost.gpu_mb])
    return stream.getvalue()


def read_evaluation(path: str | Path) -> Evaluation:
    """Read the JSON file of an evaluation.

    Raises
    ------
    FlareSegError
        "not_found"; "unreadable" for anything but such a file.
    """
    path = Path(path)
    if not path.is_file():
        raise FlareSegError("not_found", f"{path} does not exist; give the JSON file of flareseg evaluate.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema_version"] != SCHEMA_VERSION:
            raise ValueError(content["schema_version"])
        return Evaluation(
            **{name: content[name] for name in ("name", "data", "reference_kind", "rules")},
            scores=tuple(Score(**score) for score in content["scores"]),
            costs=tuple(Cost(**cost) for cost in content["costs"]), notes=tuple(content["notes"]))
    except (ValueError, KeyError, TypeError) as error:
        raise FlareSegError("unreadable", f"{path} is no JSON file of flareseg evaluate, or of another version; "
                                          "evaluate again.") from error
