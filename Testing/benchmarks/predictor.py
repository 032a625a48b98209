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
import recorded
from measuring import load_average, machine, machine_lines, markdown_table, run_child, usable_cores
from variants import CHECKED_SLICES, RATED, SIDE, SPACING, VARIANTS

SLICES = 93
TARGET_CORES = 2
TITLES = {
    "flareseg": "1 FlareSeg",
    "flareseg-torch": "1b FlareSeg --runtime torch",
    "flareseg-exact": "2 FlareSeg --exact",
    "nnunet-isotropic": "3 nnU-Net predictor, isotropic as in the paper",
    "nnunet-native": "4 nnU-Net predictor, slices as they are",
    "nnunet-native-mirrored": "5 the same with mirroring, its default",
    "flareseg-lite": "6 FlareSeg, shipped light model",
    "flareseg-lite-fast": "7 the same with --fast",
}
REFERENCE, SECOND_REFERENCE = "nnunet-isotropic", "nnunet-native"
TARGETED = "flareseg"
#: Issue targets: the default path; memory above the volume's own.
LEAST_RATIO, MOST_GB, LEAST_SHARE = 15.0, 1.0, 0.85
HEADER = ["variant", "runtime", "precision", "slices run", "segmentation s", "whole process s", "of peak",
          "peak RSS GB", "times faster than 3", "times faster than 4", "target"]
PEAK = Path(__file__).resolve().with_name("peak.py")
SCRIPT = Path(__file__).resolve().with_name("variants.py")
PACKAGES = ("torch", "openvino", "nnunetv2")


def measure(options: argparse.Namespace, folder: Path) -> tuple[dict[str, dict], dict]:
    """Run all variants and return their figures by name, and what the preparation found."""
    print("preparing the CT and the weights", file=sys.stderr)
    run_child(SCRIPT, ["prepare", str(folder), str(options.slices)], options.threads)
    run_child(PEAK, [str(folder / "peak.json")], options.threads)
    runs = {name: [] for name in options.only}
    for turn in range(options.repeat):  # turn by turn, so that a machine that slows down slows all of them
        for name in options.only:
            print(f"{name}, run {turn + 1} of {options.repeat}", file=sys.stderr)
            cost = run_child(SCRIPT, [name, str(folder)], options.threads)
            outcome = json.loads((folder / f"{name}.json").read_text())
            runs[name].append({**outcome, "process_seconds": cost.seconds, "peak_gb": cost.peak_gb})
    figures = {name: _summary(of_variant) for name, of_variant in runs.items()}
    for name in figures.keys() & RATED.keys():
        run_child(SCRIPT, [f"rate-{name}", str(folder)], options.threads)
        figures[name]["network_gflops"] = json.loads((folder / f"rate-{name}.json").read_text())
    return (figures, {name: json.loads((folder / f"{name}.json").read_text()) for name in ("prepare", "peak")})


def _summary(runs: list[dict]) -> dict:
    """Median times, the highest peak, and the single runs."""
    times = {key: statistics.median(run[key] for run in runs) for key in ("seconds", "process_seconds")}
    return {**runs[0], **times, "peak_gb": max(run["peak_gb"] for run in runs), "runs": runs}


def agreement(folder: Path, names: list[str]) -> dict[str, float]:
    """Fraction of voxels with equal labels, for every pair of variants."""
    names = [name for name in names if "lite" not in name]  # another network
    labels = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
    return {f"{a} = {b}": float(np.mean(labels[a] == labels[b])) for a, b in combinations(names, 2)}


def ratio(figures: dict[str, dict], name: str, reference: str) -> list[float]:
    """How many times less time a variant takes than a reference, turn by turn; empty where that did not run."""
    if reference not in figures:
        return []
    return [theirs["seconds"] / ours["seconds"]
            for theirs, ours in zip(figures[reference]["runs"], figures[name]["runs"])]


def spread(values: list[float]) -> str:
    """Median, least and greatest."""
    if not values:
        return "-"
    median = f"{statistics.median(values):.2f}"
    return median if len(values) == 1 else f"{median} ({min(values):.2f} to {max(values):.2f})"


def share_of_peak(own: dict, peak: dict[str, float]) -> float | None:
    """Rate inside the network as a share of the highest that this machine reaches in that number format."""
    return own["network_gflops"] / peak[own["precision"]] if own.get("network_gflops") else None


def verdict(figures: dict[str, dict], name: str, peak: dict[str, float], volume_gb: float) -> str:
    """The targets of FlareSeg's default and whether it meets them."""
    if name != TARGETED:
        return {REFERENCE: "reference", SECOND_REFERENCE: "second reference"}.get(name, "")
    words, faster = {True: "met", False: "missed", None: "not measured"}, ratio(figures, name, REFERENCE)
    speed = words[statistics.median(faster) >= LEAST_RATIO if faster else None]
    share = words[share_of_peak(figures[name], peak) >= LEAST_SHARE]
    memory = words[figures[name]["peak_gb"] - volume_gb < MOST_GB]
    return (f">= {LEAST_RATIO:g} times faster than 3: {speed}; >= {LEAST_SHARE:.0%} of peak: {share}; "
            f"< {MOST_GB:g} GB above the volume: {memory}")


def table_row(figures: dict[str, dict], name: str, peak: dict[str, float], volume_gb: float) -> list[str]:
    """One line of the table."""
    own = figures[name]
    share = share_of_peak(own, peak)
    return [TITLES[name], own["runtime"], own["precision"], str(own["slices"]), f"{own['seconds']:.1f}",
            f"{own['process_seconds']:.1f}", "-" if share is None else f"{share:.0%}", f"{own['peak_gb']:.2f}",
            *(spread(ratio(figures, name, reference)) for reference in (REFERENCE, SECOND_REFERENCE)),
            verdict(figures, name, peak, volume_gb)]


def report(options: argparse.Namespace, result: dict) -> str:
    """Everything that is printed, as Markdown."""
    figures, check, peak = result["variants"], result["check"], result["peak"]
    volume_gb = SIDE * SIDE * options.slices * 2e-9
    parts = [
        f"Volume {SIDE} x {SIDE} x {options.slices} at {SPACING[0]} x {SPACING[1]} x {SPACING[2]} mm; "
        f"network of 41,268,192 parameters; "
        f"{'median of ' + str(options.repeat) + ' runs' if options.repeat > 1 else 'one run'} each.",
        machine_lines(result["machine"], options.threads, result["load_average"]),
        markdown_table(HEADER, [table_row(figures, name, peak, volume_gb) for name in figures]),
        f"Highest rate measured here: {peak['float32']:.0f} GFLOP/s in float32, {peak['bfloat16']:.0f} in bfloat16. "
        f"The volume itself is {volume_gb:.2f} GB.",
        "Against the recorded ratios: " + "; ".join(result["regression"]),
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
    parser.add_argument("--record", action="store_true", help="record the ratios, for later runs to compare with")
    parser.add_argument("--check", action="store_true", help="fail where a ratio has fallen behind the recorded one")
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
        result["variants"], found = measure(options, folder)
        result["check"], result["peak"] = found["prepare"], found["peak"]
        result["agreement"] = agreement(folder, options.only)
    result["regression"], well = recorded.compare(result, REFERENCE, recorded.read())
    print(report(options, result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if options.record:
        recorded.write(result, REFERENCE)
    if options.check and not well:
        sys.exit("predictor.py: slower than recorded")


if __name__ == "__main__":
    main()
