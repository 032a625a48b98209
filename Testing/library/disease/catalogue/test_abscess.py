"""Pus in an enhancing wall."""

import numpy as np
import pytest

from FlareSegLib.disease.catalogue import find
from FlareSegLib.disease.catalogue.abscess import Abscess
from FlareSegLib.disease.operation import JOIN, apply, draw
from FlareSegLib.disease.scene import Scene


def done(case, parameters, organ="liver", seed=0, **more):
    scene = Scene(case)
    operation = draw(find("abscess"), scene, organ, np.random.default_rng(seed), parameters, **more)
    return scene, operation, apply(find("abscess"), scene, operation)


def away(case, operation, change):
    index = np.argwhere(np.ones(change.hu.shape, bool)) + [part.start for part in change.box]
    return np.linalg.norm(case.grid.point_of(index) - operation.centre, axis=1).reshape(change.hu.shape)


def test_pus_in_a_brighter_wall(case):
    scene, operation, change = done(case, Abscess(60.0, 15.0, 30.0, 5.0, septa=0, mass_effect=0.0))
    far = away(case, operation, change)
    assert np.median(change.hu[far < 12]) == pytest.approx(15, abs=6)
    wall = change.wanted[(change.cover > 0.9) & (far > 15)]
    assert np.quantile(wall, 0.9) > scene.organ("liver").median + 20


def test_septa_divide_the_cavity(case):
    bright = []
    for septa in (0, 4):
        _, operation, change = done(case, Abscess(70.0, septa=septa, mass_effect=0.0))
        bright.append(np.mean(change.wanted[away(case, operation, change) < 22] > 40))
    assert bright[0] < 0.05 < bright[1]


def test_gas_rises_to_the_front(case):
    _, operation, change = done(case, Abscess(70.0, septa=0, gas=0.08, mass_effect=0.0))
    gas = np.argwhere((change.hu < -200) & (change.cover > 0.5)) + [part.start for part in change.box]
    pus = np.argwhere(np.abs(change.wanted - 15) < 1) + [part.start for part in change.box]
    assert len(gas) and case.grid.point_of(gas)[:, 1].max() < np.median(case.grid.point_of(pus)[:, 1])


def test_one_that_bulges_joins_its_organ(case):
    scene, operation, change = done(case, Abscess(40.0, mass_effect=0.0), "spleen", label_rule=JOIN)
    assert np.count_nonzero(change.labels == 3) >= np.count_nonzero(case.labels[change.box] == 3)
    assert ((change.cover > 0.9) <= (change.labels == 3)).all()
