"""The last recorded ratios (recorded.json) and whether a new run has fallen behind them.

Ratios, not seconds, are compared: a slower or busier machine slows all variants.
"""

from __future__ import annotations

import json
from pathlib import Path

FILE = Path(__file__).with_name("recorded.json")
#: A ratio may be so much lower before it counts as a regression; the spread of repeated runs is below half of it.
TOLERANCE = 0.15


def ratios(figures: dict[str, dict], reference: str) -> dict[str, float]:
    """How many times less time each variant takes than the reference (empty where that did not run)."""
    if reference not in figures:
        return {}
    return {name: figures[reference]["seconds"] / own["seconds"] for name, own in figures.items() if name != reference}


def conditions(result: dict) -> dict:
    """What must be the same for two runs to be compared."""
    return {"size": list(result["size"]), "threads": result["threads"], "cpu": result["machine"]["CPU"]}


def compare(result: dict, reference: str, before: dict | None) -> tuple[list[str], bool]:
    """Return lines for the report, and whether nothing has fallen behind."""
    if before is None:
        return ["No ratios were recorded before (--record writes them)."], True
    if before["conditions"] != conditions(result):
        return [f"Not compared with the recorded ratios: those are of {before['conditions']}."], True
    lines, well = [], True
    for name, now in ratios(result["variants"], reference).items():
        if name not in before["ratios"]:
            continue
        then = before["ratios"][name]
        behind = now < then * (1 - TOLERANCE)
        well = well and not behind
        lines.append(f"{name}: {now:.2f} times faster than {reference}, recorded {then:.2f}"
                     + (" **regression**" if behind else ""))
    return lines, well


def read(file: Path = FILE) -> dict | None:
    """Return what was recorded last; None where nothing was."""
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def write(result: dict, reference: str, file: Path = FILE) -> None:
    """Record a run's ratios."""
    content = {"conditions": conditions(result), "ratios": ratios(result["variants"], reference),
               "load_average": result["load_average"], "machine": result["machine"]}
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
