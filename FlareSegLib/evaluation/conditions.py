"""How far the results of a network last when the same CT is scanned, stored or diseased otherwise.

``python -m FlareSegLib.evaluation.conditions DATA RUNS --json conditions.json`` takes CTs of patients whom a network
has not seen (``RUNS/without_PATIENT.pt``), changes them (`altered_scans`) and compares what is found with the labels
that belong to the changed CT. One row a CT and condition goes into the JSON file at once; the same command goes on
where it was stopped. One row takes about as long as segmenting the CT, with thin slices and simulated diseases longer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import numpy as np

from ..errors import FlareSegError
from ..networks.unet2d import UNet2D
from ..organs import FLARE_ORGANS
from ..training.cases import CaseEntry, read_case_labels
from ..training.json_files import write_json
from ..volumes.orientation import to_axial
from ..volumes.reading import read_volume
from ..volumes.volume import Volume
from .altered_scans import AS_IT_IS, THICKNESSES_MM, Condition, all_conditions
from .held_out import SIDES, agreement, find_labels, known_organs, unseen_cases, warned, wrong_side_ml
from .result_rows import CaseFigures, ConditionFigures, ConditionRow, Metric, read_rows

#: Organs whose results are compared with the unchanged scan's, and groups whose voxels can be compared one by one.
NAMES = tuple(organ.name for organ in FLARE_ORGANS)
SAME_VOXELS = ("as it is", "storage")
#: Up to this slice thickness, mm, results should hardly change.
STABLE_MM = 5


def evaluate_condition(condition: Condition, ct: Volume, labels: Volume, network: UNet2D, organs: tuple[str, ...],
                       seed: int, plain: Volume | None = None) -> ConditionFigures:
    """Return the figures of one condition.

    Parameters
    ----------
    ct, labels : Volume
        Axial, unchanged.
    organs : tuple of str
        What to score: organs of the unchanged reference. One that a disease has taken away scores 1 if nothing of it
        is found, else 0 (FLARE21's rule).
    plain : Volume or None
        What is found in the unchanged CT; with it "voxels_differ" tells how many voxels differ from that where only
        the storage changed.

    Raises
    ------
    FlareSegError
        "disease_not_placed" or "bad_disease_case" where the scan cannot have this condition.
    """
    altered = condition.alter(ct, labels, seed)
    found = find_labels(altered.ct, network)
    agreed = agreement(found, altered.labels, organs)
    row: ConditionFigures = {
        "group": condition.group, "condition": condition.name, "seed": seed,
        "organs": [name for name in altered.organs or NAMES if name in organs],
        "slice_spacing_mm": round(to_axial(altered.ct)[0].spacing[2], 2),
        "dice": agreed["dice"], "nsd": agreed["nsd"], "warnings": warned(altered.ct, found),
        "wrong_side_ml": wrong_side_ml(altered.ct, found, altered.labels)}
    if plain is not None and condition.group in SAME_VOXELS:
        row["voxels_differ"] = int(np.count_nonzero(to_axial(found)[0].array != plain.array))
    return row


def evaluate_case(entry: CaseEntry, data: Path, network: UNet2D, conditions: tuple[Condition, ...], draws: int,
                  done: set[tuple[str, int]], add: Callable[[CaseFigures], None]) -> None:
    """Call ``add(row)`` for each condition of a CT that is not in `done`, pairs of a condition's name and a seed."""
    wanted = [(condition, seed) for condition in conditions if entry["contrast"] or not condition.contrast_only
              for seed in range(draws if condition.group == "disease" else 1) if (condition.name, seed) not in done]
    if not wanted:
        return
    ct, _ = to_axial(read_volume(data / entry["name"] / "ct.nii.gz"))
    labels, _ = to_axial(read_case_labels(entry, data))
    labels = labels.with_array(labels.array.astype(np.uint8))
    organs = known_organs(labels, entry.get("unlabelled", ()))
    storage = any(condition.group == "storage" for condition, _ in wanted)
    plain = find_labels(ct, network) if storage else None
    for condition, seed in wanted:
        try:
            add({"case": entry["name"], "patient": entry["patient"], "contrast": entry["contrast"],
                 "reference": entry["kind"],
                 **evaluate_condition(condition, ct, labels, network, organs, seed, plain)})
        except FlareSegError as error:
            if error.code not in ("disease_not_placed", "bad_disease_case"):
                raise
            print(f"{entry['name']}, {condition.name}: {error}", flush=True)


def changes(rows: list[ConditionRow], metric: Metric) -> dict[tuple[str, str, str], list[tuple[float, float]]]:
    """Group, condition and organ to pairs (unchanged, changed) of a metric, one a row; only of organs it concerns.

    Rows whose CT was not scored unchanged, with the same network, are left out.
    """
    plain = {(row["case"], row["steps"]): row for row in rows if row["condition"] == AS_IT_IS.name}
    found: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    for row in rows:
        before = plain.get((row["case"], row["steps"]), {metric: {}})[metric]
        for organ in row["organs"]:
            if organ in before and organ in row[metric]:
                key = row["group"], row["condition"], organ
                found.setdefault(key, []).append((before[organ], row[metric][organ]))
    return found


def condition_table(rows: list[ConditionRow], metric: Metric = "dice") -> str:
    """A Markdown table of all conditions but diseases: mean over the CTs, and the mean change of the same CTs."""
    pairs = changes(rows, metric)
    lines = ["| condition | CTs | " + " | ".join(NAMES) + " | liver / spleen on the wrong side, ml at most |",
             "|---" * (3 + len(NAMES)) + "|"]
    for group, name in dict.fromkeys((row["group"], row["condition"]) for row in _in_order(rows)):
        chosen = [row for row in rows if row["condition"] == name]
        if group == "disease":
            continue
        stray = " / ".join(f"{max(row['wrong_side_ml'][organ] for row in chosen):.0f}" for organ in SIDES)
        values = " | ".join(_mean_and_change(pairs.get((group, name, organ), []), name) for organ in NAMES)
        lines.append(f"| {name} | {len({row['case'] for row in chosen})} | {values} | {stray} |")
    return "\n".join(lines)


def disease_table(rows: list[ConditionRow]) -> str:
    """A Markdown table of the diseases: Dice of the organs concerned, against the healthy case of the same CT."""
    dice, nsd = (changes(rows, metric) for metric in ("dice", "nsd"))
    lines = ["| disease | organ | cases | Dice healthy | Dice with it | change | NSD change |", "|---" * 7 + "|"]
    for key, pairs in sorted(dice.items(), key=lambda item: (item[0][1], NAMES.index(item[0][2]))):
        if key[0] == "disease":
            before, after = np.mean(pairs, axis=0)
            surface = f"{np.mean([b - a for a, b in nsd[key]]):+.3f}" if key in nsd else "–"
            lines.append(f"| {key[1]} | {key[2]} | {len(pairs)} | {before:.3f} | {after:.3f} | {after - before:+.3f} | "
                         f"{surface} |")
    return "\n".join(lines)


def storage_sentence(rows: list[ConditionRow]) -> str:
    """How many voxels differ by the storage alone."""
    chosen = [row for row in rows if row["group"] == "storage" and "voxels_differ" in row]
    if not chosen:
        return "Storage was not looked at."
    return (f"Stored otherwise ({', '.join(dict.fromkeys(row['condition'] for row in chosen))}), "
            f"{max(row['voxels_differ'] for row in chosen)} voxels at most have another label than in the CT as it is.")


def stability_sentence(rows: list[ConditionRow]) -> str:
    """By how much an organ's mean Dice differs over slices of up to `STABLE_MM`."""
    pairs = changes(rows, "dice")
    looked_at = {mm: f"slices of {mm} mm" for mm in THICKNESSES_MM if mm <= STABLE_MM}
    means: dict[str, dict[int, float]] = {}
    for mm, name in looked_at.items():
        for organ in NAMES:
            if ("slices", name, organ) in pairs:
                values = [after for _, after in pairs["slices", name, organ]]
                means.setdefault(organ, {})[mm] = float(np.mean(values))
    if not means:
        return "Slice thickness was not looked at."
    spans = {organ: max(values.values()) - min(values.values()) for organ, values in means.items()}
    thicknesses = sorted({mm for values in means.values() for mm in values})
    return (f"Over slices of {', '.join(map(str, thicknesses))} mm the mean Dice spans "
            + ", ".join(f"{spans[organ]:.3f} ({organ})" for organ in NAMES if organ in spans) + ".")


def tables(rows: list[ConditionRow]) -> str:
    """All of it, as Markdown."""
    return "\n\n".join((
        "Dice: mean over the CTs (mean change against the same CTs as they are)", condition_table(rows),
        "NSD, tolerance 1 mm", condition_table(rows, "nsd"), stability_sentence(rows), storage_sentence(rows),
        "Simulated diseases, the organ that has them", disease_table(rows)))


def _in_order(rows: list[ConditionRow]) -> list[ConditionRow]:
    place = {condition.name: number for number, condition in enumerate(all_conditions())}
    return sorted(rows, key=lambda row: place.get(row["condition"], len(place)))


def _mean_and_change(pairs: list[tuple[float, float]], name: str) -> str:
    if not pairs:
        return "–"
    before, after = np.mean(pairs, axis=0)
    return f"{after:.3f}" if name == AS_IT_IS.name else f"{after:.3f} ({after - before:+.3f})"


def main(arguments: list[str] | None = None) -> None:
    """Run this script; without `arguments`, with those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the cases that starter_cases.json lists")
    parser.add_argument("runs", type=Path, help="folder with without_PATIENT.pt (or without_PATIENT+PATIENT.pt)")
    parser.add_argument("--json", type=Path, required=True, help="the rows; what is in it already is not done again")
    parser.add_argument("--cases", nargs="*", metavar="NAME", help="only these CTs")
    parser.add_argument("--conditions", nargs="*", default=["*"], metavar="PATTERN", help="only those whose group or "
                        "name fits, for instance slices disease 'renal*'; the unchanged CT always comes with them")
    parser.add_argument("--draws", type=int, default=1, help="of each disease in each CT (default 1)")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(options.threads)
    try:
        print(tables(_evaluate(options)))
    except FlareSegError as error:
        parser.exit(error.exit_code, f"{error}\n")


def _evaluate(options: argparse.Namespace) -> list[ConditionRow]:
    chosen = tuple(condition for condition in all_conditions() if condition is AS_IT_IS or any(
        fnmatch(name, pattern) for name in (condition.group, condition.name) for pattern in options.conditions))
    rows: list[ConditionRow] = read_rows([options.json]) if options.json.exists() else []
    for entry, network, steps in unseen_cases(options.runs, options.cases):
        def add(row: CaseFigures, steps: int = steps) -> None:
            rows.append({**row, "steps": steps})
            write_json(options.json, rows, indent=1)
            print(f"{row['case']}, {row['condition']}: {row['dice']}", flush=True)

        done = {(row["condition"], row["seed"]) for row in rows
                if (row["case"], row["steps"]) == (entry["name"], steps)}
        evaluate_case(entry, options.data, network, chosen, options.draws, done, add)
    if not rows:
        raise FlareSegError("not_found", f"{options.runs} holds no without_PATIENT.pt of these CTs.")
    return rows


if __name__ == "__main__":
    main()
