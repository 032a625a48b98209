"""Lacerations and blood under the capsule."""

import numpy as np
import pytest

from FlareSegLib.disease.block import PatientPoints
from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.catalogue import find
from FlareSegLib.disease.catalogue.haematoma import Laceration, SubcapsularHaematoma, tear
from FlareSegLib.disease.operation import KEEP, apply, draw
from FlareSegLib.disease.scene import Scene


def done(case, name, organ, parameters, seed=0, rule=None):
    scene = Scene(case)
    operation = draw(find(name), scene, organ, np.random.default_rng(seed), parameters, rule)
    return scene, operation, apply(find(name), scene, operation)


def test_a_tear_is_long_and_thin_in_an_axial_slice():
    x, y = np.meshgrid(np.arange(-50, 70, 1.0), np.arange(-60, 60, 1.0), indexing="xy")
    points = PatientPoints(*(axis[None].astype(np.float32) for axis in (x, y, np.zeros_like(x))))
    inside = tear((0, 0, 0), (1.0, 0, 0), 50.0, 5.0, 3, 0, np.random.default_rng(3)).distance(points)[0] < 0
    extent = np.ptp(np.argwhere(inside), axis=0)
    assert 35 < extent.max() < 75 and inside.sum() < 8 * extent.max()


def test_branches_make_it_larger():
    grid = np.stack(np.meshgrid(*[np.arange(-60, 60, 3.0)] * 3, indexing="ij")).astype(np.float32)
    tears = [tear((0, 0, 0), (1.0, 0, 0), 50.0, 6.0, 3, branches, np.random.default_rng(3)) for branches in (0, 4)]
    sizes = [np.count_nonzero(each.distance(PatientPoints(*grid)) < 0) for each in tears]
    assert sizes[1] > 1.2 * sizes[0]


def test_a_laceration_is_filled_with_blood_inside_the_organ(case):
    scene, _, change = done(case, "laceration", "spleen", Laceration(60.0, 10.0, 45.0))
    lesion = change.cover > 0.7
    assert lesion.any() and np.median(change.wanted[lesion]) == pytest.approx(45, abs=8)
    assert np.mean(case.labels[change.box][lesion] == LABEL_OF["spleen"]) > 0.99
    assert np.array_equal(change.labels, case.labels[change.box])


def test_a_fresh_leak_is_bright(case):
    highest = [done(case, "laceration", "liver", Laceration(60.0, 10.0, bleeding=bleeding))[2].wanted.max()
               for bleeding in (False, True)]
    assert highest[0] < 80 < 100 < highest[1]


@pytest.mark.parametrize("organ", ["liver", "spleen", "kidney"])
def test_blood_under_the_capsule_belongs_to_no_organ_and_dents_it(case, organ):
    scene, operation, change = done(case, "subcapsular_haematoma", organ, SubcapsularHaematoma(15.0, 70.0))
    label, after = LABEL_OF[organ], scene.after(change)
    blood = change.cover > 0.9
    assert np.count_nonzero(blood) * case.grid.voxel_ml > 3
    assert (change.labels[blood] == 0).mean() > 0.95
    lost = 1 - after.organ(organ).volume_ml / scene.organ(organ).volume_ml
    blood_ml = change.cover.sum() * case.grid.voxel_ml
    # Pressed in rather than replaced: the organ loses less than the blood's volume.
    assert 0 < lost * scene.organ(organ).volume_ml < 0.9 * blood_ml
    assert change.jacobian > 0.1 and {label} <= set(np.unique(change.labels))


def test_it_lies_at_the_place_and_not_on_the_other_side(case):
    scene, operation, change = done(case, "subcapsular_haematoma", "liver", SubcapsularHaematoma(12.0, 60.0), seed=1)
    blood = case.grid.point_of(np.argwhere(change.cover > 0.5) + [part.start for part in change.box])
    assert np.linalg.norm(blood - operation.centre, axis=1).max() < 55


def test_labels_can_be_kept(case):
    scene, _, change = done(case, "subcapsular_haematoma", "spleen", SubcapsularHaematoma(), rule=KEEP)
    assert scene.after(change).organ("spleen").volume_ml > 0.95 * scene.organ("spleen").volume_ml
