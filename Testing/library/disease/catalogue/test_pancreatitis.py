"""Acute pancreatitis: size and density of the gland, hazy fat and fluid around it that belong to no organ."""

import numpy as np
import pytest
from scipy import ndimage

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.catalogue.pancreatitis import Pancreatitis
from FlareSegLib.disease.operation import apply, draw
from FlareSegLib.disease.quality import contrast
from FlareSegLib.disease.scene import Scene

DISEASE = catalogue.find("pancreatitis")
PANCREAS = LABEL_OF["pancreas"]
MILD = {"enlargement": 1.1, "difference": -10.0, "stranding": 0.0, "fluid": 0.0}


@pytest.fixture(scope="module")
def scene(case):
    return Scene(case)


def edit(scene, **parameters):
    operation = draw(DISEASE, scene, "pancreas", np.random.default_rng(1), Pancreatitis(**parameters))
    return operation, apply(DISEASE, scene, operation)


def around(case, change, mm):
    """Fat no farther than this from the gland as it is now, in a change without stranding and fluid."""
    gland = change.labels == PANCREAS
    far = ndimage.distance_transform_edt(~gland, case.grid.spacing[::-1])
    return (far > 4) & (far < mm) & (change.hu < -80) & (change.hu > -140) & (change.labels == 0)


@pytest.mark.parametrize("factor", [1.2, 1.6])
def test_the_gland_swells_as_asked_for(scene, case, factor):
    _, change = edit(scene, enlargement=factor)
    ml = np.count_nonzero(change.labels == PANCREAS) * case.grid.voxel_ml
    assert ml / scene.organ("pancreas").volume_ml == pytest.approx(factor, rel=0.03)


@pytest.mark.parametrize("difference", [-20.0, -40.0])
def test_the_gland_is_as_dark_as_asked_for(scene, difference):
    operation, change = edit(scene, **{**MILD, "difference": difference})
    found = contrast(scene, operation, change)
    assert found.requested == pytest.approx(difference, abs=4) and found.achieved == pytest.approx(difference, abs=5)


def test_inflamed_fat_is_brighter_near_the_gland_and_less_so_farther_away(scene, case):
    _, calm = edit(scene, **MILD)
    _, inflamed = edit(scene, **{**MILD, "stranding": 25.0})
    gained = inflamed.hu.astype(float) - calm.hu
    near, ring = around(case, calm, 12.0), around(case, calm, 28.0) & ~around(case, calm, 20.0)
    assert gained[near].mean() > 15 and gained[near].mean() > gained[ring].mean() + 8
    assert np.array_equal(inflamed.labels, calm.labels)


def test_fluid_is_as_much_as_asked_for_and_belongs_to_no_organ(scene, case):
    _, dry = edit(scene, **MILD)
    _, wet = edit(scene, **{**MILD, "fluid": 20.0, "fluid_hu": 12.0})
    fluid = (wet.hu.astype(int) - dry.hu > 50) & (np.abs(wet.hu - 12.0) < 30)
    assert np.count_nonzero(fluid) * case.grid.voxel_ml == pytest.approx(20, rel=0.5)
    assert (wet.labels[fluid] == 0).all() and np.array_equal(wet.labels, dry.labels)
    organs = ndimage.binary_erosion(np.isin(dry.labels, list(LABEL_OF.values())), np.ones((1, 3, 3)), iterations=2)
    assert np.array_equal(wet.hu[organs], dry.hu[organs])


@pytest.mark.parametrize("share", [0.15, 0.45])
def test_dead_parts_have_their_share_and_stay_pancreas(scene, share):
    _, change = edit(scene, **{**MILD, "difference": -15.0, "necrosis": share})
    gland = change.cover > 0.9
    dead = gland & (change.wanted < 35)
    assert dead.sum() / gland.sum() == pytest.approx(share, abs=0.12)
    assert (change.labels[dead] == PANCREAS).mean() > 0.99
