"""Train the starter model: ``python -m FlareSegLib.training.starter DATA CHECKPOINT [--leave-out PATIENT]``."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..errors import FlareSegError
from ..models.bundle import ModelBundle, load_network, read_bundle
from ..networks.unet2d import UNet2D, UNet2DSpec
from ..organs import FLARE_ORGANS
from ..preprocessing.normalisation import FLARE21_NORMALISATION
from .cases import TrainingCase, case_patients, load_case, read_case_list
from .loop import TrainingSettings, begin_with, seeing_neighbours, train
from .synthesis.mix import KINDS

#: It sees five slices, 3.2 mm apart, and labels the middle one.
STARTER_NETWORK = UNet2DSpec(features=(16, 32, 64, 128, 160, 160), in_channels=5, slice_step=2)
VERSION = "0.5.0"
STARTER_SPACING = 1.6
STARTER_GRID = (256, 256)


def starter_bundle(folder: Path = Path(), training: dict[str, Any] | None = None) -> ModelBundle:
    """Return what the starter model is, but for its weights."""
    return ModelBundle(
        folder=folder, name="flareseg-lite", version=VERSION,
        title="FlareSeg lite (2.7 million parameters at 1.6 mm)",
        network=STARTER_NETWORK, organs=FLARE_ORGANS, working_spacing=(STARTER_SPACING, STARTER_SPACING),
        grid=STARTER_GRID, normalisation=FLARE21_NORMALISATION, training=training or {},
        licence="For research use only. Trained in part on CTs under CC BY-NC-ND 3.0 (3D-IRCADb-01).",
        intended_use="Research on abdominal CT of adults. Not a medical device; not for diagnosis or treatment.",
        weights_sha256="",
    )


def add_case_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which cases are trained on; the export of a trained model takes the same."""
    parser.add_argument("--leave-out", nargs="*", default=[], choices=case_patients(), metavar="PATIENT",
                        help="train on all other patients")
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS, help="of the training sets; default all")
    parser.add_argument("--without", nargs="*", default=[], choices=("diseases", "donors"), help="leave made cases out "
                        "that have any")


def main(arguments: list[str] | None = None) -> None:
    """Run this script; without `arguments`, with those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the cases that starter_cases.json lists")
    parser.add_argument("checkpoint", type=Path, help="written every 50 steps; an existing one is resumed")
    parser.add_argument("--begin-with", type=Path, metavar="BUNDLE", help="where there is no checkpoint yet: go on "
                        "from these weights, after the steps that they have seen; of one slice or of all")
    parser.add_argument("--synthesis", type=Path, nargs="+", metavar="STORE", help="train on training sets that "
                        "FlareSegLib.training.synthesis.make has made, real CTs included, instead of DATA")
    add_case_options(parser)
    parser.add_argument("--steps", type=int, default=TrainingSettings.steps, help="in all: those of the checkpoint or "
                        "of --begin-with count, too (default %(default)s)")
    parser.add_argument("--cooldown", type=int, default=0, metavar="STEPS",
                        help="the last so many with a falling rate; "
                        "without them the same command with more --steps goes on (default 0)")
    parser.add_argument("--keep-every", type=int, default=0, metavar="STEPS", help="keep copies of the checkpoint, to "
                        "be averaged; in multiples of 50 (default: none)")
    parser.add_argument("--seed", type=int, default=0, help="of first weights and of what is drawn: another one tells "
                        "how much equal runs differ (default %(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    settings = TrainingSettings(steps=options.steps, cooldown=options.cooldown, keep_every=options.keep_every,
                                seed=options.seed)
    torch.set_num_threads(options.threads)
    try:
        cases = _cases(options)
        if options.begin_with is not None and not options.checkpoint.exists():
            _begin(options.begin_with, settings, options.checkpoint)
        print(f"training on {len(cases)} cases: {', '.join(case.name for case in cases[:20])}", flush=True)
        train(cases, STARTER_NETWORK, STARTER_GRID, FLARE21_NORMALISATION, settings, options.checkpoint,
              STARTER_SPACING)
    except FlareSegError as error:
        parser.exit(error.exit_code, f"{error}\n")


def _cases(options: argparse.Namespace) -> list[TrainingCase]:
    if options.synthesis is not None:
        from .synthesis.stored import joint_training_cases

        return joint_training_cases(options.synthesis, frozenset(options.leave_out), tuple(options.kinds),
                                    frozenset(options.without))
    entries = [entry for entry in read_case_list() if entry["patient"] not in options.leave_out]
    return [load_case(entry, options.data, STARTER_SPACING) for entry in entries]


def _begin(folder: Path, settings: TrainingSettings, checkpoint: Path) -> None:
    bundle = read_bundle(folder)
    if bundle.network not in (STARTER_NETWORK, replace(STARTER_NETWORK, in_channels=1, slice_step=1)):
        raise FlareSegError("bad_option", f"{folder} holds another network than the one to be trained.")
    if not {"protocol", "data"} <= bundle.training.keys():
        raise FlareSegError("bad_option", f"{folder} does not tell what it was trained on.")
    done = bundle.training["protocol"]["steps"]
    if settings.steps <= done:
        raise FlareSegError("bad_option", f"{folder} has been trained for {done} steps; --steps counts them, so give "
                                          "more.")
    network = load_network(bundle)
    assert isinstance(network, UNet2D), "of that description"
    if network.spec != STARTER_NETWORK:
        network = seeing_neighbours(network, STARTER_NETWORK)
    seen = [each["name"] for each in bundle.training["data"]["cts"]]
    begin_with(network, done, settings, checkpoint, seen)


if __name__ == "__main__":
    main()
