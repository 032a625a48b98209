"""FlareSeg against nnU-Net's own predictor: the same network, weights, volume and threads; one Markdown table.

A synthetic CT of 512 x 512 x 93 voxels at 0.8 x 0.8 x 2.5 mm, the paper's network of 41,268,192 parameters with
random weights (speed does not depend on their values). Every variant runs in a process of its own, one after another.
See README.md beside this file for what is measured and why.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from itertools import combinations
from pathlib import Path

import numpy as np
from measuring import load_average, machine, machine_lines, markdown_table, run_child, usable_cores
from variants import CHECKED_SLICES, SIDE, SPACING, VARIANTS

SLICES = 93
TARGET_CORES = 2
TITLES = {
    "flareseg": "1 FlareSeg",
    "flareseg-exact": "2 FlareSeg --exact",
    "nnunet-isotropic": "3 nnU-Net predictor, isotropic as in the paper",
    "nnunet-native": "4 nnU-Net predictor, slices as they are",
}
REFERENCE, SECOND_REFERENCE = "nnunet-isotropic", "nnunet-native"
COMPARED = ("flareseg", "flareseg-exact")
LEAST_RATIO, MOST_GB = 5.0, 1.5
HEADER = ["variant", "precision", "slices run", "segmentation s", "whole process s", "peak RSS GB",
          "times faster than 3", "times faster than 4", "target"]
SCRIPT = Path(__file__).resolve().with_name("variants.py")
PACKAGES = ("torch", "nnunetv2")


def measure(options: argparse.Namespace, folder: Path) -> tuple[dict[str, dict], dict]:
    """Run all variants and return their figures by name, and what the preparation found."""
    print("preparing the CT and the weights", file=sys.stderr)
    run_child(SCRIPT, ["prepare", str(folder), str(options.slices)], options.threads)
    runs = {name: [] for name in options.only}
    for turn in range(options.repeat):  # turn by turn, so that a machine that slows down slows all of them
        for name in options.only:
            print(f"{name}, run {turn + 1} of {options.repeat}", file=sys.stderr)
            cost = run_child(SCRIPT, [name, str(folder)], options.threads)
            outcome = json.loads((folder / f"{name}.json").read_text())
            runs[name].append({**outcome, "process_seconds": cost.seconds, "peak_gb": cost.peak_gb})
    return ({name: _summary(of_variant) for name, of_variant in runs.items()},
            json.loads((folder / "prepare.json").read_text()))


def _summary(runs: list[dict]) -> dict:
    """Median times, the highest peak, and the single runs."""
    times = {key: statistics.median(run[key] for run in runs) for key in ("seconds", "process_seconds")}
    return {**runs[0], **times, "peak_gb": max(run["peak_gb"] for run in runs), "runs": runs}


def agreement(folder: Path, names: list[str]) -> dict[str, float]:
    """Fraction of voxels with equal labels, for every pair of variants."""
    labels = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
    return {f"{a} = {b}": float(np.mean(labels[a] == labels[b])) for a, b in combinations(names, 2)}


def ratio(figures: dict[str, dict], name: str, reference: str) -> float | None:
    """How many times less time a variant takes than a reference, where both ran."""
    if reference not in figures:
        return None
    return figures[reference]["seconds"] / figures[name]["seconds"]


def verdict(figures: dict[str, dict], name: str) -> str:
    """The targets of a FlareSeg variant and whether it meets them."""
    if name not in COMPARED:
        return "reference" if name == REFERENCE else "second reference"
    faster, peak = ratio(figures, name, REFERENCE), figures[name]["peak_gb"]
    words = {True: "met", False: "missed", None: "not measured"}
    speed = words[None if faster is None else faster >= LEAST_RATIO]
    return f">= {LEAST_RATIO:g} times faster than 3: {speed}; < {MOST_GB} GB: {words[peak < MOST_GB]}"


def table_row(figures: dict[str, dict], name: str) -> list[str]:
    """One line of the table."""
    own = figures[name]
    ratios = [ratio(figures, name, reference) for reference in (REFERENCE, SECOND_REFERENCE)]
    return [TITLES[name], own["precision"], str(own["slices"]), f"{own['seconds']:.1f}",
            f"{own['process_seconds']:.1f}", f"{own['peak_gb']:.2f}",
            *("-" if value is None else f"{value:.1f}" for value in ratios), verdict(figures, name)]


def report(options: argparse.Namespace, result: dict) -> str:
    """Everything that is printed, as Markdown."""
    figures, check = result["variants"], result["check"]
    parts = [
        f"Volume {SIDE} x {SIDE} x {options.slices} at {SPACING[0]} x {SPACING[1]} x {SPACING[2]} mm; "
        f"network of 41,268,192 parameters; "
        f"{'median of ' + str(options.repeat) + ' runs' if options.repeat > 1 else 'one run'} each.",
        machine_lines(result["machine"], options.threads, result["load_average"]),
        markdown_table(HEADER, [table_row(figures, name) for name in figures]),
    ]
    if options.slices != SLICES or options.threads != TARGET_CORES:
        parts.append(f"The targets are for {SLICES} slices on {TARGET_CORES} cores; this run is another one.")
    if result["agreement"]:
        parts.append("Voxels with equal labels: "
                     + "; ".join(f"{pair} {equal:.3%}" for pair, equal in result["agreement"].items())
                     + ". Random weights leave many more near ties than trained ones: no measure of accuracy.")
    parts.append(f"Same network: logits of FlareSeg's and nnU-Net's differ by at most "
                 f"{check['largest_logit_difference']:.2g}; on slices that need no resampling "
                 f"{check['equal_labels']:.4%} of FlareSeg's exact labels equal nnU-Net's "
                 f"(labels that occur: {', '.join(map(str, check['classes']))}).")
    return "\n\n".join(parts)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=SLICES,
                        help="slices of the CT, fewer for a quick try (default %(default)s)")
    parser.add_argument("--only", action="append", choices=list(VARIANTS), metavar="NAME",
                        help=f"run this variant alone, may be repeated: {', '.join(VARIANTS)}")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each variant; the median is given")
    parser.add_argument("--threads", type=int, default=usable_cores(),
                        help="threads of each variant (default: all cores)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures, single runs included, to FILE")
    options = parser.parse_args(words)
    if options.slices < CHECKED_SLICES or options.repeat < 1 or options.threads < 1:
        parser.error(f"at least {CHECKED_SLICES} slices, 1 repetition and 1 thread")
    options.only = [name for name in VARIANTS if not options.only or name in options.only]
    return options


def main() -> None:
    options = arguments()
    result = {"machine": machine(PACKAGES), "threads": options.threads, "load_average": load_average(),
              "size": [SIDE, SIDE, options.slices], "spacing": SPACING}
    with tempfile.TemporaryDirectory(prefix="flareseg-benchmark-") as name:
        folder = Path(name)
        result["variants"], result["check"] = measure(options, folder)
        result["agreement"] = agreement(folder, options.only)
    print(report(options, result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
