"""Renal masses: their density by kind and phase, their fat and dead tissue, and what they do to labels."""

from dataclasses import replace

import numpy as np
import pytest

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.catalogue.renal_mass import KINDS, RenalMass, necrotic_share, requested_difference
from FlareSegLib.disease.operation import KEEP, apply, draw
from FlareSegLib.disease.quality import contrast
from FlareSegLib.disease.scene import Scene

DISEASE = catalogue.find("renal_mass")
KIDNEY = LABEL_OF["kidney"]


@pytest.fixture(scope="module")
def scene(case):
    return Scene(case)


def edit(scene, seed=1, label_rule=None, **parameters):
    operation = draw(DISEASE, scene, "kidney", np.random.default_rng(seed), RenalMass(**parameters), label_rule)
    return operation, apply(DISEASE, scene, operation)


def kidney_ml(case, change):
    labels = case.labels.copy()
    labels[change.box] = change.labels
    return np.count_nonzero(labels == KIDNEY) * case.grid.voxel_ml


@pytest.mark.parametrize("kind", ["clear_cell", "papillary", "chromophobe", "oncocytoma"])
def test_the_contrast_is_the_one_asked_for(scene, kind):
    operation, change = edit(scene, kind=kind, difference=-60.0, necrosis=0.0)
    found = contrast(scene, operation, change)
    assert found.requested == pytest.approx(-60, abs=3) and found.achieved == pytest.approx(-60, abs=5)


def test_kinds_differ_as_the_literature_says(scene, case):
    median = scene.organ("kidney").median
    operation, _ = edit(scene)
    middle = {kind: np.mean([requested_difference(scene, replace(operation, seed=seed, parameters=RenalMass(kind)))
                             for seed in range(30)]) for kind in KINDS}
    assert scene.phase == "portal"
    assert middle["papillary"] < middle["chromophobe"] < middle["clear_cell"] < 0
    dose = np.clip((median - 35) / (182.5 - 35), 0.5, 1.4)
    assert median + middle["papillary"] == pytest.approx(33 + 35 * dose, abs=8)


def test_without_contrast_medium_a_mass_hardly_shows(case):
    plain = case.hu.copy()
    for value, hu in ((1, 58), (2, 35), (3, 47), (4, 42)):
        inside = case.labels == value
        plain[inside] = plain[inside] - int(np.median(plain[inside])) + hu
    native = Scene(case.with_arrays(plain, case.labels))
    assert native.phase == "native"
    operation, _ = edit(native, kind="clear_cell")
    assert abs(requested_difference(native, operation)) < 12


def test_half_outside_makes_the_kidney_larger_than_all_inside(scene, case):
    before = scene.organ("kidney").volume_ml
    grown = [kidney_ml(case, edit(scene, 3, exophytic=share, diameter=50.0)[1]) - before for share in (0.0, 0.8)]
    assert grown[1] > grown[0] + 8 and grown[1] > 15


def test_without_joining_only_the_push_changes_the_labels(scene, case):
    _, joined = edit(scene, 3, exophytic=0.8, diameter=50.0)
    _, kept = edit(scene, 3, KEEP, exophytic=0.8, diameter=50.0)
    assert np.array_equal(joined.hu, kept.hu) and kidney_ml(case, joined) > kidney_ml(case, kept) + 8


def test_angiomyolipoma_holds_fat_and_the_others_do_not(scene):
    for kind in KINDS:
        _, change = edit(scene, kind=kind, diameter=45.0, exophytic=0.2, fat=0.5)
        share = np.mean(change.hu[change.cover > 0.9] < -30)
        assert 0.25 < share < 0.7 if kind == "angiomyolipoma" else share < 0.01, kind


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_dead_tissue_has_its_share_and_lies_inside(scene, share):
    _, change = edit(scene, kind="clear_cell", diameter=70.0, necrosis=share, exophytic=0.3)
    core = change.cover > 0.9
    dead = change.wanted < 45
    assert np.mean(dead[core]) == pytest.approx(share, abs=0.12)
    assert not dead[(change.cover > 0.3) & (change.cover < 0.6)].any()


def test_small_masses_are_rarely_necrotic(scene):
    operation, _ = edit(scene)
    share = {mm: np.mean([necrotic_share(replace(operation, seed=seed, parameters=RenalMass(diameter=mm)))
                          for seed in range(50)]) for mm in (15.0, 90.0)}
    assert share[15.0] < 0.5 * share[90.0]


@pytest.mark.parametrize("seed", range(4))
def test_neighbours_and_bone_are_not_overwritten(scene, case, seed):
    _, change = edit(scene, seed, diameter=100.0, exophytic=0.9, mass_effect=0.0)
    before, inside = case.labels[change.box], change.cover >= 0.5
    assert not np.isin(before[inside], [1, 3, 4]).any()
    bone = (case.hu[change.box] > 400) & (before == 0)
    assert np.mean(change.hu[bone] < 250) < 0.005
