"""Time and memory of every disease on a CT of 512 x 512 x 129 voxels. See README.md beside this file."""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
from measuring import REPOSITORY, load_average, machine, machine_lines, markdown_table, usable_cores

sys.path.insert(0, str(REPOSITORY))

SIZE, SPACING = (512, 512, 129), (0.75, 0.75, 2.0)
LESION_MM = 30.0
LESION_MS, WHOLE_ORGAN_MS = 150.0, 2000.0
SEEDS = 5
PACKAGES = ("numpy", "scipy", "torch")


def main(arguments: list[str] | None = None) -> None:
    """Measure each disease and print a table."""
    options = _parser().parse_args(arguments)
    import torch

    torch.set_num_threads(options.threads)
    load = load_average()
    scene = ready(options)
    rows = []
    for disease, organ in chosen(options):
        row = measure(scene, disease, organ, options.repeat)
        print(f"{disease.name} {organ}: {'no room' if row is None else row}", file=sys.stderr)
        if row is not None:
            rows.append([disease.name, organ or "scan", *row])
    print(machine_lines(machine(PACKAGES), options.threads, load), end="\n\n")
    print(markdown_table(["disease", "organ", "kind", "first ms", "ms", "CPU ms", "target ms", "box, million voxels",
                          "extra MB"], rows))


def ready(options):
    """The scene of the phantom, or of a CT; what lasts is measured, as an editor does when it opens a case."""
    from FlareSegLib.disease.case import make_case
    from FlareSegLib.disease.simulation import ready_scene
    from FlareSegLib.phantom.phantom import make_phantom
    from FlareSegLib.volumes.reading import read_label_map, read_volume

    if options.ct:
        case = make_case(read_volume(options.ct), read_label_map(options.labels))[0]
    else:
        phantom = make_phantom(1, SIZE, SPACING)
        case = make_case(phantom.ct, phantom.label_map)[0]
    started = time.perf_counter()
    scene = ready_scene(case)
    print(f"measuring the case itself, once: {time.perf_counter() - started:.1f} s", file=sys.stderr)
    return scene


def chosen(options):
    """Diseases with each of their organs, or with the first alone."""
    from FlareSegLib.disease.catalogue import DISEASES, find

    for disease in map(find, options.only or DISEASES):
        organs = disease.organs or ("",)
        for organ in organs if options.all_organs else organs[:1]:
            yield disease, organ


def measure(scene, disease, organ: str, repeat: int) -> list[str] | None:
    """The table's cells of one disease: kind, milliseconds (first, median, of the processor), target, box, memory."""
    from FlareSegLib.disease.scene import Scene

    operation = operation_of(scene, disease, organ)
    if operation is None:
        return None
    fresh = Scene(scene.case, dict(scene.known))  # organs' depths and the like are measured on the first click
    seconds, busy, boxes = [], [], []
    for _ in range(repeat + 1):
        started, before = time.perf_counter(), time.process_time()
        boxes = run(fresh, disease, operation)
        seconds.append(time.perf_counter() - started)
        busy.append(time.process_time() - before)
    tracemalloc.start()
    run(fresh, disease, operation)
    extra = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    kind = "composition" if disease.parts else "whole organ" if disease.whole_organ else "lesion"
    target = {"lesion": LESION_MS, "whole organ": WHOLE_ORGAN_MS}.get(kind)
    voxels = max(np.prod([part.stop - part.start for part in box]) for box in boxes) / 1e6
    typical, processor = (1000 * statistics.median(each[1:]) for each in (seconds, busy))
    # On an idle machine the processor's time is the longer one, on a busy one the only one that tells anything.
    verdict = "" if target is None or processor <= target else ", **missed**"
    return [kind, f"{1000 * seconds[0]:.0f}", f"{typical:.0f}", f"{processor:.0f}",
            "-" if target is None else f"{target:.0f}{verdict}", f"{voxels:.1f}", f"{extra / 1e6:.0f}"]


def operation_of(scene, disease, organ: str):
    """The disease with its default parameters, lesions of `LESION_MM`, at the first place that has room."""
    from FlareSegLib.disease.operation import draw
    from FlareSegLib.errors import FlareSegError

    parameters = disease.parameters()
    sizes = [field.name for field in dataclasses.fields(parameters) if field.name in ("diameter", "length", "depth")]
    if disease.parts is None and not disease.whole_organ and sizes[:1] == ["diameter"]:
        meaning = {field.name: field.metadata["meaning"] for field in dataclasses.fields(parameters)}["diameter"]
        parameters = dataclasses.replace(parameters, diameter=float(np.clip(LESION_MM, meaning.low, meaning.high)))
    for seed in range(SEEDS):
        try:
            operation = draw(disease, scene, organ, np.random.default_rng(seed), parameters)
            run(scene, disease, operation)
        except FlareSegError as error:
            if error.code not in ("disease_not_placed", "bad_disease_case"):
                raise
            continue
        return operation
    return None


def run(scene, disease, operation) -> list:
    """Do it once and return the boxes; a composition edits a copy of the case, a disease computes its change alone."""
    from FlareSegLib.disease.catalogue import find
    from FlareSegLib.disease.operation import apply, perform

    if disease.parts is None:
        return [apply(disease, scene, operation).box]
    return [change.box for _, change in perform(find, scene, operation)[1]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ct", type=Path, help="a CT, instead of a phantom")
    parser.add_argument("--labels", type=Path, help="its label map")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these diseases only")
    parser.add_argument("--all-organs", action="store_true", help="each disease in all of its organs")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=usable_cores())
    return parser


if __name__ == "__main__":
    main()
