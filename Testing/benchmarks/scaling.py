"""How FlareSeg's time grows with slices, slice spacing and threads: a table and a picture of three curves.

The shipped model by default; each point is a process of its own, on a synthetic CT of 512 x 512 pixels of 0.8 mm.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from measuring import load_average, machine, machine_lines, markdown_table, run_child, usable_cores

SIDE, IN_PLANE_MM, SEED = 512, 0.8, 2021
SLICES, SPACING_MM, SLAB_MM = (50, 100, 200, 400, 800), 2.5, 200.0
SPACINGS_MM = (0.7, 1.0, 1.6, 2.5, 5.0)
AXES = {"slices": "slices (2.5 mm)", "spacing": "slice spacing, mm (slab of 200 mm)", "threads": "threads (100 slices)"}


@dataclass(frozen=True)
class Point:
    """One measurement: which curve it is of, and how the CT and the run are."""

    curve: str
    slices: int
    spacing_mm: float
    threads: int

    @property
    def x(self) -> float:
        """Where it lies on its curve."""
        return {"slices": self.slices, "spacing": self.spacing_mm, "threads": self.threads}[self.curve]


def points(threads: int, most_slices: int) -> list[Point]:
    """All points of the three curves."""
    doubled = sorted({min(2**power, threads) for power in range(threads.bit_length() + 1)})
    return [*(Point("slices", count, SPACING_MM, threads) for count in SLICES if count <= most_slices),
            *(Point("spacing", min(most_slices, round(SLAB_MM / mm)), mm, threads) for mm in SPACINGS_MM),
            *(Point("threads", min(most_slices, 100), SPACING_MM, count) for count in doubled)]


def run_point(point: Point, model: str, outcome: Path) -> None:
    """Segment one synthetic CT in this process and write what it took."""
    import numpy as np
    from FlareSegLib.inference.segment import segment
    from FlareSegLib.models.store import find_bundle
    from FlareSegLib.phantom.phantom import make_phantom
    from FlareSegLib.volumes.volume import Volume

    spacing = (IN_PLANE_MM, IN_PLANE_MM, point.spacing_mm)
    made = min(point.slices, 100)  # a longer one is repeated: only its size counts here
    array = np.resize(make_phantom(SEED, (SIDE, SIDE, made), spacing).ct.array, (point.slices, SIDE, SIDE))
    bundle = find_bundle(model)
    started = time.perf_counter()
    result = segment(Volume(array, spacing), bundle, device="cpu")
    outcome.write_text(json.dumps({"seconds": time.perf_counter() - started, "slices_run": result.slices_run,
                                   "runtime": result.runtime, "precision": result.precision}), encoding="utf-8")


def measure(point: Point, options: argparse.Namespace, folder: Path) -> dict:
    """Measure one point in child processes: median seconds, highest memory."""
    print(point, file=sys.stderr)
    outcome, runs = folder / "outcome.json", []
    for _ in range(options.repeat):
        words = ["--point", json.dumps(asdict(point)), str(outcome), "--model", options.model]
        cost = run_child(Path(__file__).resolve(), words, point.threads)
        runs.append({**json.loads(outcome.read_text()), "peak_gb": cost.peak_gb})
    return {**asdict(point), "x": point.x, **runs[0], "seconds": statistics.median(run["seconds"] for run in runs),
            "peak_gb": max(run["peak_gb"] for run in runs)}


def plot(figures: list[dict], file: Path) -> None:
    """Draw the three curves, axes from zero: proportional is a straight line through the corner."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    for axes, (curve, label) in zip(figure.subplots(1, len(AXES)), AXES.items()):
        own = sorted((each for each in figures if each["curve"] == curve), key=lambda each: each["x"])
        xs = [each["x"] for each in own]
        axes.plot(xs, [each["seconds"] for each in own], "o-", color="#1b6ca8")
        axes.set_xticks(xs, [f"{x:g}" for x in xs])
        axes.set_xlabel(label)
        axes.set_ylabel("segmentation, s")
        axes.grid(alpha=0.3)
        for each in own:
            axes.annotate(f"{each['seconds']:.1f}", (each["x"], each["seconds"]), textcoords="offset points",
                          xytext=(0, 6), ha="center", fontsize=8)
        axes.margins(0.12, 0.2)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
    figure.savefig(file, dpi=150)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default", help="name of a model or its folder (default: the shipped one)")
    parser.add_argument("--threads", type=int, default=usable_cores(), help="most threads (default: all cores)")
    parser.add_argument("--most-slices", type=int, default=max(SLICES), help="fewer for a quick try")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each point; the median is given")
    parser.add_argument("--plot", type=Path, default=Path("scaling.png"), metavar="PNG", help="default %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--point", nargs=2, help=argparse.SUPPRESS)  # the child that segments: point, outcome
    return parser.parse_args(words)


def main() -> None:
    options = arguments()
    if options.point:
        return run_point(Point(**json.loads(options.point[0])), options.model, Path(options.point[1]))
    about, load = machine(("torch", "openvino")), load_average()
    with tempfile.TemporaryDirectory(prefix="flareseg-benchmark-") as name:
        figures = [measure(point, options, Path(name)) for point in points(options.threads, options.most_slices)]
    rows = [[each["curve"], str(each["slices"]), f"{each['spacing_mm']:g}", str(each["threads"]),
             str(each["slices_run"]), f"{each['seconds']:.2f}", f"{1e3 * each['seconds'] / each['slices_run']:.0f}",
             f"{each['peak_gb']:.2f}", each["runtime"]] for each in figures]
    print(machine_lines(about, options.threads, load), markdown_table(
        ["curve", "slices", "spacing mm", "threads", "slices run", "s", "ms a slice", "peak RSS GB", "runtime"], rows),
        sep="\n\n")
    plot(figures, options.plot)
    if options.json:
        content = {"machine": about, "load_average": load, "points": figures}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
