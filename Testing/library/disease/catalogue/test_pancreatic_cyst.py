"""Cysts in the pancreas belong to it; pseudocysts beside it belong to no organ and push it aside."""

from dataclasses import replace

import numpy as np
import pytest

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.catalogue.pancreatic_cyst import PancreaticCyst, Pseudocyst
from FlareSegLib.disease.operation import KEEP, apply, draw
from FlareSegLib.disease.quality import contrast
from FlareSegLib.disease.scene import Scene

CYST, PSEUDOCYST = catalogue.find("pancreatic_cyst"), catalogue.find("pancreatic_pseudocyst")
PANCREAS = LABEL_OF["pancreas"]


@pytest.fixture(scope="module")
def scene(case):
    return Scene(case)


def edit(scene, disease, parameters, seed=1, **more):
    operation = draw(disease, scene, "pancreas", np.random.default_rng(seed), parameters)
    operation = replace(operation, **more)
    return operation, apply(disease, scene, operation)


@pytest.mark.parametrize(("disease", "parameters"), [
    (CYST, PancreaticCyst(diameter=40.0, hu=12.0, septa=0)), (PSEUDOCYST, Pseudocyst(diameter=60.0, hu=20.0))])
def test_the_fluid_is_as_dense_as_asked_for(scene, disease, parameters):
    operation, change = edit(scene, disease, parameters)
    core = (change.cover > 0.99) & (change.wanted < 30)
    assert np.median(change.hu[core]) == pytest.approx(parameters.hu, abs=4)
    found = contrast(scene, operation, change)
    assert found.achieved == pytest.approx(found.requested, abs=5)


def test_a_cyst_stays_pancreas(scene, case):
    _, change = edit(scene, CYST, PancreaticCyst(diameter=40.0))
    assert (change.labels[change.cover >= 0.5] == PANCREAS).all()
    gained = np.count_nonzero(change.labels == PANCREAS) - np.count_nonzero(case.labels[change.box] == PANCREAS)
    assert gained * case.grid.voxel_ml > 5


@pytest.mark.parametrize("seed", range(3))
def test_a_pseudocyst_is_background_and_the_gland_is_pushed_not_eaten(scene, case, seed):
    _, change = edit(scene, PSEUDOCYST, Pseudocyst(diameter=70.0, outside=0.9), seed)
    assert (change.labels[change.cover >= 0.5] == 0).all()
    ml = [np.count_nonzero(labels == PANCREAS) * case.grid.voxel_ml
          for labels in (case.labels[change.box], change.labels)]
    assert ml[1] > 0.75 * ml[0]


def test_it_lies_in_front_of_the_gland(scene, case):
    places = [draw(PSEUDOCYST, scene, "pancreas", np.random.default_rng(seed), Pseudocyst()).centre
              for seed in range(6)]
    for place in places:
        column = case.grid.index_of(place)
        k, i = round(column[0]), round(column[2])
        rows = np.flatnonzero(case.labels[k, :, i] == PANCREAS)
        assert abs(column[1] - rows[0]) * case.grid.spacing[1] < 12


def test_a_place_beside_the_gland_is_where_it_goes(scene, case):
    inside = case.grid.point_of(np.argwhere(case.labels == PANCREAS).mean(axis=0))
    place = tuple((inside + (0.0, -45.0, 0.0)).tolist())
    assert scene.label_at(place) == 0
    _, change = edit(scene, PSEUDOCYST, Pseudocyst(diameter=40.0), centre=place)
    index = np.argwhere(change.cover > 0.5) + [part.start for part in change.box]
    assert np.linalg.norm(case.grid.point_of(index).mean(axis=0) - place) < 10


def test_walls_and_septa_are_denser_than_the_fluid(scene):
    _, plain = edit(scene, CYST, PancreaticCyst(diameter=60.0, septa=0, wall=0.0, lobes=1))
    _, walled = edit(scene, CYST, PancreaticCyst(diameter=60.0, septa=4, wall=2.0, lobes=1))
    dense = [np.mean(change.wanted[change.cover > 0.9] > 20) for change in (plain, walled)]
    assert dense[0] == 0 and dense[1] > 0.05
    middle = walled.cover.shape[0] // 2
    assert (walled.wanted[middle][walled.cover[middle] > 0.99] > 20).any(), "septa cross the cavity"


def test_keeping_labels_only_pushes(scene, case):
    _, change = edit(scene, PSEUDOCYST, Pseudocyst(diameter=40.0, mass_effect=0.0), label_rule=KEEP)
    assert np.array_equal(change.labels, case.labels[change.box])
