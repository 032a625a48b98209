"""FlareSeg's training against nnU-Net v2's own trainer and loader: the same network, weights, batch, data and threads.

The paper's network (with the biases that nnU-Net v2 adds) on whole slices of 512 x 512; random weights, phantoms. Every
side runs in a process of its own, turn by turn. See README.md beside this file for what is measured and why.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from measuring import load_average, machine, machine_lines, markdown_table, run_child, usable_cores
from training_sides import OPTIONS, SIDES

TITLES = {
    "step-nnunet-float32": "nnU-Net as it is (float32 on the CPU)",
    "step-nnunet-bfloat16": "nnU-Net inside a bfloat16 autocast",
    "step-flareseg-float32": "FlareSeg float32",
    "step-flareseg-bfloat16": "FlareSeg bfloat16",
    "loader-nnunet-0": "nnU-Net, in the training process",
    "loader-flareseg-0": "FlareSeg, in the training process",
    "loader-nnunet-2": "nnU-Net, 2 workers",
    "loader-flareseg-2": "FlareSeg, 2 workers",
}
REFERENCES = ("step-nnunet-float32", "step-nnunet-bfloat16")
LEAST_RATIO = 1.3
CLOCKS = {"wall": "wall time", "cpu": "processor time of all threads (of loaders with workers: wall time)"}
LARGEST_LOSS_DIFFERENCE = 1e-3
SCRIPT = Path(__file__).resolve().with_name("training_sides.py")
PACKAGES = ("torch", "nnunetv2", "batchgeneratorsv2", "dynamic_network_architectures")


def measure(options: argparse.Namespace, folder: Path) -> dict[str, list[dict]]:
    """Run all sides, turn by turn, and return the outcome of each run."""
    settings = {key: getattr(options, key) for key in ("side", "batch", "width", "cases", "slices", "steps", "loaded")}
    (folder / OPTIONS).write_text(json.dumps(settings), encoding="utf-8")
    print("preparing data and weights", file=sys.stderr)
    run_child(SCRIPT, ["prepare", str(folder)], options.threads)
    runs = {name: [] for name in options.only}
    for turn in range(options.rounds):  # turn by turn, so that a machine that slows down slows all of them
        for name in options.only if turn % 2 == 0 else reversed(options.only):
            print(f"{name}, round {turn + 1} of {options.rounds}", file=sys.stderr)
            cost = run_child(SCRIPT, [name, str(folder)], options.threads)
            outcome = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
            runs[name].append({**outcome, "peak_gb": cost.peak_gb, "clock": options.clock})
    return runs


def seconds_of(run: dict) -> float:
    """Seconds a step (the median) or a loaded slice of one run, by the run's clock."""
    seconds = run[run["clock"]]
    return statistics.median(seconds) if "losses" in run else seconds / run["slices"]


def ratio(runs: dict[str, list[dict]], name: str, reference: str) -> tuple[float, float, float] | None:
    """How many times less time a side takes than a reference: median, lowest, highest over the rounds."""
    if name not in runs or reference not in runs:
        return None
    rounds = [seconds_of(theirs) / seconds_of(own) for own, theirs in zip(runs[name], runs[reference])]
    return statistics.median(rounds), min(rounds), max(rounds)


def in_words(value: tuple[float, float, float] | None) -> str:
    """A ratio with its spread."""
    return "-" if value is None else "{:.2f} ({:.2f} to {:.2f})".format(*value)


def step_table(runs: dict[str, list[dict]], batch: int) -> str:
    """Optimiser steps: one line a side."""
    rows = []
    for name in (name for name in runs if name.startswith("step-")):
        seconds = statistics.median(map(seconds_of, runs[name]))
        rows.append([TITLES[name], f"{seconds:.3f}", f"{batch / seconds:.2f}",
                     f"{max(run['peak_gb'] for run in runs[name]):.2f}",
                     *(in_words(ratio(runs, name, reference)) for reference in REFERENCES)])
    header = ["optimiser step", "s a step", "slices/s", "peak RSS GB", "times faster than nnU-Net as it is",
              "than nnU-Net in bfloat16"]
    return markdown_table(header, rows)


def loader_table(runs: dict[str, list[dict]], batch: int) -> str:
    """Loaders: one line a side."""
    steps = [seconds_of(run) for run in runs.get("step-flareseg-bfloat16", [])]
    rows = []
    for name in (name for name in runs if name.startswith("loader-")):
        rate = 1 / statistics.median(map(seconds_of, runs[name]))
        need = f"{rate * statistics.median(steps) / batch:.1f}" if steps else "-"
        faster = ratio(runs, name, name.replace("flareseg", "nnunet"))
        rows.append([TITLES[name], f"{rate:.1f}", in_words(faster), need])
    header = ["loader", "slices/s", "times faster than nnU-Net's", "times what FlareSeg's bfloat16 step takes"]
    return markdown_table(header, rows)


def loss_difference(runs: dict[str, list[dict]]) -> float | None:
    """Largest difference between both sides' float32 losses at the first step; the same weights and batch."""
    first = [runs[name][0]["losses"][0] for name in ("step-nnunet-float32", "step-flareseg-float32") if name in runs]
    return abs(first[0] - first[1]) if len(first) == 2 else None


def report(options: argparse.Namespace, result: dict) -> str:
    """Everything that is printed, as Markdown."""
    runs, parts = result["runs"], []
    parts.append(f"{options.batch} slices of {options.side} x {options.side} a step, width x {options.width:g} "
                 f"({result['parameters']:,} parameters), {options.rounds} rounds of {options.steps} steps and "
                 f"{options.loaded} loaded slices, medians. Clock: {CLOCKS[options.clock]}. "
                 + machine_lines(result["machine"], options.threads, result["load_average"]))
    if any(name.startswith("step-") for name in runs):
        parts.append(step_table(runs, options.batch))
    if any(name.startswith("loader-") for name in runs):
        parts.append(loader_table(runs, options.batch))
    target = ratio(runs, "step-flareseg-bfloat16", REFERENCES[0])
    if target is not None:
        parts.append(f"Target, FlareSeg in bfloat16 at least {LEAST_RATIO} times as fast as nnU-Net as it is: "
                     + ("met." if target[0] >= LEAST_RATIO else "missed."))
    if result["loss_difference"] is not None:
        parts.append(f"Same work: the float32 losses of the first step differ by {result['loss_difference']:.1g}.")
    return "\n\n".join(parts)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = {"side": (512, "rows and columns of a slice, a multiple of 128 from 256"),
               "batch": (2, "slices a step; the paper's is 12"), "cases": (2, "phantoms to load from"),
               "slices": (24, "slices of a phantom before isotropification"), "steps": (3, "timed steps a round"),
               "rounds": (3, "runs of each side"), "loaded": (240, "timed slices of a loader a round"),
               "threads": (usable_cores(), "threads of each side")}
    for name, (default, words_of) in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{words_of} (default %(default)s)")
    parser.add_argument("--width", type=float, default=1.0, help="factor on all channels, below 1 for a quick try")
    parser.add_argument("--clock", choices=CLOCKS, default="wall",
                        help="cpu: processor time, for a machine that others use; then with --threads 1")
    parser.add_argument("--only", action="append", choices=list(SIDES), metavar="NAME",
                        help=f"run this side alone, may be repeated: {', '.join(SIDES)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures, single runs included, to FILE")
    options = parser.parse_args(words)
    if options.side % 128 or options.side < 256 or min(getattr(options, name) for name in numbers) < 1:
        parser.error("numbers start at 1, and --side must be a multiple of 128 from 256")
    options.only = [name for name in SIDES if not options.only or name in options.only]
    return options


def main() -> None:
    options = arguments()
    result = {"machine": machine(PACKAGES), "threads": options.threads, "load_average": load_average()}
    with tempfile.TemporaryDirectory(prefix="flareseg-benchmark-") as name:
        result["runs"] = measure(options, Path(name))
        result["parameters"] = json.loads((Path(name) / "prepare.json").read_text(encoding="utf-8"))["parameters"]
    result["loss_difference"] = loss_difference(result["runs"])
    print(report(options, result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if (result["loss_difference"] or 0) > LARGEST_LOSS_DIFFERENCE:
        sys.exit("the two sides do not train the same network on the same batch")


if __name__ == "__main__":
    main()
