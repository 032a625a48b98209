"""Wedges without blood; stones and calcifications."""

import numpy as np
import pytest

from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.catalogue import find
from FlareSegLib.disease.catalogue.calcification import Calcification, Calcifications, Stone
from FlareSegLib.disease.catalogue.infarct import Infarct
from FlareSegLib.disease.operation import apply, draw, perform
from FlareSegLib.disease.scene import Scene


def done(case, name, organ, parameters, seed=0):
    scene = Scene(case)
    operation = draw(find(name), scene, organ, np.random.default_rng(seed), parameters)
    return scene, operation, apply(find(name), scene, operation)


@pytest.mark.parametrize("organ", ["spleen", "kidney"])
def test_an_infarct_is_widest_at_the_capsule(case, organ, depth_mm):
    _, operation, change = done(case, "infarct", organ, Infarct(40.0, 60.0, 35.0))
    mm, lesion = depth_mm(case, organ)[change.box], change.cover > 0.5
    inside = case.labels[change.box] == LABEL_OF[organ]
    counts = [np.count_nonzero(lesion & inside & (mm > low) & (mm <= high)) for low, high in ((0, 8), (12, 20))]
    assert counts[0] > 1.5 * counts[1]
    assert np.median(change.wanted[lesion]) == pytest.approx(35, abs=4)
    assert np.array_equal(change.labels, case.labels[change.box])


def test_the_outermost_cortex_can_stay_perfused(case):
    lowered = [np.mean(done(case, "infarct", "kidney", Infarct(40.0, 60.0, rim=rim))[2].cover > 0.5)
               for rim in (0.0, 1.0)]
    assert lowered[1] < lowered[0]


def test_an_infarct_is_never_brighter_than_its_organ(case):
    dark = case.with_arrays(np.where(case.labels == 3, 30, case.hu).astype(np.int16), case.labels)
    _, _, change = done(dark, "infarct", "spleen", Infarct(hu=60.0))
    assert np.median(change.wanted[change.cover > 0.5]) < 30


def test_a_large_stone_has_its_density_and_a_small_one_less(case):
    large, small = (done(case, "stone", "kidney", Stone(diameter, 900.0))[2] for diameter in (20.0, 3.0))
    assert large.hu[large.cover > 0.99].mean() == pytest.approx(900, abs=30)
    assert small.hu.max() < 800  # partial volume in voxels of 3 x 3 x 5 mm


def test_stones_lie_near_the_middle_of_the_kidney(case):
    scene = Scene(case)
    places = [draw(find("stone"), scene, "kidney", np.random.default_rng(seed), Stone()).centre for seed in range(5)]
    centres = np.array([piece.centre for piece in scene.pieces("kidney")])
    assert max(np.linalg.norm((centres - place)[:, :2], axis=1).min() for place in places) < 15


def test_calcifications_lie_in_one_region_and_most_are_small(case):
    scene = Scene(case)
    operation = draw(find("calcifications"), scene, "pancreas", np.random.default_rng(0), Calcifications(20, 8.0, 40.0))
    _, parts = perform(find, scene, operation)
    centres = np.array([part.centre for part, _ in parts])
    sizes = [part.parameters.diameter for part, _ in parts]
    assert len(parts) == 20 and np.linalg.norm(centres - centres.mean(axis=0), axis=1).max() < 80
    assert 2 <= np.median(sizes) < 5 and max(sizes) <= 8


def test_a_calcification_keeps_the_label(case):
    _, _, change = done(case, "calcification", "spleen", Calcification(12.0, 400.0))
    assert change.hu.max() > 300 and np.array_equal(change.labels, case.labels[change.box])
