"""The shipped starter model from file to file: seconds of each stage, slices run and peak memory; one Markdown table.

Cases: a synthetic CT of 512 x 512 x 129 voxels and, where the folder of real CTs is there (FLARESEG_DATA, else
shared/data beside the checkout), a real one of the same size; `--ct` takes other files. Every case runs in a process
of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from measuring import REPOSITORY, load_average, machine, machine_lines, markdown_table, run_child, usable_cores

SIZE, SPACING, SEED = (512, 512, 129), (0.8, 0.8, 2.0), 2021
REAL_CT = Path("ct", "ircad01", "ct.nii.gz")
STAGES = ("start", "read", "check", "load model", "preprocess + network", "write")
HEADER = ["case", "voxels", *(f"{stage} s" for stage in STAGES), "whole process s", "slices run", "peak RSS GB",
          "precision"]


def write_phantom(path: Path) -> None:
    """Write the synthetic CT."""
    import SimpleITK as sitk
    from FlareSegLib.phantom.phantom import make_phantom

    ct = make_phantom(SEED, SIZE, SPACING).ct
    image = sitk.GetImageFromArray(ct.array)
    image.SetSpacing(ct.spacing)
    image.SetOrigin(ct.origin)
    sitk.WriteImage(image, str(path), useCompression=True)


def run_case(ct_path: Path, model: str, exact: bool, outcome_path: Path) -> None:
    """Segment one CT in this process and write the seconds of each stage to a JSON file."""
    clock = _Clock()
    from FlareSegLib.inference.segment import segment
    from FlareSegLib.models.store import find_bundle
    from FlareSegLib.results.writing import write_segmentation
    from FlareSegLib.volumes.checks import check_ct
    from FlareSegLib.volumes.reading import read_volume

    bundle = find_bundle(model)
    start = clock.lap()
    ct = read_volume(ct_path)
    read = clock.lap()
    check_ct(ct)
    check = clock.lap()
    result = segment(ct, bundle, device="cpu", exact=exact)
    whole = clock.lap()
    write_segmentation(outcome_path.with_suffix(".seg.nrrd"), result.label_map, result.organs)
    # segment checks the CT again and loads the weights before its own clock starts
    load = max(0.0, whole - result.seconds - check)
    seconds = dict(zip(STAGES, (start, read, check, load, result.seconds, clock.lap())))
    outcome_path.write_text(json.dumps({
        "model": result.model, "voxels": ct.size, "seconds": seconds, "slices": result.slices_run,
        "precision": result.precision}) + "\n", encoding="utf-8")


class _Clock:
    """Seconds since the lap before."""

    def __init__(self):
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        seconds, self._last = now - self._last, now
        return seconds


def measure_case(name: str, ct_path: Path, options: argparse.Namespace, folder: Path) -> dict:
    """Run one case in a child process and return its figures."""
    print(name, file=sys.stderr)
    outcome = folder / f"{name}.json"
    words = ["--case", str(ct_path), str(outcome), "--model", options.model, *(["--exact"] if options.exact else [])]
    cost = run_child(Path(__file__).resolve(), words, options.threads)
    return {"case": name, **json.loads(outcome.read_text()), "process_seconds": cost.seconds, "peak_gb": cost.peak_gb}


def table_row(figures: dict) -> list[str]:
    """One line of the table."""
    return [figures["case"], " x ".join(map(str, figures["voxels"])),
            *(f"{figures['seconds'][stage]:.2f}" for stage in STAGES), f"{figures['process_seconds']:.1f}",
            str(figures["slices"]), f"{figures['peak_gb']:.2f}", figures["precision"]]


def real_ct() -> Path | None:
    """The real CT, where it is present."""
    data = Path(os.environ.get("FLARESEG_DATA", REPOSITORY.parent / "shared" / "data"))
    return data / REAL_CT if (data / REAL_CT).is_file() else None


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default", help="name of a model or its folder (default: the shipped one)")
    parser.add_argument("--exact", action="store_true", help="float32 throughout")
    parser.add_argument("--ct", type=Path, action="append", help="measure this CT instead, may be repeated")
    parser.add_argument("--threads", type=int, default=usable_cores(), help="threads (default: all cores)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--phantom", type=Path, help=argparse.SUPPRESS)  # the child that makes the synthetic CT
    parser.add_argument("--case", type=Path, nargs=2, help=argparse.SUPPRESS)  # the child that segments: CT, outcome
    return parser.parse_args(words)


def cases(options: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """Name and file of every case; makes the synthetic CT."""
    if options.ct:
        return {f"CT {number}": path for number, path in enumerate(options.ct, start=1)}
    phantom = folder / "phantom.nii.gz"
    run_child(Path(__file__).resolve(), ["--phantom", str(phantom)], options.threads)
    real = real_ct()
    if real is None:
        print("no real CT: the folder of real CTs is absent (set FLARESEG_DATA)", file=sys.stderr)
    return {"phantom": phantom, **({real.parent.name: real} if real else {})}


def compare(options: argparse.Namespace) -> None:
    """Measure all cases and print the table."""
    result = {"machine": machine(("torch",)), "threads": options.threads, "load_average": load_average()}
    with tempfile.TemporaryDirectory(prefix="flareseg-benchmark-") as name:
        folder = Path(name)
        result["cases"] = [measure_case(case, path, options, folder) for case, path in cases(options, folder).items()]
    print(f"Model {result['cases'][0]['model']}, from file to .seg.nrrd.",
          machine_lines(result["machine"], options.threads, result["load_average"]),
          markdown_table(HEADER, [table_row(figures) for figures in result["cases"]]), sep="\n\n")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    options = arguments()
    if options.phantom:
        write_phantom(options.phantom)
    elif options.case:
        from FlareSegLib.errors import FlareSegError

        try:
            run_case(options.case[0], options.model, options.exact, options.case[1])
        except FlareSegError as error:
            sys.exit(f"starter_model.py: {error}")
    else:
        compare(options)


if __name__ == "__main__":
    main()
