"""Do simulated diseases help? Small models trained without, with frozen variants, with ever new ones; held-out Dice.

Phantoms by default; real CTs through --data and --held-out. See README.md beside this file for what is measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from measuring import REPOSITORY, load_average, machine, machine_lines, markdown_table, usable_cores

sys.path.insert(0, str(REPOSITORY))

CONDITIONS = ("none", "frozen", "on the fly")
SIZE, SPACING = (96, 76, 30), (3.0, 3.0, 6.0)
GRID, WIDTHS = (80, 96), (16, 32, 64, 128)
HELD_OUT_SEED, VARIANT_SEED = 1000, 77
PACKAGES = ("torch", "numpy", "scipy")


def main(arguments: list[str] | None = None) -> None:
    """Train, score, print."""
    options = _parser().parse_args(arguments)
    if bool(options.data) != bool(options.held_out):
        sys.exit("--data and --held-out go together")
    if options.quick:
        options.patients, options.test_patients, options.epochs, options.test_variants = 4, 3, 2, 1
    import torch

    torch.set_num_threads(options.threads)
    load, started = load_average(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        data = Path(options.data or phantoms(folder / "raw", range(options.patients)))
        test = Path(options.held_out or phantoms(folder / "held-out", range(HELD_OUT_SEED,
                                                                            HELD_OUT_SEED + options.test_patients)))
        cases = list(held_out_cases(test, options))
        scores = {}
        for seed in range(options.seeds):
            for condition in options.only:
                model = train(condition, data, folder / f"{condition} {seed}", seed, options)
                scores.setdefault(condition, []).append(score(model, cases))
                print(f"{condition}, seed {seed}: done after {time.monotonic() - started:.0f} s", file=sys.stderr)
    if options.json:
        Path(options.json).write_text(json.dumps(scores, indent=1), encoding="utf-8")
    print(machine_lines(machine(PACKAGES), options.threads, load), end="\n\n")
    print(settings_line(options, cases, time.monotonic() - started), end="\n\n")
    print(dice_table(scores), difference_table(scores), organ_table(scores), sep="\n\n")


def phantoms(folder: Path, seeds) -> Path:
    """Write phantoms as a raw data set in FLARE21's names."""
    from FlareSegLib.disease.datasets import write_nifti
    from FlareSegLib.phantom.phantom import make_phantom

    for name in ("TrainingImg", "TrainingMask"):
        (folder / name).mkdir(parents=True)
    for seed in seeds:
        phantom = make_phantom(seed, SIZE, SPACING)
        write_nifti(phantom.ct, folder / f"TrainingImg/train_{seed:03}_0000.nii.gz")
        write_nifti(phantom.label_map, folder / f"TrainingMask/train_{seed:03}.nii.gz")
    return folder


def held_out_cases(folder: Path, options):
    """Yield (patient, kind, CT, label map) of the held-out cases as they are, and with diseases no training saw."""
    from FlareSegLib.disease.batch import Plan, draw_variant_of
    from FlareSegLib.disease.catalogue import find
    from FlareSegLib.disease.datasets import LAYOUTS
    from FlareSegLib.disease.simulation import ready_scene
    from FlareSegLib.disease.sources import find_sources, load

    plan = Plan(find_sources([folder]), folder, LAYOUTS["v2"], mix_of(options), options.test_variants, VARIANT_SEED)
    for source in plan.sources:
        loaded = load(source)
        yield source.patient, "healthy", *loaded.case.volumes(loaded.order, loaded.ct)
        scene = ready_scene(loaded.case)
        for item in plan.items:
            if item.source == source and item.variant is not None:
                simulation = draw_variant_of(plan, item, scene, find)
                yield source.patient, "diseased", *simulation.case.volumes(loaded.order, loaded.ct)


def mix_of(options):
    """The mix, of training and test alike."""
    from FlareSegLib.disease.catalogue import DISEASES, find
    from FlareSegLib.disease.mix import default_mix, read_mix

    return read_mix(options.mix, find) if options.mix else default_mix(DISEASES)


def train(condition: str, data: Path, folder: Path, seed: int, options) -> Path:
    """Train a model in one of the conditions; all see as many slices, the last two as many simulated ones."""
    import torch

    from FlareSegLib.disease.batch import Plan, run_batch
    from FlareSegLib.disease.catalogue import find
    from FlareSegLib.disease.datasets import LAYOUTS
    from FlareSegLib.disease.sources import find_sources
    from FlareSegLib.networks.spec import UNet2DSpec
    from FlareSegLib.training.paper_training import train_model
    from FlareSegLib.training.protocol import TrainingProtocol
    from FlareSegLib.training.raw_data import find_raw_dataset
    from FlareSegLib.training.simulated_cases import SimulationProtocol
    from FlareSegLib.training.store_building import build_store
    from FlareSegLib.training.team import Team
    from FlareSegLib.training.trainer import TrainerOptions, choose_precision

    protocol = TrainingProtocol(grid=tuple(options.grid), batch=8, forced_foreground=3, epochs=options.epochs,
                                iterations=40,
                                learning_rate=0.1, momentum=0.9, seed=seed)
    simulation = None
    if condition == "frozen":
        run_batch(Plan(find_sources([data]), folder / "frozen", LAYOUTS["v2"], mix_of(options), options.variants, seed),
                  find)
        data = folder / "frozen"
    elif condition == "on the fly":
        simulation = SimulationProtocol(mix_of(options), share=options.variants / (options.variants + 1), seed=seed)
        simulation = replace(simulation, slices_a_volume=max(40, protocol.steps * protocol.batch // options.volumes))
    store = build_store(find_raw_dataset(data), folder / "store", options.spacing)
    cpu = torch.device("cpu")
    return train_model(store, folder / "run", UNet2DSpec(WIDTHS), protocol, Team(0, 1, cpu),
                       TrainerOptions(choose_precision(cpu)), simulation=simulation)


def score(model: Path, cases) -> list[dict]:
    """Dice of each organ of each held-out case."""
    from FlareSegLib.evaluation.agreement import dice
    from FlareSegLib.inference.segment import segment
    from FlareSegLib.organs import FLARE_ORGANS

    rows = []
    for patient, kind, ct, labels in cases:
        found = segment(ct, model, device="cpu").label_map.array
        rows += [{"patient": patient, "kind": kind, "organ": organ.name, "dice": dice(found, labels.array, organ.label)}
                 for organ in FLARE_ORGANS if (labels.array == organ.label).any()]
    return rows


def by_patient(runs: list[list[dict]], kind: str, organ: str = "") -> dict[str, float]:
    """Mean Dice of each patient, over organs, variants and seeds: patients are independent, their variants are not."""
    values: dict[str, list[float]] = {}
    for row in (row for rows in runs for row in rows):
        if row["kind"] == kind and organ in ("", row["organ"]):
            values.setdefault(row["patient"], []).append(row["dice"])
    return {patient: float(np.mean(each)) for patient, each in values.items()}


def dice_table(scores: dict) -> str:
    """Mean Dice with its bootstrap interval over patients."""
    rows = [[condition, *(in_words(by_patient(runs, kind)) for kind in ("healthy", "diseased"))]
            for condition, runs in scores.items()]
    return markdown_table(["diseases in training", "Dice, healthy", "Dice, diseased"], rows)


def in_words(values: dict[str, float]) -> str:
    """A mean and its 95 % interval."""
    from FlareSegLib.evaluation.statistics import bootstrap_interval

    numbers = np.array(list(values.values()))
    return "{:.3f} ({:.3f} to {:.3f})".format(numbers.mean(), *bootstrap_interval(numbers))


def difference_table(scores: dict) -> str:
    """Paired differences to the training without diseases, and of the two with them."""
    from FlareSegLib.evaluation.statistics import paired_difference

    pairs = [(one, other) for one, other in (("frozen", "none"), ("on the fly", "none"), ("on the fly", "frozen"))
             if one in scores and other in scores]
    rows = []
    for one, other in pairs:
        cells = [f"{one} − {other}"]
        for kind in ("healthy", "diseased"):
            found = paired_difference(by_patient(scores[one], kind), by_patient(scores[other], kind))
            p = "" if found.p is None else f", p = {found.p:.3f}"
            cells.append(f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f}{p})")
        rows.append(cells)
    return markdown_table(["difference", "healthy", "diseased"], rows)


def organ_table(scores: dict) -> str:
    """Mean Dice of each organ in diseased cases."""
    organs = ("liver", "kidney", "spleen", "pancreas")
    rows = [[condition, *(f"{np.mean(list(by_patient(runs, 'diseased', organ).values())):.3f}" for organ in organs)]
            for condition, runs in scores.items()]
    return markdown_table(["Dice, diseased", *organs], rows)


def settings_line(options, cases, seconds: float) -> str:
    """What was trained on what."""
    trained = options.data or f"{options.patients} phantoms"
    return (f"Trained on {trained}, {options.epochs * 40} steps of 8 slices each, {options.variants} variants a case "
            f"(or the same share of new ones), {options.seeds} seed(s); {len({case[0] for case in cases})} held-out "
            f"patients, {sum(case[1] == 'diseased' for case in cases)} diseased cases. {seconds / 60:.0f} minutes in "
            "all.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a try in a minute or two; its figures mean nothing")
    parser.add_argument("--data", help="raw data set to train on, instead of phantoms")
    parser.add_argument("--held-out", help="raw data set of other patients to test on")
    parser.add_argument("--mix", type=Path, help="diseases to draw; the default mix where it is left out")
    parser.add_argument("--grid", type=int, nargs=2, default=GRID, help="rows and columns of a training slice")
    parser.add_argument("--spacing", type=float, help="bring slices to this spacing (mm) first")
    parser.add_argument("--patients", type=int, default=12, help="phantoms to train on")
    parser.add_argument("--test-patients", type=int, default=12, help="phantoms to test on")
    parser.add_argument("--variants", type=int, default=2, help="frozen variants a case")
    parser.add_argument("--volumes", type=int, default=24, help="volumes that are simulated on the fly, about")
    parser.add_argument("--test-variants", type=int, default=2, help="diseased variants of each held-out patient")
    parser.add_argument("--epochs", type=int, default=14, help="of 40 steps")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each condition")
    parser.add_argument("--only", nargs="+", choices=CONDITIONS, default=CONDITIONS)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--json", help="every Dice, to a file")
    return parser


if __name__ == "__main__":
    main()
