"""Average the weights of several checkpoints of one run: ``python -m FlareSegLib.training.average CHECKPOINT … OUT``.

Late in a training with a constant rate the weights wander around a point that none of them is at; their mean lies
closer to it and is steadier on CTs that were not seen (Izmailov et al., "Averaging Weights Leads to Wider Optima", UAI
2018). What is averaged are the averaged weights that each checkpoint holds; OUT is the last checkpoint with the mean in
place of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from ..errors import FlareSegError
from .loop import read_state, write_checkpoint


def average_checkpoints(checkpoints: Sequence[Path], out: Path) -> list[int]:
    """Write the mean of the checkpoints' averaged weights, and return the steps that each had been trained for.

    Raises
    ------
    FlareSegError
        "output_exists"; as `read_state`; "bad_training_data" for checkpoints of different networks or runs.
    """
    if out.exists():
        raise FlareSegError("output_exists", f"{out} exists already; remove it or choose another name.")
    states = [read_state(path) for path in checkpoints]
    weights = [state["average"] for state in states]
    if len({tuple((name, value.shape) for name, value in each.items()) for each in weights}) > 1:
        raise FlareSegError("bad_training_data", "The checkpoints are of different networks.")
    if len({state.get("settings", {}).get("begin", 0) for state in states}) > 1:
        raise FlareSegError("bad_training_data", "The checkpoints are of different runs: they began with different "
                                                 "weights.")
    mean = {name: torch.stack([each[name] for each in weights]).mean(dim=0) for name in weights[0]}
    steps = [state["step"] for state in states]
    write_checkpoint(out, {**states[-1], "average": mean, "averaged_steps": steps,
                           "patients": sorted({name for state in states for name in state.get("patients", ())})})
    return steps


def main(arguments: list[str] | None = None) -> None:
    """Run this script; without `arguments`, with those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CHECKPOINT", help="of one run, the last one last")
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    try:
        steps = average_checkpoints(options.checkpoints, options.out)
    except FlareSegError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(f"{options.out}: mean of the weights after {', '.join(map(str, steps))} steps")


if __name__ == "__main__":
    main()
