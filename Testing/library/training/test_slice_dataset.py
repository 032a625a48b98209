"""A number fixes a training slice, whichever process makes it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.preprocessing.normalisation import Normalisation
from FlareSegLib.training.protocol import TrainingProtocol
from FlareSegLib.training.raw_data import find_raw_dataset
from FlareSegLib.training.slice_dataset import SliceDataset, fit
from FlareSegLib.training.store_building import build_store

PROTOCOL = TrainingProtocol(grid=(48, 64), batch=6, forced_foreground=2, epochs=2, iterations=4)


@pytest.fixture
def store(raw_folder, tmp_path):
    return build_store(find_raw_dataset(raw_folder()), tmp_path / "store")


@pytest.fixture
def dataset(store):
    return SliceDataset(store.cases, store.fingerprint().normalisation, PROTOCOL)


def test_a_number_fixes_a_slice(store, dataset):
    again = SliceDataset(store.cases, store.fingerprint().normalisation, PROTOCOL)
    assert len(dataset) == 48
    for number in (0, 5, 47):
        assert all(torch.equal(a, b) for a, b in zip(dataset[number], again[number]))
    assert not torch.equal(dataset[0][0], dataset[1][0])
    other = SliceDataset(store.cases, store.fingerprint().normalisation, replace(PROTOCOL, seed=1))
    assert not torch.equal(dataset[0][0], other[0][0])


def test_slices_are_normalised_and_labels_whole(dataset):
    image, labels = dataset[3]
    assert image.shape == (1, 48, 64) and image.dtype == torch.float32
    assert labels.shape == (48, 64) and labels.dtype == torch.int64
    assert image.abs().max() < 20


def test_the_last_places_of_a_batch_hold_an_organ(store, monkeypatch):
    monkeypatch.setattr("FlareSegLib.training.slice_dataset.transforms", lambda *words, **more: [])
    dataset = SliceDataset(store.cases, store.fingerprint().normalisation, replace(PROTOCOL, iterations=50))
    forced = [number for number in range(120) if number % 6 >= 4]
    assert all(dataset[number][1].any() for number in forced)
    assert not all(dataset[number][1].any() for number in range(120) if number % 6 < 4), "the others are drawn freely"


def test_every_case_and_organ_is_drawn(dataset, store):
    seen = set()
    for number in range(48):
        seen |= set(dataset[number][1].unique().tolist())
    assert seen == {0, 1, 2, 3, 4}


@pytest.fixture
def windows(store, monkeypatch):
    """Windows of so many slices, neither augmented nor normalised away: HU can be read off."""
    monkeypatch.setattr("FlareSegLib.training.slice_dataset.transforms", lambda *words, **more: [])
    wide = Normalisation(-5000, 5000, 0, 1)
    return lambda slices: SliceDataset(store.cases, wide, PROTOCOL, slices)


def test_a_window_is_neighbouring_slices_of_a_case(store, windows):
    dataset = windows(8)
    for number in range(12):
        image, labels = dataset[number]
        assert image.shape == (1, 8, 48, 64) and labels.shape == (8, 48, 64)
        found = [(case, index) for case in store.cases for index in range(case.record.slices - 7)
                 if np.array_equal(case.slice(index)[0], image[0, 0])]
        assert any(all(np.array_equal(case.slice(index + k)[0], image[0, k])
                       and np.array_equal(case.slice(index + k)[1], labels[k]) for k in range(8))
                   for case, index in found)
        assert number % 6 < 4 or labels.any(), "the last places hold an organ"


def test_a_case_shorter_than_a_window_is_centred_in_air(store, windows):
    image, labels = windows(64)[0]
    air = (image[0] == -1024).all(dim=2).all(dim=1)
    slices = int((~air).sum())
    assert slices in {case.record.slices for case in store.cases}
    assert air[:(64 - slices) // 2].all() and air[(64 - slices) // 2 + slices:].all() and not labels[air].any()


def test_the_slices_of_a_window_are_augmented_alike(store):
    """Rotated and zoomed together: a body stays where its neighbours are; and the number still fixes it all."""
    normalisation = store.fingerprint().normalisation
    one, two = (SliceDataset(store.cases, normalisation, PROTOCOL, 8) for _ in range(2))
    for number in range(6):
        (image, labels), again = one[number], two[number]
        assert torch.equal(image, again[0]) and torch.equal(labels, again[1])
        assert image.shape == (1, 8, 48, 64) and set(labels.unique().tolist()) <= {0, 1, 2, 3, 4}
        body = (image[0] > image.min() + 0.5).float()
        assert (body[1:] - body[:-1]).abs().mean() < 0.2


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.data())
def test_fit_keeps_the_pixel_it_is_centred_on(rows, columns, high, wide, data):
    hu = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    centre = (data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1)))
    fitted, labels = fit(hu, hu.astype(np.int64) % 5, (high, wide), centre, np.random.default_rng(0))
    assert fitted.shape == labels.shape == (high, wide)
    assert hu[centre] in fitted
    inside = fitted > -1024
    assert np.array_equal(labels[inside], fitted[inside] % 5) and not labels[~inside].any()
    assert inside.sum() == min(rows, high) * min(columns, wide), "no more is lost than has to be"
