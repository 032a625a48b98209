"""Masses of the pancreas: density, the duct behind them, the withered tail, vessels and neighbours that stay."""

from dataclasses import replace

import numpy as np
import pytest

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.catalogue.pancreatic_mass import PancreaticMass, requested_difference
from FlareSegLib.disease.medial_axis import along, medial_axis
from FlareSegLib.disease.operation import apply, draw
from FlareSegLib.disease.quality import contrast
from FlareSegLib.disease.scene import Scene

DISEASE = catalogue.find("pancreatic_mass")
PANCREAS = LABEL_OF["pancreas"]


@pytest.fixture(scope="module")
def scene(case):
    return Scene(case)


@pytest.fixture(scope="module")
def axis(scene):
    return medial_axis(scene.block_of(scene.organ("pancreas").box), "pancreas")


def edit(scene, axis, share=0.25, **parameters):
    """A mass at a share of the gland's length from its head."""
    operation = draw(DISEASE, scene, "pancreas", np.random.default_rng(1), PancreaticMass(**parameters))
    operation = replace(operation, centre=tuple(axis[int(share * len(axis))].tolist()))
    return operation, apply(DISEASE, scene, operation)


def whole(case, change):
    hu, labels = case.hu.copy(), case.labels.copy()
    hu[change.box], labels[change.box] = change.hu, change.labels
    return hu, labels


def test_the_axis_runs_through_the_gland_from_head_to_tail(scene, axis):
    labels = [scene.label_at(point) for point in axis]
    assert np.mean(np.array(labels) == PANCREAS) > 0.9
    assert axis[0, 0] < axis[-1, 0] - 50, "the tail lies on the patient's left"
    steps = np.linalg.norm(np.diff(axis, axis=0), axis=1)
    assert steps.max() < 3.0
    assert along(axis, axis[7]) == 7


@pytest.mark.parametrize(("kind", "difference"), [("carcinoma", -40.0), ("neuroendocrine", 45.0)])
def test_the_contrast_is_the_one_asked_for(scene, axis, kind, difference):
    operation, change = edit(scene, axis, kind=kind, difference=difference, diameter=40.0, duct=0.0, atrophy=0.0)
    found = contrast(scene, operation, change)
    assert found.requested == pytest.approx(difference, abs=3) and found.achieved == pytest.approx(difference, abs=5)


def test_carcinoma_is_darker_and_neuroendocrine_tumours_brighter_than_the_gland(scene, axis):
    operation, _ = edit(scene, axis, diameter=15.0, duct=0.0, atrophy=0.0)
    middle = {kind: np.mean([requested_difference(scene, replace(operation, seed=seed, parameters=PancreaticMass(kind)))
                             for seed in range(40)]) for kind in ("carcinoma", "neuroendocrine")}
    assert middle["carcinoma"] == pytest.approx(-40, abs=8) and middle["neuroendocrine"] > 15


def test_the_mass_joins_the_gland_and_spares_neighbours(scene, axis, case):
    _, change = edit(scene, axis, diameter=60.0, duct=0.0, atrophy=0.0, mass_effect=0.0)
    before, core = case.labels[change.box], change.cover >= 0.5
    assert (change.labels[core] == PANCREAS).all()
    assert not np.isin(before[core], [1, 2, 3]).any()
    gained = np.count_nonzero(change.labels == PANCREAS) - np.count_nonzero(before == PANCREAS)
    assert gained * case.grid.voxel_ml > 5


def test_the_duct_follows_the_gland_behind_the_mass_and_stays_pancreas(scene, axis, case):
    _, change = edit(scene, axis, diameter=20.0, duct=9.0, atrophy=0.0, difference=-20.0)
    duct = (change.wanted < 20) & (change.cover > 0.5)
    assert np.count_nonzero(duct) * case.grid.voxel_ml > 1
    assert (change.labels[duct] == PANCREAS).all()
    index = np.argwhere(duct) + [part.start for part in change.box]
    nearest = np.array([np.linalg.norm(axis - point, axis=1) for point in case.grid.point_of(index)])
    assert nearest.min(axis=1).max() < 12
    place = nearest.argmin(axis=1)
    assert place.min() > 0.25 * len(axis) and place.max() > 0.75 * len(axis), "from the mass to the tail, not before it"
    _, without = edit(scene, axis, diameter=20.0, duct=0.0, atrophy=0.0, difference=-20.0)
    dry = without.hu[tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(without.box, without.box))]
    assert np.median(change.hu[duct]) < 35 < np.median(dry[without.labels == PANCREAS])


def test_the_gland_withers_behind_the_mass_only(scene, axis, case):
    ml = {}
    for atrophy in (0.0, 0.5):
        _, change = edit(scene, axis, 0.3, diameter=15.0, duct=0.0, atrophy=atrophy, mass_effect=0.0)
        _, labels = whole(case, change)
        points = case.grid.point_of(np.argwhere(labels == PANCREAS))
        place = np.array([along(axis, point) for point in points]) / len(axis)
        ml[atrophy] = [np.count_nonzero(part) * case.grid.voxel_ml for part in (place < 0.25, place > 0.55)]
    assert ml[0.5][0] == pytest.approx(ml[0.0][0], rel=0.08)
    assert ml[0.5][1] / ml[0.0][1] == pytest.approx(0.5, abs=0.12)


def test_a_neuroendocrine_tumour_leaves_the_duct_alone(scene, axis):
    _, change = edit(scene, axis, kind="neuroendocrine", diameter=20.0, duct=12.0, atrophy=0.6, difference=40.0)
    assert not ((change.wanted < 20) & (change.cover > 0)).any()
