"""Recipes: how a simulated case came about, as a JSON document that makes it again."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import FlareSegError
from . import parameters as typed
from .case import LABEL_OF, Box, Case, Grid
from .document import Fields, check_format, read_document, whole_text
from .operation import Disease, Operation
from .quality import Finding, Verdict

FORMAT, VERSION = "flareseg-recipe", 1
MOST_OPERATIONS = 200
MOST_PARAMETERS = 60
#: Recipes know a grid again when no corner of it has moved by more than this.
SAME_PLACE_MM = 0.01

Find = Callable[[str], Disease]


@dataclass(frozen=True)
class Source:
    """What a simulated case was made from, without anything that tells who it is.

    Attributes
    ----------
    image_sha256, labels_sha256 : str
        Of the axial voxels, see `source_of`; files that are packed, named or oriented otherwise have the same.
    grid : Grid
        Their place.
    """

    image_sha256: str
    labels_sha256: str
    grid: Grid

    def difference(self, other: Source) -> str:
        """In what two sources differ; empty where they are one."""
        if self.image_sha256 != other.image_sha256:
            return "its image is another one"
        if self.labels_sha256 != other.labels_sha256:
            return "its labels are others"
        corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(self.grid.shape) - 1)
        apart = np.abs(self.grid.point_of(corners) - other.grid.point_of(corners)).max()
        return "" if apart <= SAME_PLACE_MM else "it lies elsewhere in the patient's coordinates"


def source_of(case: Case) -> Source:
    """Return hashes and place of a case.

    SHA-256 of the ASCII text "flareseg-voxels-1 K J I\\n" (the shape in decimals) followed by the voxels in C order,
    k slowest, inferior to superior, anterior to posterior, right to left: int16 little-endian HU, or uint8 labels.
    """
    return Source(_sha256(case.hu.astype("<i2", copy=False)), _sha256(case.labels), case.grid)


def _sha256(array: np.ndarray) -> str:
    digest = hashlib.sha256(f"flareseg-voxels-1 {' '.join(map(str, array.shape))}\n".encode("ascii"))
    digest.update(np.ascontiguousarray(array).data.cast("B"))
    return digest.hexdigest()


@dataclass(frozen=True)
class Effect:
    """What an operation was measured to have done.

    Attributes
    ----------
    box : tuple of slice
        k, j, i: no voxel outside it changed.
    lesion_ml : float or None
        Volume of the lesion, partial voxels counted in part; None where the operation paints none.
    requested_hu, achieved_hu : float or None
        Contrast of its core to the organ's median before; None where that has no meaning.
    jacobian : float
        Smallest determinant of the displacement.
    depth_mm : float or None
        Of its place under the organ's surface.
    organs_ml : dict
        Organ to its volume before and after.
    """

    box: Box
    lesion_ml: float | None
    requested_hu: float | None
    achieved_hu: float | None
    jacobian: float
    depth_mm: float | None
    organs_ml: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Step:
    """An operation of a recipe.

    Attributes
    ----------
    operation : Operation
        Never a composition.
    origin : str
        Composition that it is a part of; "" for none.
    effect : Effect
        What it did.
    """

    operation: Operation
    origin: str
    effect: Effect


@dataclass(frozen=True)
class Recipe:
    """How a case was simulated; always a synthetic one.

    Attributes
    ----------
    source : Source
        What it was made from.
    steps : tuple of Step
        In order.
    quality : Verdict
        Of the result.
    tool_version : str
        Of FlareSeg.
    operator, utc : str
        Who made it and when, where somebody wanted that kept ("2026-01-31T12:00:00Z").
    """

    source: Source
    steps: tuple[Step, ...]
    quality: Verdict
    tool_version: str = __version__
    operator: str = ""
    utc: str = ""

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What was done, in order."""
        return tuple(step.operation for step in self.steps)

    @property
    def sha256(self) -> str:
        """Of the document's text."""
        return hashlib.sha256(recipe_text(self).encode("utf-8")).hexdigest()


def recipe_text(recipe: Recipe) -> str:
    """Return the JSON document."""
    grid = recipe.source.grid
    document = {
        "format": FORMAT, "version": VERSION, "synthetic": True, "tool": f"FlareSeg {recipe.tool_version}",
        "source": {"image_sha256": recipe.source.image_sha256, "labels_sha256": recipe.source.labels_sha256,
                   "shape_kji": list(grid.shape), "spacing_ijk_mm": list(grid.spacing),
                   "origin_lps_mm": list(grid.origin), "direction": list(grid.direction)},
        "operations": [_step_fields(step) for step in recipe.steps],
        "quality": verdict_fields(recipe.quality),
    }
    document |= {name: value for name, value in (("operator", recipe.operator), ("utc", recipe.utc)) if value}
    return whole_text(document)


def operation_fields(operation: Operation) -> dict[str, Any]:
    """An operation as JSON fields."""
    return {"disease": operation.disease, "organ": operation.organ,
            "parameters": {name: _plain(value) for name, value in vars_of(operation.parameters).items()},
            "centre_lps_mm": None if operation.centre is None else [float(mm) for mm in operation.centre],
            "seed": int(operation.seed), "label_rule": operation.label_rule}


def vars_of(parameters: Any) -> dict[str, Any]:
    """The values of a parameter dataclass by name."""
    return {field.name: getattr(parameters, field.name) for field in dataclasses.fields(parameters)}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _step_fields(step: Step) -> dict[str, Any]:
    effect = step.effect
    return {**operation_fields(step.operation), "from": step.origin or None, "effect": {
        "box_kji": [end for part in effect.box for end in (part.start, part.stop)], "lesion_ml": effect.lesion_ml,
        "requested_hu": effect.requested_hu, "achieved_hu": effect.achieved_hu, "jacobian": effect.jacobian,
        "depth_mm": effect.depth_mm, "organs_ml": {name: list(ml) for name, ml in effect.organs_ml.items()}}}


def verdict_fields(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON fields."""
    def plain(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
        return [{**dataclasses.asdict(finding), "passed": finding.passed} for finding in findings]

    return {"passed": verdict.passed, "operations": [plain(findings) for findings in verdict.operations],
            "case": plain(verdict.case)}


def read_recipe(path: str | Path, find: Find) -> Recipe:
    """Read a recipe that may come from anybody.

    Parameters
    ----------
    find : callable
        Name to `Disease`: ``catalogue.find``.

    Raises
    ------
    FlareSegError
        "not_found", "unreadable"; "bad_recipe" names the field.
    """
    return recipe_from(read_document(path), find)


def recipe_from(document: Any, find: Find) -> Recipe:
    """A recipe from a JSON document; see `read_recipe`."""
    fields = Fields(document, "recipe")
    check_format(fields, FORMAT, VERSION)
    if fields.value("synthetic", "true") is not True:
        fields.refuse("synthetic", False, "true")
    steps = tuple(_step_from(each, find) for each in fields.objects("operations", MOST_OPERATIONS))
    recipe = Recipe(_source_from(fields.fields("source")), steps, _verdict_from(fields.fields("quality"), len(steps)),
                    fields.text("tool").removeprefix("FlareSeg "), fields.text("operator", ""), fields.text("utc", ""))
    fields.close()
    return recipe


def _source_from(fields: Fields) -> Source:
    shape = tuple(int(n) for n in fields.numbers("shape_kji", 3, 1, 100_000))
    i, j, k = fields.numbers("spacing_ijk_mm", 3, 1e-3, 1e3)
    grid = Grid(shape, (i, j, k), fields.numbers("origin_lps_mm", 3, -1e6, 1e6),
                fields.numbers("direction", 9, -1.001, 1.001))
    source = Source(fields.text("image_sha256", longest=64), fields.text("labels_sha256", longest=64), grid)
    fields.close()
    return source


def operation_from(fields: Fields, find: Find) -> Operation:
    """An operation from JSON fields: parameters, organ and label rule are ones that the disease has."""
    name = fields.text("disease")
    given = fields.fields("parameters", {})
    if len(given.names()) > MOST_PARAMETERS:
        given.refuse("", None, f"an object with at most {MOST_PARAMETERS} fields")
    try:
        disease = find(name)
        parameters = typed.from_json(name, disease.parameters,
                                     {each: given.value(each, "a value") for each in given.names()})
    except FlareSegError as error:
        raise FlareSegError("bad_recipe", f"{fields.where}: {error}") from error
    organ = fields.text("organ")
    if disease.organs and organ not in disease.organs:
        fields.refuse("organ", organ, f"one of {', '.join(disease.organs)} for {name}")
    if organ and organ not in LABEL_OF:
        fields.refuse("organ", organ, f"one of {', '.join(LABEL_OF)}, or empty")
    rule = fields.text("label_rule")
    if rule not in disease.label_rules:
        fields.refuse("label_rule", rule, f"one of {', '.join(disease.label_rules)} for {name}")
    return Operation(name, organ, parameters, fields.numbers("centre_lps_mm", 3, -1e5, 1e5, optional=True),
                     fields.whole("seed", 0, 2**63 - 1), rule)


def _step_from(fields: Fields, find: Find) -> Step:
    operation = operation_from(fields, find)
    if find(operation.disease).parts is not None:
        fields.refuse("disease", operation.disease, "a single disease; compositions are stored as their parts")
    origin = fields.value("from", "a text or null", None)
    origin = "" if origin is None else fields.text("from")
    step = Step(operation, origin, _effect_from(fields.fields("effect")))
    fields.close()
    return step


def _effect_from(fields: Fields) -> Effect:
    ends = [int(end) for end in fields.numbers("box_kji", 6, 0, 100_000)]
    volumes = fields.fields("organs_ml")
    pairs = {name: volumes.numbers(name, 2, 0, 1e6) for name in LABEL_OF if name in volumes.names()}
    organs = {name: (before, after) for name, (before, after) in pairs.items()}
    volumes.close()
    effect = Effect(tuple(slice(*ends[a:a + 2]) for a in (0, 2, 4)), fields.number("lesion_ml", 0, 1e6, optional=True),
                    fields.number("requested_hu", -1e5, 1e5, optional=True),
                    fields.number("achieved_hu", -1e5, 1e5, optional=True), fields.number("jacobian", 0, 1e6),
                    fields.number("depth_mm", -1e4, 1e4, optional=True), organs)
    fields.close()
    return effect


def _verdict_from(fields: Fields, operations: int) -> Verdict:
    """The findings; whether they pass is worked out anew."""
    fields.value("passed", "true or false")
    lists = fields.value("operations", "a list of lists")
    if not isinstance(lists, list) or len(lists) != operations:
        fields.refuse("operations", lists, "a list with one entry for each operation")
    each = [Fields({"findings": findings}, f"{fields.where}.operations[{number}]").objects("findings", 50)
            for number, findings in enumerate(lists)]
    verdict = Verdict(tuple(tuple(map(_finding_from, findings)) for findings in each),
                      tuple(map(_finding_from, fields.objects("case", 50))))
    fields.close()
    return verdict


def _finding_from(fields: Fields) -> Finding:
    fields.value("passed", "true or false")
    finding = Finding(fields.text("name"), *(fields.number(name, -sys.maxsize, sys.maxsize, None, optional=True)
                                             for name in ("value", "low", "high")))
    fields.close()
    return finding
