"""`--fast`: what is run has the labels that it would have had; what is left out lies between slices without organs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.errors import FlareSegError
from FlareSegLib.inference import segment as segment_module
from FlareSegLib.inference.device import cpu_device
from FlareSegLib.inference.scout import STEP_MM, near_organs, scouts
from FlareSegLib.inference.segment import label_axial, segment
from FlareSegLib.volumes.volume import Volume

BODY = slice(20, 30)


@pytest.fixture
def tall(ct):
    """A long scan: soft tissue in ten slices, air in the others, of which an untrained network makes one label."""
    array = np.full((60, *ct.array.shape[1:]), -1000, np.int16)
    array[BODY] = ct.array[:10]
    return Volume(array, (5.0, 5.0, 3.0))


@pytest.fixture
def air_is_background(monkeypatch):
    """Slices of air get no label, as from a trained network."""
    real = segment_module.predict_slices

    def predict(network, device, task, indices, note):
        for index, labels in real(network, device, task, indices, note):
            yield index, labels * (task.read(index) > -900)

    monkeypatch.setattr(segment_module, "predict_slices", predict)


@given(slices=st.integers(1, 400), spacing=st.floats(0.3, 30))
def test_scouts_reach_from_end_to_end_and_are_close(slices, spacing):
    found = scouts(slices, spacing)
    assert found[0] == 0 and found[-1] == slices - 1
    assert np.all(np.diff(found) * spacing <= max(STEP_MM, spacing) + 1e-9)


@given(st.integers(2, 60), st.sets(st.integers(0, 59)))
def test_only_gaps_between_two_empty_scouts_are_left_out(slices, organ):
    looked_at = scouts(slices, 4.0)
    near = near_organs(looked_at, organ)
    for below, above in zip(looked_at, looked_at[1:]):
        inside = set(range(below, above + 1))
        assert inside <= near if {below, above} & organ else not (inside - {below, above}) & near


def test_far_slices_are_left_out_and_the_rest_is_as_before(bundle, network, tall, air_is_background):
    full, all_runs = label_axial(tall, bundle, network, cpu_device())
    notes, seen = [], []
    fast, runs = label_axial(tall, bundle, network, cpu_device(), lambda *count: seen.append(count), notes.append,
                             fast=True)
    assert full.any() and np.array_equal(fast, full)
    assert runs < 0.6 * all_runs
    assert len(notes) == 1 and f"{all_runs - runs} of {all_runs}" in notes[0]
    assert seen[-1] == (runs, runs) and [done for done, _ in seen] == list(range(1, runs + 1))


def test_thick_slices_are_all_run(bundle, network, ct):
    thick = replace(ct, spacing=(1.1, 1.3, 10.0))
    notes = []
    fast, runs = label_axial(thick, bundle, network, cpu_device(), note=notes.append, fast=True)
    assert runs == len(thick.array) and not notes
    assert np.array_equal(fast, label_axial(thick, bundle, network, cpu_device())[0])


def test_exact_runs_every_slice(bundle, tall, monkeypatch):
    monkeypatch.setattr(segment_module, "check_ct", lambda volume: ())
    with pytest.raises(FlareSegError, match="--fast") as caught:
        segment(tall, bundle, device="cpu", exact=True, fast=True)
    assert caught.value.code == "bad_option"
