"""Clips and stents."""

import numpy as np
import pytest

from FlareSegLib.disease.catalogue import find
from FlareSegLib.disease.catalogue.metal import Clips, Stent
from FlareSegLib.disease.operation import apply, draw
from FlareSegLib.disease.scene import Scene


def done(case, name, organ, parameters, seed=0):
    scene = Scene(case)
    operation = draw(find(name), scene, organ, np.random.default_rng(seed), parameters)
    return operation, apply(find(name), scene, operation)


@pytest.mark.parametrize("organ", ["liver", "kidney", "spleen", "pancreas"])
def test_clips_are_bright_near_their_place_and_labels_stay(case, organ):
    operation, change = done(case, "clips", organ, Clips(4, spread=10.0, streaks=0.0))
    assert np.array_equal(change.labels, case.labels[change.box])
    bright = np.argwhere(change.hu.astype(int) - case.hu[change.box] > 100) + [part.start for part in change.box]
    away = np.linalg.norm(case.grid.point_of(bright) - operation.centre, axis=1)
    assert len(bright) and away.max() < 10 + 3.5 + np.linalg.norm(case.grid.spacing)


def test_streaks_run_through_the_whole_slice_and_grow_with_their_strength(case):
    spread = []
    for strength in (0.0, 0.3, 0.9):
        operation, change = done(case, "clips", "liver", Clips(6, spread=5.0, streaks=strength))
        k = int(round(case.grid.index_of(operation.centre)[0])) - change.box[0].start
        spread.append(float(np.std(change.hu[k].astype(int) - case.hu[change.box][k])))
    assert spread[0] < spread[1] < spread[2]
    far = np.abs(change.hu[k].astype(int) - case.hu[change.box][k])
    assert np.count_nonzero(far > 5) > 200


def test_a_metal_stent_is_a_ring_with_bile_in_it(case):
    operation, change = done(case, "stent", "pancreas", Stent(12.0, 50.0, "metal", "bile", 0.0))
    index = np.rint(case.grid.index_of(operation.centre)).astype(int) - [part.start for part in change.box]
    ring = change.hu[index[0], index[1] - 5:index[1] + 6, index[2] - 5:index[2] + 6]
    assert ring.max() > 250 and ring.max() > ring[5, 5] + 150
    assert np.array_equal(change.labels, case.labels[change.box])


def test_a_plastic_stent_throws_no_streaks(case):
    _, change = done(case, "stent", "pancreas", Stent(10.0, 50.0, "plastic", "gas", 1.0))
    changed = np.argwhere(change.hu != case.hu[change.box])
    assert np.ptp(changed[:, 1]) * case.grid.spacing[1] < 120


def test_a_stent_lies_in_the_head_of_the_pancreas(case):
    places = [done(case, "stent", "pancreas", Stent(), seed)[0].centre[0] for seed in range(3)]
    pancreas = case.grid.point_of(np.argwhere(case.labels == 4))
    assert max(places) < np.median(pancreas[:, 0])
