"""``flareseg train`` and ``flareseg pack``: from a labelled data set to a model bundle."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..networks.spec import PAPER_NETWORK, AttentionUNet2DSpec, UNet2DSpec, UNet3DSpec, UNetSpec
from .parsers import Commands

if TYPE_CHECKING:
    from tqdm import tqdm

    from ..training.protocol import TrainingProtocol
    from ..training.simulated_cases import SimulationProtocol
    from ..training.team import Team


@dataclass(frozen=True)
class Preset:
    """A network by its name, with what differs from the paper's protocol where nothing else is asked for."""

    spec: UNetSpec
    words: str
    spacing: float | None = None
    grid: int = 512
    batch: int = 12


#: A window of the 3D network at 1.6 mm has as many voxels as nnU-Net's own 3D patches, and nnU-Net's batch is 2 there.
NETWORKS = {
    "paper": Preset(PAPER_NETWORK, "the paper's, 41.3 million parameters"),
    "light": Preset(UNet2DSpec((16, 32, 64, 128, 160, 160)), "2.7 million"),
    "attention": Preset(AttentionUNet2DSpec(), "the paper's with attention gates"),
    "unet3d": Preset(UNet3DSpec(), "3D, windows of 32 slices at 1.6 mm, grid 256, batch 2", 1.6, 256, 2),
}
DEFAULT_MIX = Path("default mix")  # what --simulate alone stands for
EPILOG = """examples:
  flareseg train nnUNet_raw/Dataset021_FLARE21 -o runs/paper              # the paper's protocol: days on one GPU
  flareseg train FLARE21 -o runs/paper --max-minutes 9 --resume           # in short leases of a GPU, again and again
  flareseg train FLARE21 -o runs/light --network light --spacing 1.6 --grid 256 --epochs 40
  flareseg train FLARE21 -o runs/attention --network attention            # or unet3d: what the paper compared
  flareseg train FLARE21 -o runs/diseases --simulate                      # half of the slices with simulated diseases
  torchrun --nproc-per-node 2 -m FlareSegLib.cli.train FLARE21 -o runs/paper     # two processes, one batch
  flareseg pack FLARE21 -o flare21.tar --megabytes 40 --spacing 1.6       # then: flareseg train flare21.tar …

DATA is a folder in nnU-Net's raw layout (v1, Medical Segmentation Decathlon, v2), FLARE21's own (TrainingImg and
TrainingMask), a slice store, or a packed file. Everything is checked before anything is trained."""


def add_parser(commands: Commands) -> None:
    """Add both commands to the subparsers."""
    parser = commands.add_parser("train", help="train a model on a labelled data set", epilog=EPILOG,
                                 formatter_class=argparse.RawDescriptionHelpFormatter,
                                 description="Train the network of the paper, with the paper's protocol by default.")
    add_arguments(parser)
    parser.set_defaults(run=run)
    packer = commands.add_parser("pack", help="put a training set into one small file",
                                 description="Check a labelled data set and pack it as 8-bit slices into one file.")
    packer.add_argument("data", metavar="DATA", type=Path, help="data set, or slice store")
    packer.add_argument("-o", "--output", metavar="FILE", type=Path, required=True)
    packer.add_argument("--megabytes", type=float, default=40.0, help="the most it may take (default: 40)")
    packer.add_argument("--spacing", type=float, metavar="MM", help="resample to this spacing, in plane and along z")
    packer.set_defaults(run=run_pack)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``flareseg train``; defaults are the paper's."""
    parser.add_argument("data", metavar="DATA", type=Path, help="labelled data set")
    parser.add_argument("-o", "--output", metavar="RUN", type=Path, required=True, help="folder of the training")
    parser.add_argument("--resume", action="store_true", help="go on with the training in RUN (or begin it)")
    parser.add_argument("--network", default="paper", choices=NETWORKS,
                        help="; ".join(f"{name}: {preset.words}" for name, preset in NETWORKS.items()))
    parser.add_argument("--spacing", type=float, metavar="MM",
                        help="work at this spacing (default: each CT's own in-plane spacing, as in the paper)")
    parser.add_argument("--grid", type=int, metavar="N", help="rows and columns of a slice (default: 512)")
    parser.add_argument("--epochs", type=int, metavar="N", help="default: 1000")
    parser.add_argument("--iterations", type=int, metavar="N", help="steps an epoch (default: 250)")
    parser.add_argument("--batch", type=int, metavar="N", help="slices a step (default: 12, a third with an organ)")
    parser.add_argument("--learning-rate", type=float, metavar="R", help="at the start (default: 0.01)")
    parser.add_argument("--seed", type=int, metavar="N", help="default: 0")
    parser.add_argument("--simulate", metavar="MIX.json", type=Path, nargs="?", const=DEFAULT_MIX,
                        help="simulate diseases meanwhile, from this mix (flareseg simulate --write-mix) or a default")
    parser.add_argument("--simulated-share", type=float, metavar="P",
                        help="with --simulate: share of all slices (default: 0.5)")
    parser.add_argument("--device", default="auto", choices=("auto", "cuda", "cpu"))
    parser.add_argument("--precision", choices=("float32", "bfloat16", "float16"),
                        help="default: bfloat16 where the hardware has it")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that make slices (default: by the machine)")
    parser.add_argument("--max-minutes", type=float, metavar="M", help="stop in time, with a checkpoint")
    parser.add_argument("--save-minutes", type=float, default=10.0, metavar="M", help="between checkpoints (10)")
    parser.add_argument("--store", metavar="FOLDER", type=Path, help="keep the slices here (default: RUN/slices)")
    parser.add_argument("--name", default="flareseg-trained", help="the model's name")
    parser.add_argument("--licence", help="terms of the model, kept in it")


def run(options: argparse.Namespace) -> None:
    """Train, alone or as one of torchrun's processes."""
    from ..training.paper_training import ModelWords, prepare_store, train_model
    from ..training.team import join_team
    from ..training.trainer import TrainerOptions, choose_precision

    protocol, simulation = protocol_from(options), simulation_from(options)
    spacing = NETWORKS[options.network].spacing if options.spacing is None else _millimetres(options.spacing)
    with join_team(options.device) as team, _Bar(team.leads) as bar:
        store = team.first(lambda: prepare_store(options.data, options.store or options.output / "slices",
                                                 spacing, bar.stage))
        words = ModelWords(name=options.name)
        words = replace(words, licence=options.licence) if options.licence else words
        spec = replace(NETWORKS[options.network].spec, classes=len(store.description.organs) + 1)
        trainer = TrainerOptions(options.precision or choose_precision(team.device),
                                 _workers(options.workers, team), options.max_minutes, options.save_minutes)
        model = train_model(store, options.output, spec, protocol, team, trainer, words, options.resume, simulation,
                            bar.write if team.leads else lambda sentence: None,
                            lambda step, loss: bar.step(step, protocol.steps, loss))
    if team.leads:
        print(f"The model is in {model}." if model else
              "The time is over; the same command with --resume goes on.")


def run_pack(options: argparse.Namespace) -> None:
    """Check, store and pack."""
    import tempfile

    from ..errors import FlareSegError
    from ..training.pack import pack
    from ..training.paper_training import prepare_store

    if options.output.exists():  # before the work, not after
        raise FlareSegError("output_exists", f"{options.output} exists already; choose another name.")
    if not options.output.resolve().parent.is_dir():
        raise FlareSegError("output_unwritable", f"The folder {options.output.parent} does not exist; create it first.")
    spacing = None if options.spacing is None else _millimetres(options.spacing)
    with tempfile.TemporaryDirectory(prefix="flareseg-pack-", dir=options.output.resolve().parent) as folder, \
            _Bar(True) as bar:
        store = prepare_store(options.data, Path(folder) / "store", spacing, bar.stage)
        file, stride = pack(store, options.output, options.megabytes, Path(folder) / "packed")
    kept = "all slices" if stride == 1 else f"every {stride}. slice"
    print(f"Wrote {file}: {len(store.cases)} cases, {kept}, {file.stat().st_size / 1e6:.1f} MB.")


def protocol_from(options: argparse.Namespace) -> TrainingProtocol:
    """The paper's protocol with what the arguments change; a third of each batch holds an organ for sure.

    Raises
    ------
    FlareSegError
        "bad_option" for numbers that are none of a training.
    """
    from ..errors import FlareSegError
    from ..training.protocol import PAPER_PROTOCOL

    preset = NETWORKS[options.network]
    grid, batch = (getattr(preset if asked is None else options, name)
                   for name, asked in (("grid", options.grid), ("batch", options.batch)))
    chosen = {"grid": (grid, grid), "epochs": options.epochs, "iterations": options.iterations, "batch": batch,
              "learning_rate": options.learning_rate, "seed": options.seed}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    protocol = replace(PAPER_PROTOCOL, **chosen)
    if min(protocol.epochs, protocol.iterations, protocol.batch, *protocol.grid) < 1 or not protocol.learning_rate > 0:
        raise FlareSegError("bad_option", "Epochs, iterations, batch, grid and learning rate must be positive.")
    return replace(protocol, forced_foreground=round(protocol.batch / 3))


def simulation_from(options: argparse.Namespace) -> SimulationProtocol | None:
    """What diseases are simulated meanwhile; None for none.

    Raises
    ------
    FlareSegError
        "bad_option", or as `disease.mix.read_mix` does.
    """
    from ..errors import FlareSegError

    if options.simulate is None:
        if options.simulated_share is not None:
            raise FlareSegError("bad_option", "--simulated-share needs --simulate.")
        return None
    from ..disease.catalogue import DISEASES, find
    from ..disease.mix import default_mix, read_mix
    from ..training.simulated_cases import SimulationProtocol

    share = 0.5 if options.simulated_share is None else options.simulated_share
    if not 0 < share <= 1:
        raise FlareSegError("bad_option", "The share of simulated slices must be above 0 and at most 1.")
    mix = default_mix(DISEASES) if options.simulate is DEFAULT_MIX else read_mix(options.simulate, find)
    return SimulationProtocol(mix, share, seed=options.seed or 0)


def _millimetres(spacing: float) -> float:
    """A spacing that slices can be resampled to."""
    from ..errors import FlareSegError

    if not 0.1 <= spacing <= 20:
        raise FlareSegError("bad_option", f"The spacing is {spacing:g} mm; choose 0.1 to 20 mm.")
    return spacing


def _workers(asked: int | None, team: Team) -> int:
    """One core for the training itself, the others make slices; on two cores or fewer none is to spare."""
    import os

    if asked is not None:
        return max(0, asked)
    spare = (os.cpu_count() or 1) // team.size - 1
    return min(12, spare) if team.device.type == "cuda" else (2 if spare >= 4 else 0)


class _Bar:
    """Progress on a terminal: stages with counts, then steps with the loss and the time left."""

    def __init__(self, shown: bool):
        self._shown = shown and sys.stderr.isatty()
        self._stage = ""
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def stage(self, stage: str, done: int, total: int) -> None:
        """Cases checked or stored."""
        self._show(stage, done, total, " cases")

    def step(self, step: int, total: int, loss: float) -> None:
        """Steps done."""
        self._show("training", step, total, " steps")
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{loss:.3f}", refresh=False)

    def write(self, sentence: str) -> None:
        """A line that stays."""
        if self._bar is not None:
            self._bar.write(sentence, file=sys.stderr)
        else:
            print(sentence, file=sys.stderr, flush=True)

    def _show(self, stage: str, done: int, total: int, unit: str) -> None:
        if not self._shown:
            return
        if self._bar is None or stage != self._stage:
            from tqdm import tqdm as tqdm_bar

            self._close()
            self._stage = stage
            self._bar = tqdm_bar(total=total, initial=done, desc=stage, unit=unit, file=sys.stderr)
        self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
