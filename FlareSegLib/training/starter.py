"""Train the starter model: ``python -m FlareSegLib.training.starter DATA CHECKPOINT [--leave-out PATIENT]``."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ..networks.unet2d import UNet2DSpec
from ..preprocessing.normalisation import FLARE21_NORMALISATION
from .cases import load_case, read_case_list
from .loop import TrainingSettings, train

STARTER_NETWORK = UNet2DSpec(features=(16, 32, 64, 128, 160, 160))
STARTER_SPACING = 1.6
STARTER_GRID = (256, 256)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the cases that starter_cases.json lists")
    parser.add_argument("checkpoint", type=Path, help="written every 50 steps; an existing one is resumed")
    parser.add_argument("--leave-out", metavar="PATIENT", help="train on all other patients")
    parser.add_argument("--steps", type=int, default=TrainingSettings.steps)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    entries = [entry for entry in read_case_list() if entry["patient"] != options.leave_out]
    cases = [load_case(entry, options.data, STARTER_SPACING) for entry in entries]
    print(f"training on {', '.join(case.name for case in cases)}", flush=True)
    train(cases, STARTER_NETWORK, STARTER_GRID, FLARE21_NORMALISATION,
          TrainingSettings(steps=options.steps), options.checkpoint)


if __name__ == "__main__":
    main()
