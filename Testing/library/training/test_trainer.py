"""One training is one training, however often it is stopped and however many processes share it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from FlareSegLib.networks.spec import UNet2DSpec
from FlareSegLib.networks.unet2d import UNet2D
from FlareSegLib.training.protocol import TrainingProtocol
from FlareSegLib.training.raw_data import find_raw_dataset
from FlareSegLib.training.run_folder import RunFolder
from FlareSegLib.training.slice_dataset import SliceDataset
from FlareSegLib.training.store_building import build_store
from FlareSegLib.training.team import Team
from FlareSegLib.training.trainer import TrainerOptions, TrainingState, train

ALONE = Team(0, 1, torch.device("cpu"))
SPEC = UNet2DSpec((4, 8, 8))
PROTOCOL = TrainingProtocol(grid=(32, 32), batch=4, forced_foreground=2, epochs=3, iterations=4)


@pytest.fixture
def store(raw_folder, tmp_path):
    return build_store(find_raw_dataset(raw_folder()), tmp_path / "store")


@pytest.fixture
def run(tmp_path):
    def make(name):
        (tmp_path / name).mkdir(exist_ok=True)
        return RunFolder(tmp_path / name)
    return make


def fresh():
    torch.manual_seed(0)
    return UNet2D(SPEC)


def losses(run):
    return [json.loads(line)["loss"] for line in run.losses.read_text().splitlines()]


def do(store, run, network=None, **words):
    dataset = SliceDataset(store.cases, store.fingerprint().normalisation, PROTOCOL)
    network = network or fresh()
    return train(network, dataset, PROTOCOL, run, ALONE, **words), network


def test_it_learns_and_counts(store, run):
    epochs = []
    finished, _ = do(store, run("a"), on_epoch=lambda epoch, loss, network: epochs.append((epoch, loss)))
    found = losses(run("a"))
    assert finished and len(found) == 12 and [epoch for epoch, _ in epochs] == [1, 2, 3]
    assert epochs[1][1] == pytest.approx(sum(found[4:8]) / 4)
    assert found[-1] < found[0]


def test_stopped_anywhere_it_goes_on_as_if_it_had_not_been(store, run):
    _, expected = do(store, run("whole"))

    class Stop(Exception):
        pass

    def stop(step, loss):
        if step == 7:
            raise Stop

    options = TrainerOptions(save_minutes=0)  # a checkpoint after every step
    with pytest.raises(Stop):
        do(store, run("parts"), options=options, on_step=stop)
    with open(run("parts").losses, "a") as file:  # a step that no checkpoint has seen, cut off
        file.write('{"step": 7, "lo')
    finished, resumed = do(store, run("parts"), options=options)
    assert finished and losses(run("parts")) == losses(run("whole"))
    assert all(torch.equal(a, b) for a, b in zip(expected.state_dict().values(), resumed.state_dict().values()))


def test_time_over_is_no_end(store, run):
    finished, _ = do(store, run("a"), options=TrainerOptions(max_minutes=0))
    assert not finished and len(losses(run("a"))) == 1 and run("a").checkpoint.exists()
    finished, _ = do(store, run("a"))
    assert finished and len(losses(run("a"))) == 12


def test_worker_processes_draw_the_same_slices(store, run):
    do(store, run("alone"))
    do(store, run("helped"), options=TrainerOptions(workers=1))
    assert losses(run("helped")) == pytest.approx(losses(run("alone")), abs=1e-6)


def test_bfloat16_follows_float32(store, run):
    do(store, run("whole"))
    do(store, run("half"), options=TrainerOptions(precision="bfloat16"))
    assert losses(run("half")) == pytest.approx(losses(run("whole")), rel=0.05)


def test_the_form_that_trains_fastest_is_the_network_itself():
    """Same weights by name, same logits and gradients as the plain network (float64: nothing but the formula)."""
    plain, formed = fresh().double(), fresh().double()
    for parameter in plain.parameters():
        torch.nn.init.uniform_(parameter, -0.5, 1)
    TrainingState(formed, PROTOCOL, ALONE, TrainerOptions())
    formed.load_state_dict(plain.state_dict())
    slices = torch.randn(3, 1, 16, 24, dtype=torch.float64, requires_grad=True)
    for ours, expected in zip(formed.forward_levels(slices), plain.forward_levels(slices), strict=True):
        assert torch.allclose(ours, expected, rtol=0, atol=1e-9)
        gradients = (torch.autograd.grad((levels**2).sum(), slices, retain_graph=True)[0]
                     for levels in (ours, expected))
        assert torch.allclose(*gradients, rtol=1e-8, atol=1e-8)


ARGUMENTS = ["--grid", "64", "--epochs", "2", "--iterations", "2", "--batch", "4", "--network", "light",
             "--device", "cpu", "--precision", "float32", "--workers", "0"]


def environment():
    root = str(Path(__file__).resolve().parents[3])
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": root}


def command(module, data, out, *more):
    return [sys.executable, "-m", *module, str(data), "-o", str(out), *ARGUMENTS, *more]


def test_killed_it_is_resumed_with_the_same_losses(raw_folder, tmp_path):
    """Diseases and all: half of the slices are simulated."""
    data, entry, mix = raw_folder(), ["FlareSegLib.cli.train"], tmp_path / "mix.json"
    mix.write_text(json.dumps({"format": "flareseg-mix", "version": 1, "diseases_per_case": [1, 1],
                               "entries": [{"disease": "renal_cyst", "weight": 1}]}))
    more = ["--simulate", str(mix)]
    subprocess.run(command(entry, data, tmp_path / "whole", *more), env=environment(), check=True)
    victim = subprocess.Popen(command(entry, data, tmp_path / "killed", "--save-minutes", "0", *more),
                              env=environment())
    file = tmp_path / "killed/losses.jsonl"
    while victim.poll() is None and not (file.exists() and len(file.read_text().splitlines()) >= 2):
        time.sleep(0.02)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert not (tmp_path / "killed/model").exists(), "killed too late to prove anything"
    subprocess.run(command(entry, data, tmp_path / "killed", "--resume", *more), env=environment(), check=True)
    assert losses(RunFolder(tmp_path / "killed")) == losses(RunFolder(tmp_path / "whole"))
    assert list((tmp_path / "killed/simulated").glob("volume-*.case.json"))
    training = json.loads((tmp_path / "killed/model/model.json").read_text(encoding="utf-8"))["training"]
    assert training["simulation"]["share"] == 0.5 and "renal_cyst" in str(training["simulation"])


def torchrun(*words):
    return ["torch.distributed.run", *words, "-m", "FlareSegLib.cli.train"]


def test_two_processes_train_as_one_with_their_batches_together(raw_folder, tmp_path):
    """On one machine, and on two that meet at an address: here both are this one, with a process each."""
    data = raw_folder()
    subprocess.run(command(["FlareSegLib.cli.train"], data, tmp_path / "one"), env=environment(), check=True)
    subprocess.run(command(torchrun("--nproc-per-node", "2", "--standalone"), data, tmp_path / "two"),
                   env=environment(), check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    node = ["--nnodes", "2", "--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", port,
            "--node-rank"]
    other = subprocess.Popen(command(torchrun(*node, "1"), data, tmp_path / "nodes"), env=environment())
    try:
        subprocess.run(command(torchrun(*node, "0"), data, tmp_path / "nodes"), env=environment(), check=True)
        assert other.wait(60) == 0
    finally:
        other.kill()
    one, two, nodes = (losses(RunFolder(tmp_path / name)) for name in ("one", "two", "nodes"))
    assert two == pytest.approx(one, rel=2e-3) and nodes == pytest.approx(two, rel=1e-6)
    assert two[0] == pytest.approx(one[0], rel=1e-5), "nothing has been rounded differently before the first step"


def test_a_batch_that_cannot_be_shared_is_refused(store, tmp_path):
    from FlareSegLib.errors import FlareSegError
    from FlareSegLib.training.paper_training import train_model

    for team, spec, protocol in [(replace(ALONE, size=3), SPEC, PROTOCOL),
                                 (ALONE, SPEC, replace(PROTOCOL, grid=(30, 32))),
                                 (ALONE, UNet2DSpec((4, 8, 8), classes=3), PROTOCOL)]:
        with pytest.raises(FlareSegError) as caught:
            train_model(store, tmp_path / "run", spec, protocol, team)
        assert caught.value.code == "bad_option"
    assert not (tmp_path / "run").exists()
