"""One side of the training benchmark, in this process: `training_sides.py NAME FOLDER`; training.py starts it.

"prepare" makes what all share (raw phantoms, FlareSeg's store, nnU-Net's preprocessed set, one batch, one set of
weights in both forms); each of the others reads it from FOLDER and writes FOLDER/NAME.json.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path

SPACING, SEED = (0.8, 0.8, 2.5), 2021
OPTIONS, BATCH, WEIGHTS, NNUNET_WEIGHTS = "options.json", "batch.pt", "flareseg.pt", "nnunet.pt"
#: Batches before the clock starts: more than either loader keeps ready, so that none of those timed was made before.
LOADED_BEFORE = 16


def network_spec(width: float):
    """The paper's network, or a narrower one, with the biases that nnU-Net v2 adds."""
    from dataclasses import replace

    from FlareSegLib.networks.spec import PAPER_NETWORK

    features = tuple(max(4, round(width * channels)) for channels in PAPER_NETWORK.features)
    return replace(PAPER_NETWORK, features=features, head_bias=True, up_bias=True)


def prepare(folder: Path, options: dict) -> None:
    """Make what all sides read."""
    import torch
    from nnunet_reference import copy_weights
    from nnunet_training import make_trainer, preprocess

    from FlareSegLib.networks.unet2d import UNet2D
    from FlareSegLib.training.raw_data import find_raw_dataset
    from FlareSegLib.training.store_building import build_store

    files = _write_raw(folder / "raw", options)
    build_store(find_raw_dataset(folder / "raw"), folder / "store")
    preprocess(files, folder, _plans(options))
    torch.manual_seed(SEED)
    ours = UNet2D(network_spec(options["width"]))
    theirs = make_trainer(folder, _plans(options)).network
    copy_weights(ours, theirs)
    torch.save(ours.state_dict(), folder / WEIGHTS)
    torch.save(theirs.state_dict(), folder / NNUNET_WEIGHTS)
    dataset, protocol, _ = _dataset(folder, options)
    images, labels = zip(*(dataset[number] for number in range(protocol.batch)))
    torch.save((torch.stack(images), torch.stack(labels)), folder / BATCH)
    _write(folder, "prepare", {"parameters": sum(p.numel() for p in ours.parameters()),
                               "nnunet_parameters": sum(p.numel() for p in theirs.parameters())})


def _write_raw(folder: Path, options: dict) -> list[tuple[Path, Path]]:
    """Phantoms in FLARE21's naming."""
    import SimpleITK as sitk

    from FlareSegLib.phantom.phantom import make_phantom

    files = []
    for seed in range(options["cases"]):
        phantom = make_phantom(seed, (options["side"], options["side"], options["slices"]), SPACING)
        paths = (folder / f"TrainingImg/train_{seed:03}_0000.nii.gz", folder / f"TrainingMask/train_{seed:03}.nii.gz")
        for volume, path in zip((phantom.ct, phantom.label_map), paths):
            path.parent.mkdir(parents=True, exist_ok=True)
            image = sitk.GetImageFromArray(volume.array)
            image.SetSpacing(volume.spacing)
            image.SetOrigin(volume.origin)
            sitk.WriteImage(image, str(path))
        files.append(paths)
    return files


def _plans(options: dict) -> dict:
    from nnunet_training import training_plans

    return training_plans(network_spec(options["width"]), options["side"], options["batch"], SPACING[0])


def _dataset(folder: Path, options: dict):
    """FlareSeg's slices of the store, the protocol and this process as a team."""
    import torch

    from FlareSegLib.training.protocol import TrainingProtocol
    from FlareSegLib.training.slice_dataset import SliceDataset
    from FlareSegLib.training.slice_store import open_store
    from FlareSegLib.training.team import Team

    batch, side = options["batch"], options["side"]
    protocol = TrainingProtocol(grid=(side, side), batch=batch, forced_foreground=max(1, batch // 3))
    store = open_store(folder / "store")
    return (SliceDataset(store.cases, store.fingerprint().normalisation, protocol), protocol,
            Team(0, 1, torch.device("cpu")))


def flareseg_step(folder: Path, options: dict, precision: str) -> dict:
    """FlareSeg's optimiser step."""
    import torch

    from FlareSegLib.networks.unet2d import UNet2D
    from FlareSegLib.training.trainer import TrainerOptions, TrainingState

    network = UNet2D(network_spec(options["width"]))
    network.load_state_dict(torch.load(folder / WEIGHTS, weights_only=True))
    _, protocol, team = _dataset(folder, options)
    state = TrainingState(network.train(), protocol, team, TrainerOptions(precision))
    images, labels = torch.load(folder / BATCH, weights_only=True)
    return _time_steps(lambda: state.advance(images, labels), options["steps"])


def nnunet_step(folder: Path, options: dict, precision: str) -> dict:
    """nnU-Net's `train_step`; in bfloat16 inside an autocast that nnU-Net itself leaves out on the CPU."""
    import torch
    from nnunet_training import make_trainer

    trainer = make_trainer(folder, _plans(options))
    trainer.network.load_state_dict(torch.load(folder / NNUNET_WEIGHTS, weights_only=True))
    trainer.network.train()
    images, labels = torch.load(folder / BATCH, weights_only=True)
    levels = len(network_spec(options["width"]).features) - 1
    batch = {"data": images, "target": [labels[:, None, ::2**level, ::2**level] for level in range(levels)]}

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else nullcontext():
            return float(trainer.train_step(batch)["loss"]) + 1  # its loss has minus Dice, ours one minus Dice
    return _time_steps(step, options["steps"])


def _time_steps(step: Callable[[], float], steps: int) -> dict:
    """Loss of each step, and wall and processor seconds of each but the first, which also allocates."""
    import torch

    losses, wall, cpu = [step()], [], []
    for _ in range(steps):
        started = time.perf_counter(), time.process_time()
        losses.append(step())
        wall.append(time.perf_counter() - started[0])
        cpu.append(time.process_time() - started[1])
    return {"losses": losses, "wall": wall, "cpu": cpu, "threads": torch.get_num_threads()}


def flareseg_loader(folder: Path, options: dict, workers: int) -> dict:
    """FlareSeg's store, drawing and augmentation in worker processes, or for 0 of them in this one."""
    from FlareSegLib.training.trainer import TrainerOptions, batches

    dataset, protocol, team = _dataset(folder, options)
    return _time_loading(batches(dataset, protocol, team, TrainerOptions(workers=workers), 0), options, workers)


def nnunet_loader(folder: Path, options: dict, workers: int) -> dict:
    """nnU-Net's loader and augmentation in worker processes, or for 0 of them in this one."""
    from nnunet_training import make_trainer, training_batches

    with training_batches(make_trainer(folder, _plans(options)), workers) as batches:
        return _time_loading(batches, options, workers)


def _time_loading(batches: Iterable, options: dict, workers: int) -> dict:
    """Seconds for a number of slices, taken as fast as they come; processor time can be had without workers only."""
    batches = iter(batches)
    for _ in range(LOADED_BEFORE if workers else 1):
        next(batches)
    count = -(-options["loaded"] // options["batch"])
    started = time.perf_counter(), time.process_time()
    for _ in range(count):
        next(batches)
    wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    return {"wall": wall, "cpu": wall if workers else cpu, "slices": count * options["batch"]}


SIDES = {
    "step-nnunet-float32": lambda folder, options: nnunet_step(folder, options, "float32"),
    "step-nnunet-bfloat16": lambda folder, options: nnunet_step(folder, options, "bfloat16"),
    "step-flareseg-float32": lambda folder, options: flareseg_step(folder, options, "float32"),
    "step-flareseg-bfloat16": lambda folder, options: flareseg_step(folder, options, "bfloat16"),
    "loader-nnunet-0": lambda folder, options: nnunet_loader(folder, options, 0),
    "loader-flareseg-0": lambda folder, options: flareseg_loader(folder, options, 0),
    "loader-nnunet-2": lambda folder, options: nnunet_loader(folder, options, 2),
    "loader-flareseg-2": lambda folder, options: flareseg_loader(folder, options, 2),
}


def _write(folder: Path, name: str, content: dict) -> None:
    (folder / f"{name}.json").write_text(json.dumps(content) + "\n", encoding="utf-8")


def main(name: str, folder: Path) -> None:
    """Run one side, or "prepare"."""
    options = json.loads((folder / OPTIONS).read_text(encoding="utf-8"))
    if name == "prepare":
        prepare(folder, options)
    else:
        _write(folder, name, SIDES[name](folder, options))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
