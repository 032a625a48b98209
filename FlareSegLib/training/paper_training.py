"""The whole way from a raw data set to a model bundle: check, store, fingerprint, train, write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import FlareSegError
from ..models.bundle import ModelBundle, write_bundle
from ..networks.build import build_network
from ..networks.spec import UNetSpec
from ..networks.unet import UNet
from ..organs import organs_of
from .fingerprint import Fingerprint
from .json_files import write_json
from .pack import unpack
from .protocol import TrainingProtocol
from .raw_checks import check_dataset
from .raw_data import find_raw_dataset
from .run_folder import RunFolder, open_run
from .simulated_cases import SimulatedCases, SimulationProtocol
from .slice_dataset import SliceDataset
from .slice_store import STORE_FILE, SliceStore, open_store
from .store_building import build_store
from .team import Team
from .trainer import TrainerOptions, train

#: After these epochs a bundle is kept: early looks at what becomes of a training that takes days.
SNAPSHOT_EPOCHS = (1, 5, 10, 25, 50, 100, 250, 500)
Log = Callable[[str], None]
StageProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ModelWords:
    """What a bundle says of itself, in the words of whoever trains it."""

    name: str = "flareseg-trained"
    version: str = "0.1.0"
    title: str = "Trained with flareseg train"
    licence: str = "Not stated; ask whoever trained it."
    intended_use: str = "Research. Not a medical device; not for diagnosis or treatment."


def prepare_store(data: str | Path, folder: Path, working_spacing: float | None = None,
                  progress: StageProgress = lambda stage, done, total: None) -> SliceStore:
    """Return the slices of a raw data set (checked, then stored in `folder`), a slice store or a packed file.

    Raises
    ------
    FlareSegError
        For everything that is wrong with the data; nothing is stored then.
    """
    data = Path(data)
    if (data / STORE_FILE).is_file():
        store = open_store(data)
        if not store.cases:
            raise FlareSegError("bad_training_data", f"The slice store {data} holds no complete case; make it again.")
        return store
    if data.is_file():
        return open_store(folder) if folder.exists() else unpack(data, folder)
    dataset = find_raw_dataset(data)
    check_dataset(dataset, lambda done, total: progress("checking", done, total))
    return build_store(dataset, folder, working_spacing, lambda done, total: progress("storing", done, total))


def train_model(store: SliceStore, folder: str | Path, spec: UNetSpec, protocol: TrainingProtocol, team: Team,
                options: TrainerOptions = TrainerOptions(), words: ModelWords = ModelWords(), resume: bool = False,
                simulation: SimulationProtocol | None = None,
                log: Log = lambda sentence: None,
                on_step: Callable[[int, float], None] = lambda step, loss: None) -> Path | None:
    """Train on a store and return the finished bundle's folder; None where the time was over first.

    Parameters
    ----------
    folder : str or Path
        See `run_folder`.
    resume : bool
        Go on with the training in the folder.
    simulation : SimulationProtocol or None
        Put simulated diseases into some of the slices. The fingerprint stays that of the data.

    Raises
    ------
    FlareSegError
        "bad_option" for settings that do not fit together or differ from those of the training to resume;
        "output_exists", "output_unwritable", "bad_training_data".
    """
    organs = organs_of(dict(store.description.organs))
    _check_fit(spec, protocol, team, len(organs))
    found = store.fingerprint()
    simulated_by = None if simulation is None else simulation.document()
    settings = {"protocol": asdict(protocol), "network": {"type": spec.kind, **asdict(spec)},
                "fingerprint": asdict(found), "store": asdict(store.description),
                "cases": [case.record.name for case in store.cases], "simulation": simulated_by}
    run = team.first(lambda: open_run(folder, settings, resume or not team.leads))
    simulated = None if simulation is None else team.first(lambda: _pool(store, run, simulation, team))
    torch.manual_seed(protocol.seed)
    network = build_network(spec)
    describe = _Describer(store, found, protocol, words, simulated_by)
    if team.leads:
        write_json(run.folder / "fingerprint.json", asdict(found), indent=1)
    with _board(run, team, log) as board:
        def on_epoch(epoch: int, loss: float, network: UNet) -> None:
            board("loss", loss, epoch)
            board("learning rate", protocol.rate(epoch * protocol.iterations - 1), epoch)
            log(f"epoch {epoch}/{protocol.epochs}: loss {loss:.4f}")
            if epoch in SNAPSHOT_EPOCHS and epoch < protocol.epochs and not run.snapshot(epoch).exists():
                describe.write(run.snapshot(epoch), network, epoch)

        dataset = SliceDataset(store.cases, found.normalisation, protocol, spec.window, simulated)
        finished = train(network, dataset, protocol, run, team, options, on_epoch, on_step)
    if team.leads and finished and not run.model.exists():
        describe.write(run.model, network, protocol.epochs)
    return run.model if finished else None


@dataclass(frozen=True)
class _Describer:
    """Writes a bundle of the network as it is."""

    store: SliceStore
    fingerprint: Fingerprint
    protocol: TrainingProtocol
    words: ModelWords
    simulated_by: dict[str, Any] | None

    def write(self, folder: Path, network: UNet, epochs: int) -> ModelBundle:
        spacing = self.store.description.working_spacing
        training = {"protocol": asdict(self.protocol), "epochs_done": epochs,
                    "cases": len(self.store.cases), "fingerprint": asdict(self.fingerprint)}
        if self.simulated_by is not None:
            training["simulation"] = self.simulated_by
        return write_bundle(folder, network, organs=organs_of(dict(self.store.description.organs)),
                            working_spacing=None if spacing is None else (spacing, spacing), grid=self.protocol.grid,
                            normalisation=self.fingerprint.normalisation, training=training,
                            **asdict(self.words))


def _pool(store: SliceStore, run: RunFolder, simulation: SimulationProtocol, team: Team) -> SimulatedCases:
    """The pool of simulated cases; the leading process tidies it."""
    from ..disease.catalogue import find

    pool = SimulatedCases(store, run.simulated, find, simulation)
    if team.leads:
        pool.tidy()
    return pool


def _check_fit(spec: UNetSpec, protocol: TrainingProtocol, team: Team, organs: int) -> None:
    if spec.classes != organs + 1:
        raise FlareSegError("bad_option", f"The network has {spec.classes} classes, the data set {organs} organs and "
                                          "background.")
    if any(side % spec.divisor for side in protocol.grid):
        raise FlareSegError("bad_option", f"Rows and columns must be multiples of {spec.divisor} for this network; "
                                          f"{protocol.grid[0]} × {protocol.grid[1]} are not.")
    if protocol.batch % team.size:
        raise FlareSegError("bad_option", f"{protocol.batch} slices a step cannot be shared by {team.size} processes; "
                                          "choose a multiple.")


class _board:
    """TensorBoard where it is installed, nothing where it is not."""

    def __init__(self, run: RunFolder, team: Team, log: Log) -> None:
        self._writer = None
        if team.leads:
            try:
                from torch.utils.tensorboard import SummaryWriter

                self._writer = SummaryWriter(str(run.folder / "tensorboard"))
            except ImportError:
                log("TensorBoard is not installed: its log is not written (losses.jsonl is).")

    def __enter__(self) -> _board:
        return self

    def __call__(self, name: str, value: float, epoch: int) -> None:
        if self._writer is not None:
            self._writer.add_scalar(name, value, epoch)

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
