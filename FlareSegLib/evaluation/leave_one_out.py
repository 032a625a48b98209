"""Dice and surface distance of the starter model on patients it was not trained on.

``python -m FlareSegLib.evaluation.leave_one_out DATA RUNS --json accuracy.json`` segments every CT of each patient
with the network trained without that patient (``RUNS/without_PATIENT.pt``), through the same code that
`flareseg segment` runs, and compares on the CT's own grid. Silver labels (the output of a published model) and
manual ones are kept apart, and so are the paper's method and the result of ``--keep-largest``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypedDict

import numpy as np

from ..errors import FlareSegError
from ..inference.postprocess import keep_largest_pieces
from ..networks.unet2d import UNet2D
from ..organs import FLARE_ORGANS
from ..training.cases import CaseEntry
from ..training.json_files import write_json
from ..volumes.orientation import to_axial
from ..volumes.reading import read_label_map, read_volume
from ..volumes.volume import Volume
from .held_out import agreement, find_labels, known_organs, unseen_cases, warned, wrong_side_ml
from .result_rows import AccuracyRow, Metric
from .statistics import bootstrap_interval

#: Against what a row compares; "islands removed" is the result of ``--keep-largest``.
REFERENCES = ("silver", "silver, islands removed", "manual")
METRICS: tuple[Metric, ...] = ("dice", "nsd")
#: An interval over fewer patients says nothing.
LEAST_PATIENTS = 5


class Mean(TypedDict):
    """Mean over patients, and the ends of its interval; None for too few patients."""

    patients: int
    mean: float
    interval: list[float] | None


class Summary(Mean):
    """A mean over patients, and of what."""

    reference: str
    contrast: bool
    metric: Metric
    organ: str
    cts: int


def evaluate_case(entry: CaseEntry, data: Path, network: UNet2D) -> list[AccuracyRow]:
    """Return one row a kind of reference: the case, and Dice and surface distance (NSD) of each organ."""
    folder = data / entry["name"]
    ct = read_volume(folder / "ct.nii.gz")
    found = find_labels(ct, network)
    silver = read_label_map(folder / entry["labels"])
    known = known_organs(silver, entry.get("unlabelled", ()))
    spacing = round(to_axial(ct)[0].spacing[2], 2)

    def row(reference: str, labels: Volume, truth: Volume, organs: tuple[str, ...]) -> AccuracyRow:
        agreed = agreement(labels, truth, organs)
        return {"case": entry["name"], "patient": entry["patient"], "contrast": entry["contrast"],
                "slice_spacing_mm": spacing, "reference": reference, "dice": agreed["dice"], "nsd": agreed["nsd"]}

    pieces = found.with_array(keep_largest_pieces(found.array, FLARE_ORGANS))
    rows: list[AccuracyRow] = [
        {**row(reference, labels, silver, known), "warnings": warned(ct, labels),
         "wrong_side_ml": wrong_side_ml(ct, labels, silver)}
        for reference, labels in (("silver", found), ("silver, islands removed", pieces))]
    if "manual_liver" in entry:
        manual = read_label_map(folder / entry["manual_liver"])
        manual = manual.with_array((manual.array > 0).astype(np.uint8))
        rows.append(row("manual", found, manual, ("liver",)))
    return rows


def summaries(rows: list[AccuracyRow]) -> list[Summary]:
    """Return mean and interval for each kind of reference, contrast, organ and metric.

    A patient's CTs are averaged first, as they are not independent. The interval is the percentile bootstrap over
    patients (`statistics.bootstrap_interval`); None for fewer than `LEAST_PATIENTS`.
    """
    found: list[Summary] = []
    for reference in REFERENCES:
        for contrast in (True, False):
            chosen = [row for row in rows if row["reference"] == reference and row["contrast"] == contrast]
            for metric in METRICS:
                for organ in FLARE_ORGANS:
                    values: dict[str, list[float]] = {}
                    for row in chosen:
                        if organ.name in row[metric]:
                            values.setdefault(row["patient"], []).append(row[metric][organ.name])
                    if values:
                        found.append({"reference": reference, "contrast": contrast, "metric": metric,
                                      "organ": organ.name, "cts": sum(map(len, values.values())),
                                      **_mean_over([float(np.mean(each)) for each in values.values()])})
    return found


def _mean_over(patients: list[float]) -> Mean:
    interval = bootstrap_interval(np.array(patients)) if len(patients) >= LEAST_PATIENTS else None
    return {"patients": len(patients), "mean": round(float(np.mean(patients)), 4),
            "interval": None if interval is None else [round(end, 4) for end in interval]}


def format_rows(rows: list[AccuracyRow]) -> str:
    """Return the rows as a Markdown table: Dice / NSD by organ."""
    names = [organ.name for organ in FLARE_ORGANS]
    lines = ["| CT (left out) | contrast | slices | training | reference | " + " | ".join(names) + " |",
             "|---" * (5 + len(names)) + "|"]
    for row in rows:
        values = " | ".join(_pair(row, name) for name in names)
        lines.append(f"| {row['case']} | {'yes' if row['contrast'] else 'no'} | {row['slice_spacing_mm']:g} mm | "
                     f"{row['training']} | {row['reference']} | {values} |")
    return "\n".join(lines)


def _pair(row: AccuracyRow, organ: str) -> str:
    if organ not in row["dice"]:
        return "–"
    return f"{row['dice'][organ]:.3f} / " + (f"{row['nsd'][organ]:.3f}" if organ in row["nsd"] else "–")


def format_summaries(found: list[Summary]) -> str:
    """Return `summaries` as a Markdown table."""
    lines = ["| reference | contrast | metric | organ | mean | 95 % interval | patients (CTs) |", "|---" * 7 + "|"]
    for each in found:
        interval = "too few patients" if each["interval"] is None else "{:.3f} to {:.3f}".format(*each["interval"])
        lines.append(f"| {each['reference']} | {'yes' if each['contrast'] else 'no'} | {each['metric'].upper()} | "
                     f"{each['organ']} | {each['mean']:.3f} | {interval} | {each['patients']} ({each['cts']}) |")
    return "\n".join(lines).replace("DICE", "Dice")


def main(arguments: list[str] | None = None) -> None:
    """Run this script; without `arguments`, with those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the cases that starter_cases.json lists")
    parser.add_argument("runs", type=Path, help="folder with without_PATIENT.pt")
    parser.add_argument("--cases", nargs="*", metavar="NAME", help="only these CTs")
    parser.add_argument("--note", default="", help="added to each row's training steps, for instance its recipe")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args(arguments)
    try:
        rows = _evaluate(options)
    except FlareSegError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(format_rows(rows), format_summaries(summaries(rows)), sep="\n\n")


def _evaluate(options: argparse.Namespace) -> list[AccuracyRow]:
    rows: list[AccuracyRow] = []
    for entry, network, steps in unseen_cases(options.runs, options.cases):
        rows += [{**row, "training": f"{steps} steps{options.note}"}
                 for row in evaluate_case(entry, options.data, network)]
        print(f"{entry['name']}: {rows[-1]['dice']}", flush=True)
        if options.json:
            write_json(options.json, rows, indent=1)
    if not rows:
        raise FlareSegError("not_found", f"{options.runs} holds no without_PATIENT.pt of these CTs.")
    return rows


if __name__ == "__main__":
    main()
