"""docs/results.md names every field of the report and every exit code, and no others."""

import re
from dataclasses import fields
from pathlib import Path

import numpy as np

from FlareSegLib.errors import EXIT_CODES
from FlareSegLib.inference.segmentation import Segmentation
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.results.measurements import OrganMeasurement
from FlareSegLib.results.report import report_dict
from FlareSegLib.volumes.volume import Volume

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "results.md").read_text(encoding="utf-8")


def first_column(heading: str) -> set[str]:
    """Names in the first column of the table below a heading's line."""
    table = PAGE.partition(heading)[2].strip().partition("\n\n")[0]
    return {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split("|")[1])}


def test_fields_of_the_report():
    label_map = Volume(np.zeros((2, 2, 2), np.uint8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    result = Segmentation(label_map, FLARE_ORGANS, "model", "cpu", "float32", 2, 1.0, 9.0, (), "torch", "why")
    assert first_column("| field | what |\n|---|---|\n") == set(report_dict(result, (), ()))
    assert first_column("| field of an organ | what |\n|---|---|\n") == {each.name for each in fields(OrganMeasurement)}


def test_exit_codes():
    told = {name: int(number) for number, name in re.findall(r"\| (\d+) \| `(\w+)`", PAGE)}
    assert told == EXIT_CODES
