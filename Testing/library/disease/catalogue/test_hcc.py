"""Large liver masses: contrast by phase, capsule, mosaic, dead tissue, satellites, labels."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.catalogue.hcc import Hcc, requested_difference
from FlareSegLib.disease.operation import apply, draw
from FlareSegLib.disease.quality import contrast
from FlareSegLib.disease.scene import Scene

DISEASE = catalogue.find("hcc")
PLAIN = {"mosaic": 0.0, "capsule": 0.0, "necrosis": 0.0, "satellites": 0}


@pytest.fixture(scope="module")
def scene(case):
    return Scene(case)


def edit(scene, seed=1, **parameters):
    operation = draw(DISEASE, scene, "liver", np.random.default_rng(seed), Hcc(**parameters))
    return operation, apply(DISEASE, scene, operation)


@pytest.mark.parametrize("difference", [-25.0, 35.0])
def test_the_contrast_is_the_one_asked_for(scene, difference):
    operation, change = edit(scene, difference=difference, **PLAIN)
    found = contrast(scene, operation, change)
    assert found.requested == pytest.approx(difference, abs=1) and found.achieved == pytest.approx(difference, abs=5)


def test_it_is_bright_early_and_washed_out_later(case, scene):
    operation, _ = edit(scene, **PLAIN)
    early = Scene(case, {**scene.known, "phase": "arterial"})
    middle = [np.mean([requested_difference(s, replace(operation, seed=seed)) for seed in range(60)])
              for s in (early, scene)]
    assert 12 < middle[0] < 40 and -30 < middle[1] < -10


def test_the_capsule_is_a_bright_rim_late_and_none_early(case, scene):
    median, parameters = scene.organ("liver").median, {**PLAIN, "capsule": 3.0, "difference": -30.0, "diameter": 60.0}
    _, late = edit(scene, **parameters)
    _, early = edit(Scene(case, {**scene.known, "phase": "arterial"}), **parameters)
    assert late.wanted.max() == pytest.approx(median + 15, abs=1)
    assert early.wanted.max() == pytest.approx(median - 30, abs=1)
    deep = ndimage.binary_erosion(late.cover > 0.95, iterations=2)
    assert late.wanted[deep].mean() == pytest.approx(median - 30, abs=4)


def test_the_mosaic_has_compartments_about_the_requested_level(scene):
    _, change = edit(scene, **{**PLAIN, "mosaic": 1.0, "difference": -20.0, "diameter": 80.0})
    core = change.wanted[change.cover > 0.95] - scene.organ("liver").median
    assert core.std() > 10 and core.mean() == pytest.approx(-20, abs=3)


def test_dead_tissue_has_its_share(scene):
    _, change = edit(scene, **{**PLAIN, "necrosis": 0.4, "difference": -10.0, "diameter": 80.0})
    assert np.mean(change.wanted[change.cover > 0.9] < 45) == pytest.approx(0.4, abs=0.1)


def test_satellites_lie_in_the_liver_beside_the_mass(scene, case):
    _, alone = edit(scene, **{**PLAIN, "diameter": 50.0, "difference": -30.0})
    _, change = edit(scene, **{**PLAIN, "diameter": 50.0, "difference": -30.0, "satellites": 5})
    count = [ndimage.label(one.cover > 0.5)[1] for one in (alone, change)]
    assert count[0] == 1 and count[1] >= 3
    before = case.labels[change.box]
    satellites = (change.cover > 0.5) & (ndimage.label(change.cover > 0.5)[0] != np.argmax(
        np.bincount(ndimage.label(change.cover > 0.5)[0].ravel())[1:]) + 1)
    assert np.mean(before[satellites] == LABEL_OF["liver"]) > 0.7


def test_a_bulging_mass_makes_the_liver_larger_and_leaves_neighbours_whole(scene, case):
    _, change = edit(scene, 2, **{**PLAIN, "exophytic": 0.6, "diameter": 70.0, "mass_effect": 0.0})
    before = case.labels[change.box]
    gained = (change.labels == LABEL_OF["liver"]) & (before != LABEL_OF["liver"])
    assert np.count_nonzero(gained) * case.grid.voxel_ml > 5
    assert (before[gained] == 0).all()
