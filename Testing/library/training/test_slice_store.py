"""A store holds what isotropification gives, and goes on where it was interrupted."""

import multiprocessing
import pickle
import sys

import numpy as np
import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.preprocessing.isotropic import isotropic_slice, plan_z
from FlareSegLib.training import store_building
from FlareSegLib.training.fingerprint import histogram
from FlareSegLib.training.paper_training import prepare_store
from FlareSegLib.training.raw_data import find_raw_dataset
from FlareSegLib.training.slice_store import (
    CaseRecord, HuCode, StoreDescription, claim_store, open_store, write_case)
from FlareSegLib.training.store_building import build_store
from FlareSegLib.volumes.orientation import to_axial


@pytest.fixture
def dataset(raw_folder):
    return find_raw_dataset(raw_folder())


def test_slices_are_the_isotropic_ones(dataset, phantoms, tmp_path):
    store = build_store(dataset, tmp_path / "store")
    ct, labels = to_axial(phantoms[0][0])[0], to_axial(phantoms[0][1])[0]
    case, z = store.cases[0], plan_z(len(ct.array), ct.spacing[2], ct.spacing[1])
    assert case.record.slices == z.isotropic == 40
    for index in (0, 17, 39):
        hu, label = case.slice(index)
        assert np.abs(hu - isotropic_slice(ct.array, z, index)).max() <= 0.5  # whole HU are stored
        assert label.dtype == np.uint8 and np.array_equal(label, labels.array[int((index + 0.5) * 12 / 40)])


def test_the_record_tells_where_the_organs_are(dataset, tmp_path):
    case = build_store(dataset, tmp_path / "store").cases[1]
    for label, slices in case.record.slices_with.items():
        for index in range(case.record.slices):
            assert (index in slices) == (case.slice(index)[1] == label).any()


def test_a_working_spacing_resamples_in_plane_and_along_z(dataset, tmp_path):
    store = build_store(dataset, tmp_path / "store", working_spacing=8.0)
    hu, label = store.cases[0].slice(15)
    assert hu.shape == label.shape == (36, 48) and store.cases[0].record.slices == 30
    assert set(np.unique(label)) <= {0, 1, 2, 3, 4}


def test_the_fingerprint_is_of_the_original_voxels(dataset, phantoms, tmp_path):
    found = build_store(dataset, tmp_path / "store").fingerprint()
    under = np.concatenate([ct.array[labels.array > 0] for ct, labels in phantoms])
    assert found.normalisation.mean == pytest.approx(under.mean())
    assert found.normalisation.lower == pytest.approx(np.percentile(under, 0.5))
    assert found.spacing_median == (6.0, 6.0, 17.5) and found.slices_median == 12


def test_it_goes_on_where_it_was_interrupted(dataset, tmp_path, monkeypatch):
    def stop(done, total):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_store(dataset, tmp_path / "store", progress=stop)
    stored = []
    real = store_building._store_case
    monkeypatch.setattr(store_building, "_store_case", lambda *words: (stored.append(words[1].name), real(*words)))
    assert len(build_store(dataset, tmp_path / "store").cases) == 2 and stored == ["train_001"]
    build_store(dataset, tmp_path / "store")
    assert stored == ["train_001"]
    dataset.cases[0].labels.touch()
    build_store(dataset, tmp_path / "store")
    assert stored == ["train_001", "train_000"], "a changed file is stored anew"


def test_a_case_that_failed_leaves_nothing(dataset, tmp_path, monkeypatch):
    def break_off(*words):
        yield np.zeros((4, 4), np.float32), np.zeros((4, 4), np.uint8)
        raise MemoryError

    monkeypatch.setattr(store_building, "isotropify", break_off)
    with pytest.raises(MemoryError):
        build_store(dataset, tmp_path / "store")
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["store.json"]


def test_a_store_of_other_settings_or_a_foreign_folder_is_left_alone(dataset, tmp_path):
    build_store(dataset, tmp_path / "store")
    with pytest.raises(FlareSegError) as caught:
        build_store(dataset, tmp_path / "store", working_spacing=8.0)
    assert caught.value.code == "output_exists"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("…", encoding="utf-8")
    with pytest.raises(FlareSegError):
        build_store(dataset, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_damage_is_told(dataset, tmp_path):
    with pytest.raises(FlareSegError) as caught:
        open_store(tmp_path)
    assert caught.value.code == "not_found"
    build_store(dataset, tmp_path / "store")
    (tmp_path / "store/train_000.case.json").write_text("{}", encoding="utf-8")
    with pytest.raises(FlareSegError) as caught:
        open_store(tmp_path / "store")
    assert caught.value.code == "bad_training_data"


def test_a_case_travels_to_another_process(dataset, tmp_path):
    case = build_store(dataset, tmp_path / "store").cases[0]
    expected = case.slice(3)
    back = pickle.loads(pickle.dumps(case)).slice(3)
    assert all(np.array_equal(a, b) for a, b in zip(expected, back))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
def test_a_process_forked_after_a_read_reads_as_well(tmp_path):
    """As a training's worker processes are; slices of the paper's size, which may be unpacked by several threads."""
    claim_store(tmp_path, StoreDescription(((1, "liver"),), None))
    hu = np.random.default_rng(0).integers(-1000, 1000, (512, 512)).astype(np.float32)
    record = CaseRecord("a", (0.8, 0.8, 0.8), 2, 2, {}, histogram(hu))
    write_case(tmp_path, record, ((hu, (hu > 0).astype(np.uint8)) for _ in range(2)), HuCode())
    case = open_store(tmp_path).cases[0]
    case.slice(0)
    child = multiprocessing.get_context("fork").Process(target=case.slice, args=(1,))
    child.start()
    child.join(60)
    ended = child.exitcode
    child.kill()
    assert ended == 0, "it waits for ever"


def test_codes_of_eight_bits_cost_half_a_step():
    hu = np.linspace(-16, 270, 1000)
    code = HuCode("uint8", -16.0, 286 / 255)
    assert np.abs(code.decode(code.encode(hu)) - hu).max() <= 286 / 255 / 2 + 1e-4
    assert code.encode(np.array([-1000.0, 3000.0])).tolist() == [0, 255]


def test_without_the_packing_library_nothing_is_begun(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "blosc2", None)
    with pytest.raises(FlareSegError, match="need blosc2") as caught:
        claim_store(tmp_path / "store", StoreDescription(((1, "liver"),), 1.6))
    assert caught.value.code == "missing_package" and not list(tmp_path.iterdir())


def test_a_store_without_a_complete_case_is_not_trained_on(tmp_path):
    claim_store(tmp_path / "store", StoreDescription(((1, "liver"),), 1.6))
    with pytest.raises(FlareSegError, match="no complete case") as caught:
        prepare_store(tmp_path / "store", tmp_path / "slices")
    assert caught.value.code == "bad_training_data"
