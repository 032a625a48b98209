"""Train the full model, the paper's network on 512 x 512 pixels, on a lent GPU that takes and gives back little.

Made for a machine that runs commands of some minutes, keeps its files between them for a while, and exchanges files of
limited size. Each command goes on where the last one was stopped::

    python -m FlareSegLib.training.full pack STORE full.tar --megabytes 40       # here, once
    python -m FlareSegLib.training.full train full.tar RUN OUT --minutes 8       # there, again and again
    python -m FlareSegLib.training.full join OUT BUNDLE                          # here

`pack` takes a training set of `synthesis.make`. `train` unpacks it, resamples it to `SPACING_MM` once, trains until the
time is over, and then writes what is to be brought back into OUT: the weights as int8 in parts of at most 16 MB, with
what int8 costs (`loss_by_int8`) measured on slices of the training set. On a new machine, where RUN is lost, ``train
--begin-with BUNDLE`` takes the weights of a joined bundle and the steps that they have seen; only the optimiser's
momentum begins anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch

from ..arrays import Floats, Labels
from ..errors import FlareSegError
from ..evaluation.agreement import dice
from ..models.bundle import (DESCRIPTION_FILE, WEIGHTS_FILE, ModelBundle, load_network, new_folder, read_bundle,
                             verify_bundle, write_bundle)
from ..networks.build import build_network
from ..networks.spec import PAPER_NETWORK, UNetSpec
from ..networks.unet import UNet
from ..organs import organs_of
from ..preprocessing.inplane import InPlanePlan, labels_to_grid, plan_inplane, to_grid
from .fingerprint import Fingerprint
from .json_files import write_json
from .pack import pack, unpack
from .paper_training import ModelWords
from .protocol import PAPER_PROTOCOL, TrainingProtocol
from .run_folder import RunFolder, load_checkpoint, open_run, save_checkpoint
from .slice_dataset import SliceDataset
from .slice_store import HuCode, SliceStore, StoredCase, claim_store, open_store, stored_sources, write_case
from .synthesis.stored import fully_labelled
from .team import Team, join_team
from .trainer import TrainerOptions, TrainingState, choose_precision, train

#: 512 pixels of 0.8 mm hold nearly every body; a training set has 1.6 mm.
SPACING_MM = 0.8
#: A file that comes back may be so large, and int8's loss is measured on so many slices.
PART_BYTES, CHECKED_SLICES = 16_000_000, 24
PARTS_FILE = "parts.json"
WORDS = ModelWords(name="flareseg-full", title="FlareSeg full model (the paper's network on 512 x 512 pixels)",
                   licence="For research use only; see the card for what it was trained on.",
                   intended_use="Research on abdominal CT of adults. Not a medical device; "
                                "not for diagnosis or treatment.")
#: Steps that a day's lease can hold; ``--epochs`` changes it. Everything else is the paper's.
PROTOCOL = replace(PAPER_PROTOCOL, epochs=100)


@dataclass(frozen=True)
class Lease:
    """What one command may do.

    Attributes
    ----------
    minutes : float
        Of training; reading, checking and writing come on top.
    part_bytes : int
        Largest file to bring back.
    begin_with : Path or None
        A bundle whose weights a new training begins with.
    workers : int
        Processes that make slices.
    save_minutes : float
        Between checkpoints: what a command that is killed loses at most.
    """

    minutes: float = 8.0
    part_bytes: int = PART_BYTES
    begin_with: Path | None = None
    workers: int = 0
    save_minutes: float = 3.0


class Int8Cost(TypedDict):
    """What int8 changes in labels of slices of the training set, evenly drawn from its cases.

    "pixels_differ" is a share of all; "dice_between" is of the labels of both networks, "dice" and "dice_int8" of each
    against those of the training set, which it was trained on: by organ, without organs that none has.
    """

    slices: int
    pixels_differ: float
    dice_between: dict[str, float]
    dice: dict[str, float]
    dice_int8: dict[str, float]


class Parts(TypedDict):
    """SHA-256 of each part by its name, and the size of all of them."""

    parts: dict[str, str]
    bytes: int


class Brought(Parts):
    """`PARTS_FILE`: the parts of a network after so many steps "of" all."""

    steps: int
    of: int
    int8: Int8Cost


def pack_set(store: Path, file: Path, megabytes: float) -> int:
    """Pack the fully labelled cases of a synthesised training set, and return the stride of the slices that went in."""
    work = file.with_name(f"{file.name}.work")
    try:
        return pack(fully_labelled(store), file, megabytes, work)[1]
    finally:
        shutil.rmtree(work, ignore_errors=True)


def resampled_store(store: SliceStore, folder: Path, spacing: float) -> SliceStore:
    """A store's slices in plane at another spacing, HU as int16; cases that are there already stay.

    Raises
    ------
    FlareSegError
        "bad_option" for a store of no single spacing, "output_exists" for a folder that holds something else.
    """
    old = store.description.working_spacing
    if old is None:
        raise FlareSegError("bad_option", "The training set keeps each CT's own pixels; pack one of a single spacing.")
    claim_store(folder, replace(store.description, working_spacing=spacing, hu=HuCode()))
    for case in store.cases:
        if stored_sources(folder, case.record.name) is None:
            write_case(folder, replace(case.record, slices_with={}), _resampled(case, old, spacing), HuCode())
    return open_store(folder)


def _resampled(case: StoredCase, old: float, new: float) -> Iterator[tuple[Floats, Labels]]:
    for index in range(case.record.slices):
        hu, labels = case.slice(index)
        plan = plan_inplane(hu.shape, (old, old), (new, new), (1, 1), 1)
        yield to_grid(torch.from_numpy(hu)[None, None], plan)[0, 0].numpy(), labels_to_grid(labels, plan)


def train_for_a_lease(packed: Path, folder: Path, out: Path, lease: Lease = Lease(), spec: UNetSpec = PAPER_NETWORK,
                      protocol: TrainingProtocol = PROTOCOL, spacing: float = SPACING_MM) -> Brought:
    """Train until the time of a lease is over, write the parts, and return what `out`'s ``parts.json`` says.

    Parameters
    ----------
    packed : Path
        From `pack_set`.
    folder : Path
        Store, checkpoint and losses: what stays on the machine.
    out : Path
        What is brought back; parts that are there are replaced.

    Raises
    ------
    FlareSegError
        As unpacking, `open_run` and `write_bundle` do; "bad_option" for a `begin_with` of another network.
    """
    store = _opened_store(packed, folder, spacing)
    # A packed file keeps the HU histograms: the fingerprint is that of the whole training set
    found = store.fingerprint()
    settings = {"protocol": asdict(protocol), "network": {"type": spec.kind, **asdict(spec)}, "spacing": spacing,
                "cases": [case.record.name for case in store.cases]}
    run = open_run(folder / "run", settings, resume=True)
    torch.manual_seed(protocol.seed)
    network = build_network(spec)
    dataset = SliceDataset(store.cases, found.normalisation, protocol)
    with join_team("auto") as team:
        options = TrainerOptions(choose_precision(team.device), lease.workers, lease.minutes, lease.save_minutes)
        if lease.begin_with is not None and not run.checkpoint.exists():
            _begin_with(read_bundle(lease.begin_with), network, protocol, run, team, options)
        train(network, dataset, protocol, run, team, options,
              lambda epoch, loss, network: print(f"epoch {epoch}/{protocol.epochs}: loss {loss:.4f}", flush=True))
    network = network.cpu().eval()
    checkpoint = load_checkpoint(run)
    assert checkpoint is not None, "training has just saved it"
    return _write_parts(out, network, store, found, protocol, checkpoint["step"], lease.part_bytes)


def _opened_store(packed: Path, folder: Path, spacing: float) -> SliceStore:
    """The training set at the working spacing; unpacked and resampled by the first command, or finished by the next."""
    unpacked = folder / "packed"
    store = open_store(unpacked) if unpacked.exists() else unpack(packed, unpacked)
    return resampled_store(store, folder / "slices", spacing)


def _begin_with(bundle: ModelBundle, network: UNet, protocol: TrainingProtocol, run: RunFolder, team: Team,
                options: TrainerOptions) -> None:
    """Write the checkpoint of a training that has a bundle's weights and steps, and an optimiser without momentum."""
    if bundle.network != network.spec:
        raise FlareSegError("bad_option", f"{bundle.folder} holds another network than the one to be trained.")
    network.load_state_dict(load_network(bundle).state_dict())
    state = TrainingState(network, protocol, team, options)
    state.step = min(int(bundle.training.get("steps_done", 0)), protocol.steps)
    save_checkpoint(run, state.as_dict())


def _write_parts(out: Path, network: UNet, store: SliceStore, found: Fingerprint, protocol: TrainingProtocol,
                 steps: int, part_bytes: int) -> Brought:
    """Write the int8 bundle in parts, beside a `PARTS_FILE` that tells how they are joined and what int8 costs."""
    spacing = store.description.working_spacing
    assert spacing is not None, "of a resampled store"
    training = {"protocol": asdict(protocol), "steps_done": steps, "cases": len(store.cases),
                "fingerprint": asdict(found)}
    out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out / "bundle", ignore_errors=True)
    bundle = write_bundle(out / "bundle", network, organs=organs_of(dict(store.description.organs)),
                          working_spacing=(spacing, spacing), grid=protocol.grid, normalisation=found.normalisation,
                          training=training, precision="int8", **asdict(WORDS))
    told: Brought = {
        "steps": steps, "of": protocol.steps, **split(bundle, out, part_bytes),
        "int8": loss_by_int8(network, load_network(bundle), store, protocol)}
    shutil.rmtree(bundle.folder)
    write_json(out / PARTS_FILE, told, indent=1)
    return told


def split(bundle: ModelBundle, out: Path, part_bytes: int = PART_BYTES) -> Parts:
    """Write a bundle as `DESCRIPTION_FILE` and numbered parts of its weights; return the parts' names and checksums."""
    for old in out.glob(f"{WEIGHTS_FILE}.part*"):
        old.unlink()
    content = bundle.weights_path.read_bytes()
    parts = {}
    for number, start in enumerate(range(0, len(content), part_bytes)):
        part = content[start:start + part_bytes]
        name = f"{WEIGHTS_FILE}.part{number:02}"
        (out / name).write_bytes(part)
        parts[name] = hashlib.sha256(part).hexdigest()
    shutil.copyfile(bundle.folder / DESCRIPTION_FILE, out / DESCRIPTION_FILE)
    return {"parts": parts, "bytes": len(content)}


def join(parts: Path, folder: Path) -> ModelBundle:
    """Join what `split` has written to a bundle.

    Raises
    ------
    FlareSegError
        "not_found" or "unreadable" where a part is missing or damaged, "output_exists", "model_invalid".
    """
    try:
        told = json.loads((parts / PARTS_FILE).read_text(encoding="utf-8"))["parts"]
        contents = [(parts / name).read_bytes() for name in sorted(told) if Path(name).name == name]
    except FileNotFoundError as error:
        raise FlareSegError("not_found", f"{error.filename} is missing; bring all parts back.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FlareSegError("unreadable", f"{parts / PARTS_FILE} is damaged; bring the parts back again.") from error
    for name, content in zip(sorted(told), contents):
        if hashlib.sha256(content).hexdigest() != told[name]:
            raise FlareSegError("unreadable", f"{parts / name} is damaged; bring the parts back again.")
    with new_folder(folder) as temporary:
        (temporary / WEIGHTS_FILE).write_bytes(b"".join(contents))
        shutil.copyfile(parts / DESCRIPTION_FILE, temporary / DESCRIPTION_FILE)
        verify_bundle(read_bundle(temporary))
    return read_bundle(folder)


def loss_by_int8(network: UNet, quantised: UNet, store: SliceStore, protocol: TrainingProtocol,
                 slices: int = CHECKED_SLICES) -> Int8Cost:
    """Compare the labels of two networks on slices of the training set."""
    normalisation = store.fingerprint().normalisation
    rng = np.random.default_rng(0)
    layers = []
    for number in range(slices):
        case = store.cases[number * len(store.cases) // slices]
        hu, truth = case.slice(int(rng.integers(case.record.slices)))
        plan = plan_inplane(hu.shape, (1, 1), (1, 1), protocol.grid, network.spec.divisor)
        image = torch.from_numpy(normalisation.apply(to_grid(torch.from_numpy(hu)[None, None], plan).numpy()))
        with torch.inference_mode():
            layers.append([_inside(each(image)[0].argmax(0).numpy(), plan) for each in (network, quantised)] + [truth])
    whole, small, truth = (np.concatenate([layer[k].ravel() for layer in layers]) for k in range(3))
    told: Int8Cost = {"slices": slices, "pixels_differ": float(np.mean(whole != small)),
                      "dice_between": {}, "dice": {}, "dice_int8": {}}
    for label, name in store.description.organs:
        if (whole == label).any() or (small == label).any():
            told["dice_between"][name] = round(dice(small, whole, label), 5)
        if (truth == label).any():
            told["dice"][name] = round(dice(whole, truth, label), 5)
            told["dice_int8"][name] = round(dice(small, truth, label), 5)
    return told


def _inside(labels: np.ndarray, plan: InPlanePlan) -> np.ndarray:
    top, left = plan.corner
    return labels[top:top + plan.resampled_shape[0], left:left + plan.resampled_shape[1]]


def main(arguments: list[str] | None = None) -> None:
    """Run this script; without `arguments`, with those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    packer = commands.add_parser("pack", help="put a synthesised training set into one small file")
    packer.add_argument("store", type=Path)
    packer.add_argument("file", type=Path)
    packer.add_argument("--megabytes", type=float, default=40.0)
    trainer = commands.add_parser("train", help="train for some minutes, and write what is to be brought back")
    trainer.add_argument("file", type=Path)
    trainer.add_argument("run", type=Path)
    trainer.add_argument("out", type=Path)
    trainer.add_argument("--minutes", type=float, default=Lease.minutes)
    trainer.add_argument("--epochs", type=int, default=PROTOCOL.epochs, help="of 250 steps, in all leases together")
    trainer.add_argument("--begin-with", type=Path, metavar="BUNDLE")
    trainer.add_argument("--workers", type=int, default=12)
    joiner = commands.add_parser("join", help="join the parts to a bundle")
    joiner.add_argument("out", type=Path)
    joiner.add_argument("bundle", type=Path)
    options = parser.parse_args(arguments)
    try:
        if options.command == "pack":
            stride = pack_set(options.store, options.file, options.megabytes)
            print(f"{options.file}: every {stride}. slice, {options.file.stat().st_size / 1e6:.1f} MB")
        elif options.command == "train":
            told = train_for_a_lease(options.file, options.run, options.out,
                                     Lease(options.minutes, begin_with=options.begin_with, workers=options.workers),
                                     protocol=replace(PROTOCOL, epochs=options.epochs))
            print(json.dumps(told, indent=1))
        else:
            bundle = join(options.out, options.bundle)
            print(f"{bundle.folder}: {bundle.name} after {bundle.training['steps_done']} steps")
    except FlareSegError as error:
        parser.exit(error.exit_code, f"{error}\n")


if __name__ == "__main__":
    main()
