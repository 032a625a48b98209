import pickle
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from FlareSegLib.disease.catalogue import find
from FlareSegLib.disease.mix import Entry, Mix
from FlareSegLib.errors import FlareSegError
from FlareSegLib.networks.spec import UNet2DSpec
from FlareSegLib.training.paper_training import train_model
from FlareSegLib.training.protocol import TrainingProtocol
from FlareSegLib.training.raw_data import find_raw_dataset
from FlareSegLib.training.simulated_cases import SimulatedCases, SimulationProtocol, case_of, slices_of
from FlareSegLib.training.slice_dataset import SliceDataset
from FlareSegLib.training.store_building import build_store
from FlareSegLib.training.team import Team
from FlareSegLib.training.trainer import TrainerOptions

MIX = Mix((Entry("renal_cyst", 1, parameters=(("diameter", 60.0), ("hu", 0.0))),), (1, 1))
PROTOCOL = SimulationProtocol(MIX, share=0.5, pool=2, slices_a_volume=10, seed=3)


@pytest.fixture
def store(raw_folder, tmp_path):
    return build_store(find_raw_dataset(raw_folder()), tmp_path / "slices")


@pytest.fixture
def pool(store, tmp_path):
    made = []

    def make(folder="pool"):
        made.append(SimulatedCases(store, tmp_path / folder, find, PROTOCOL))
        return made[-1]
    yield make
    for each in made:
        if each._ahead is not None:
            each._ahead.join()


def drawn(pool, number):
    case = pool.case(number, np.random.default_rng((0, number)))
    return None if case is None else (case.record.name, *case.slice(number % case.record.slices))


def same(one, other):
    return one is other or (one[0] == other[0] and all(map(np.array_equal, one[1:], other[1:])))


def test_the_oldest_volume_is_replaced_at_each_turn():
    pools = [{PROTOCOL.volume_of(number, slot) for slot in (0, 1)} for number in (0, 9, 10, 25, 39)]
    assert [min(each) for each in pools] == [1, 1, 2, 3, 4]
    assert all(max(each) == min(each) + 1 for each in pools)
    assert all(PROTOCOL.volume_of(number, slot) % 2 == slot for number in range(50) for slot in (0, 1))


def test_a_slice_follows_from_its_number_alone(pool):
    """Whoever draws, in whatever order, after whatever has been removed."""
    first, second = pool("one"), pool("two")
    forward = [drawn(first, number) for number in range(0, 70, 7)]
    backward = [drawn(second, number) for number in reversed(range(0, 70, 7))]
    assert any(case is None for case in forward) and any(case is not None for case in forward)
    assert all(map(same, forward, reversed(backward)))
    assert len({case[0] for case in forward if case is not None}) > 2


def test_disk_stays_bounded_and_what_is_there_is_used(pool, tmp_path):
    one = pool()
    for number in range(0, 200, 9):
        drawn(one, number)
    if one._ahead is not None:
        one._ahead.join()
    records = sorted((tmp_path / "pool").glob("volume-*.case.json"))
    assert 2 <= len(records) <= 3 * PROTOCOL.pool + 2
    assert len(list((tmp_path / "pool").glob("*.b2nd"))) == 2 * len(records)
    times = {path: path.stat().st_mtime_ns for path in records}
    other = pickle.loads(pickle.dumps(one))
    assert same(drawn(one, 198), drawn(other, 198))
    assert all(path.stat().st_mtime_ns == ns for path, ns in times.items())


def test_volumes_hold_the_disease_and_are_stored_as_cases_are(store, pool):
    volume = pool().volume(1)
    origin = next(case for case in store.cases if case.record.slices == volume.record.slices)
    kidneys = [(case.slice(k)) for case in (origin, volume) for k in case.record.slices_with[2]]
    assert volume.record.spacing == origin.record.spacing
    assert set(volume.record.slices_with) == set(origin.record.slices_with)
    assert len({labels.shape for _, labels in kidneys}) == 1
    means = [np.mean(np.concatenate([hu[labels == 2] for hu, labels in map(case.slice, case.record.slices_with[2])]))
             for case in (origin, volume)]
    assert means[1] < means[0] - 20, "a 60 mm cyst darkens the kidneys"


def test_without_a_disease_a_case_comes_back_nearly_as_it_was(store):
    for stored in store.cases:
        case = case_of(stored, None)
        assert len(case.hu) == stored.record.stored_slices < stored.record.slices
        back = list(slices_of(case, stored))
        assert len(back) == stored.record.slices
        off = np.mean([np.abs(hu - stored.slice(k)[0]).mean() for k, (hu, _) in enumerate(back)])
        same_labels = np.mean([np.mean(labels == stored.slice(k)[1]) for k, (_, labels) in enumerate(back)])
        assert off < 15 and same_labels > 0.99


def test_a_lock_is_waited_for_and_a_killed_process_s_one_is_broken(pool, tmp_path):
    one = pool()
    lock = tmp_path / "pool/volume-00000001.lock"
    lock.touch()
    threading.Timer(0.5, lock.unlink).start()
    started = time.monotonic()
    one.volume(1)
    assert time.monotonic() - started > 0.4
    stale = tmp_path / "pool/volume-00000002.lock"
    stale.write_text(str(dead_process()))
    started = time.monotonic()
    one.volume(2)
    assert time.monotonic() - started < 100
    stale.touch()
    (tmp_path / "pool/.7.volume-00000009.image.b2nd").touch()
    one.tidy()
    assert not stale.exists() and not list((tmp_path / "pool").glob(".*"))


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_share_of_slices_that_are_trained_on_is_simulated(store, pool):
    """A slice of the data set is the pool's or the store's, as its number says."""
    protocol = TrainingProtocol(grid=(48, 64), batch=4, forced_foreground=2, epochs=1, iterations=10)
    dataset = SliceDataset(store.cases, store.fingerprint().normalisation, protocol, simulated=pool())
    healthy = SliceDataset(store.cases, store.fingerprint().normalisation, protocol)
    drawn_before = pool("other")
    simulated = [drawn_before.case(number, np.random.default_rng((0, number))) is not None for number in range(40)]
    assert 10 <= sum(simulated) <= 30
    for number in (simulated.index(True), simulated.index(False)):
        image, labels = dataset[number]
        assert image.shape == (1, 48, 64) and set(labels.unique().tolist()) <= {0, 1, 2, 3, 4}
        assert all(torch.equal(a, b) for a, b in zip(dataset[number], (image, labels)))
    assert not torch.equal(dataset[simulated.index(True)][0], healthy[simulated.index(True)][0])


def test_a_training_goes_on_with_the_same_diseases_only(store, tmp_path):
    protocol = TrainingProtocol(grid=(48, 64), batch=2, forced_foreground=1, epochs=1, iterations=8)
    spec, alone = UNet2DSpec((4, 4, 4)), Team(0, 1, torch.device("cpu"))

    def do(name, simulation=PROTOCOL, **words):
        train_model(store, tmp_path / name, spec, protocol, alone, simulation=simulation, **words)
        return (tmp_path / name / "losses.jsonl").read_text()

    whole = do("whole")
    assert whole.startswith(do("parts", options=TrainerOptions(max_minutes=0)))
    for other in (None, replace(PROTOCOL, share=0.25)):
        with pytest.raises(FlareSegError, match="simulation") as caught:
            do("parts", other, resume=True)
        assert caught.value.code == "bad_option"
    assert do("parts", resume=True) == whole
    records = list((tmp_path / "whole/simulated").glob("volume-*.case.json"))
    assert len(records) > PROTOCOL.pool, "the pool has turned"


def test_other_organs_are_refused(store, tmp_path):
    other = replace(store, description=replace(store.description, organs=((1, "liver"),)))
    with pytest.raises(FlareSegError) as caught:
        SimulatedCases(other, tmp_path / "pool", find, PROTOCOL)
    assert caught.value.code == "bad_training_data"
