"""The full model's way in small: packed here, trained in leases there, brought back in parts, joined here."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from FlareSegLib.errors import FlareSegError
from FlareSegLib.models.bundle import load_network, read_bundle
from FlareSegLib.networks.spec import PAPER_NETWORK, UNet2DSpec
from FlareSegLib.training import full
from FlareSegLib.training.full import Lease, join, pack_set, resampled_store, train_for_a_lease
from FlareSegLib.training.protocol import PAPER_PROTOCOL, TrainingProtocol
from FlareSegLib.training.raw_data import find_raw_dataset
from FlareSegLib.training.slice_store import open_store
from FlareSegLib.training.store_building import build_store
from FlareSegLib.training.synthesis.mix import SynthesisMix

SPEC = UNet2DSpec((4, 8, 8))
PROTOCOL = TrainingProtocol(grid=(64, 64), batch=2, forced_foreground=1, epochs=2, iterations=3)
LEASE = Lease(minutes=5, part_bytes=1500)


@pytest.fixture
def packed(raw_folder, tmp_path):
    """A packed training set of two cases; a third one lacks an organ's labels."""
    store = tmp_path / "store"
    dataset = find_raw_dataset(raw_folder())
    dataset = replace(dataset, cases=(*dataset.cases, replace(dataset.cases[0], name="partial")))
    build_store(dataset, store, 10.0)
    (store / "synthesis.json").write_text(json.dumps({"mix": SynthesisMix().document}), "utf-8")
    for case in dataset.cases:
        origin = {"kind": "real", "patient": "a", "weight": 1.0, "unlabelled": [4] if case.name == "partial" else []}
        (store / f"{case.name}.origin.json").write_text(json.dumps(origin), "utf-8")
    assert pack_set(store, tmp_path / "set.tar", 5) == 1
    assert not list(tmp_path.glob("*.work"))
    return tmp_path / "set.tar"


def lease(packed, folder, **changes):
    words = {"lease": LEASE, "spec": SPEC, "protocol": PROTOCOL, "spacing": 5.0} | changes
    return train_for_a_lease(packed, folder / "run", folder / "out", **words)


def test_trained_in_parts_brought_back_and_joined(packed, tmp_path):
    whole = lease(packed, tmp_path / "whole")
    short = lease(packed, tmp_path / "parts", lease=replace(LEASE, minutes=0))
    assert (short["steps"], short["of"]) == (1, 6), "a lease without time does a step and leaves it safe"
    again = lease(packed, tmp_path / "parts")
    assert again["steps"] == 6 and again["parts"] == whole["parts"], "as if it had never been stopped"
    out = tmp_path / "parts" / "out"
    sizes = [(out / name).stat().st_size for name in again["parts"]]
    assert len(sizes) > 2 and max(sizes) <= 1500 and sum(sizes) == again["bytes"]
    assert sorted(path.name for path in out.iterdir()) == sorted(["model.json", "parts.json", *again["parts"]])
    bundle = join(out, tmp_path / "joined")
    assert bundle.network == SPEC and bundle.training["steps_done"] == 6 and bundle.working_spacing == (5.0, 5.0)
    checkpoint = torch.load(tmp_path / "parts" / "run" / "run" / "checkpoint.pt", weights_only=True)
    for name, value in load_network(bundle).state_dict().items():
        trained = checkpoint["network"][name]
        assert (value - trained).abs().max() <= trained.abs().max() / 250
    assert 0 <= again["int8"]["pixels_differ"] < 0.05 and set(again["int8"]["dice"]) == set(again["int8"]["dice_int8"])


def test_the_set_has_only_wholly_labelled_cases_at_the_spacing_of_the_network(packed, tmp_path):
    lease(packed, tmp_path, lease=replace(LEASE, minutes=0))
    small, large = open_store(tmp_path / "run" / "packed"), open_store(tmp_path / "run" / "slices")
    assert [case.record.name for case in large.cases] == ["train_000", "train_001"]
    assert large.description.working_spacing == 5.0 and small.description.working_spacing == 10.0
    for before, after in zip(small.cases, large.cases):
        middle = before.record.slices // 2
        (hu, labels), (fine, fine_labels) = before.slice(middle), after.slice(middle)
        assert fine.shape == tuple(2 * n for n in hu.shape)
        assert np.mean(fine_labels[::2, ::2] == labels) > 0.95
        assert np.array_equal(np.unique(fine_labels), np.unique(labels))
    assert large.fingerprint() == small.fingerprint()


LONG = replace(PROTOCOL, epochs=10_000)
CHILD = f"""
import sys
from pathlib import Path
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_full import LONG, lease, replace, LEASE
lease(Path(sys.argv[1]), Path(sys.argv[2]), protocol=LONG, lease=replace(LEASE, save_minutes=0.0))
"""


def test_a_killed_lease_goes_on(packed, tmp_path):
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(packed), str(tmp_path)],
                             env={**os.environ, "OMP_NUM_THREADS": "1"})
    checkpoint = tmp_path / "run" / "run" / "checkpoint.pt"
    started = time.monotonic()
    while not checkpoint.exists() and child.poll() is None and time.monotonic() - started < 300:
        time.sleep(0.1)
    os.kill(child.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    child.wait()
    before = torch.load(checkpoint, weights_only=True)["step"]
    told = lease(packed, tmp_path, protocol=LONG, lease=replace(LEASE, minutes=0))
    assert told["steps"] == before + 1
    assert read_bundle(join(tmp_path / "out", tmp_path / "joined").folder).training["steps_done"] == before + 1


def test_on_a_new_machine_it_begins_with_the_weights_that_were_brought_back(packed, tmp_path):
    lease(packed, tmp_path / "a", lease=replace(LEASE, minutes=0))
    bundle = join(tmp_path / "a" / "out", tmp_path / "joined")
    told = lease(packed, tmp_path / "b", lease=replace(LEASE, minutes=0, begin_with=bundle.folder))
    assert told["steps"] == 2
    losses = [json.loads(line) for line in (tmp_path / "b" / "run" / "run" / "losses.jsonl").read_text().splitlines()]
    assert [each["step"] for each in losses] == [2]
    with pytest.raises(FlareSegError) as caught:
        lease(packed, tmp_path / "c", spec=UNet2DSpec((4, 8)), lease=replace(LEASE, begin_with=bundle.folder))
    assert caught.value.code == "bad_option"


@pytest.mark.parametrize("damage, code", [(lambda part: part.unlink(), "not_found"),
                                          (lambda part: part.write_bytes(b"x" + part.read_bytes()[1:]), "unreadable")])
def test_a_part_that_is_missing_or_damaged_is_named(packed, tmp_path, damage, code):
    told = lease(packed, tmp_path, lease=replace(LEASE, minutes=0))
    name = list(told["parts"])[1]
    damage(tmp_path / "out" / name)
    with pytest.raises(FlareSegError, match=name) as caught:
        join(tmp_path / "out", tmp_path / "joined")
    assert caught.value.code == code and not (tmp_path / "joined").exists()


def test_pixels_of_their_own_cannot_be_resampled(raw_folder, tmp_path):
    store = build_store(find_raw_dataset(raw_folder()), tmp_path / "store")
    with pytest.raises(FlareSegError) as caught:
        resampled_store(store, tmp_path / "other", 5.0)
    assert caught.value.code == "bad_option"


def test_the_full_model_is_the_papers_network_at_its_protocol_but_for_the_length():
    from FlareSegLib.networks.build import build_network

    with torch.device("meta"):
        assert sum(value.numel() for value in build_network(PAPER_NETWORK).parameters()) == 41_268_192
    assert replace(full.PROTOCOL, epochs=PAPER_PROTOCOL.epochs) == PAPER_PROTOCOL and full.PROTOCOL.grid == (512, 512)
