"""What a training leaves behind: settings, losses, checkpoints, snapshots and, at the end, the model bundle.

    run.json          protocol, network, normalisation, labels: a resumed training must have the same
    fingerprint.json  of the training set
    losses.jsonl      one line a step
    checkpoint.pt     network and optimiser (plain tensors and numbers; read without running code)
    snapshots/        bundles of early epochs
    simulated/        cases with simulated diseases, where the training has them
    model/            the finished bundle
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import torch

from ..errors import FlareSegError
from .json_files import write_json


@dataclass(frozen=True)
class RunFolder:
    """The files of one training."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        """The newest state."""
        return self.folder / "checkpoint.pt"

    @property
    def losses(self) -> Path:
        """One JSON object a line: step, loss."""
        return self.folder / "losses.jsonl"

    @property
    def model(self) -> Path:
        """The finished bundle."""
        return self.folder / "model"

    @property
    def simulated(self) -> Path:
        """Cases with simulated diseases, the newest ones."""
        return self.folder / "simulated"

    def snapshot(self, epoch: int) -> Path:
        """The bundle of an early epoch."""
        return self.folder / "snapshots" / f"epoch-{epoch:04}"


class Checkpoint(TypedDict):
    """Plain tensors and numbers: the states of a training's parts after so many steps."""

    step: int
    network: dict[str, torch.Tensor]
    optimiser: dict[str, Any]
    scaler: dict[str, Any]


def open_run(folder: str | Path, settings: dict[str, Any], resume: bool) -> RunFolder:
    """Make the folder of a new training, or open that of one to go on with.

    Parameters
    ----------
    settings : dict
        Plain JSON data that must not change between the parts of one training.

    Raises
    ------
    FlareSegError
        "output_exists" for a folder that holds something and `resume` is not set, "bad_option" where the settings
        differ, "output_unwritable".
    """
    run = RunFolder(Path(folder))
    path = run.folder / "run.json"
    settings = json.loads(json.dumps(settings))
    if path.exists() and not resume:
        raise FlareSegError("output_exists", f"{folder} holds a training already; go on with it (--resume) or choose "
                                             "another folder.")
    if path.exists():
        _refuse_other_settings(path, settings)
        return run
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        write_json(path, settings, indent=1)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"{folder} cannot be written; choose another place.") from error
    return run


def _refuse_other_settings(path: Path, settings: dict[str, Any]) -> None:
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FlareSegError("bad_option", f"{path} cannot be read; begin anew in another folder.") from error
    changed = sorted(key for key in before.keys() | settings.keys() if before.get(key) != settings.get(key))
    if changed:
        raise FlareSegError("bad_option", f"The training in {path.parent} was begun with other settings "
                                          f"({', '.join(changed)}); use the same or begin anew in another folder.")


def save_checkpoint(run: RunFolder, state: Checkpoint) -> None:
    """Write beside and rename, so that a kill leaves the last whole checkpoint.

    Raises
    ------
    FlareSegError
        "output_unwritable"; the last checkpoint stays.
    """
    partial = run.checkpoint.with_suffix(".partial")
    try:
        torch.save(state, partial)
        os.replace(partial, run.checkpoint)
    except (OSError, RuntimeError) as error:  # torch's own writer says RuntimeError where the disk is full
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise FlareSegError("output_unwritable", f"{run.checkpoint} cannot be written; make room there and go on with "
                                                 "--resume.") from error


def load_checkpoint(run: RunFolder) -> Checkpoint | None:
    """Return the newest state; None before the first.

    Raises
    ------
    FlareSegError
        "unreadable".
    """
    if not run.checkpoint.exists():
        return None
    try:
        return torch.load(run.checkpoint, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged archive makes torch raise
        raise FlareSegError("unreadable", f"{run.checkpoint} is damaged; the training cannot be resumed.") from error


def keep_losses(run: RunFolder, steps: int) -> list[float]:
    """Cut the loss file to what a checkpoint after `steps` steps has seen, and return these losses."""
    if not run.losses.exists():
        return []
    lines = run.losses.read_text(encoding="utf-8").splitlines()[:steps]
    while lines and not lines[-1].endswith("}"):  # cut off while it was written
        lines.pop()
    run.losses.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [json.loads(line)["loss"] for line in lines]
