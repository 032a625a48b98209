"""A change of phase: organs reach the HU of the target phase, and the phantom's own scan in that phase is met."""

import numpy as np
import pytest

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import LABEL_OF, make_case
from FlareSegLib.disease.catalogue.contrast_phase import ContrastPhase
from FlareSegLib.disease.operation import draw, perform
from FlareSegLib.disease.scan import phase_hu
from FlareSegLib.disease.scene import Scene
from FlareSegLib.phantom.phantom import make_phantom


@pytest.fixture(scope="module")
def scans():
    """The same patient in three phases."""
    phantoms = {phase: make_phantom(1, (128, 100, 40), (2.6, 2.6, 4.0), phase)
                for phase in ("native", "arterial", "portal")}
    return {phase: make_case(phantom.ct, phantom.label_map)[0] for phase, phantom in phantoms.items()}


def changed(case, **parameters):
    disease, scene = catalogue.find("contrast_phase"), Scene(case)
    operation = draw(disease, scene, "", np.random.default_rng(0), ContrastPhase(**parameters))
    return perform(catalogue.find, scene, operation)[0]


@pytest.mark.parametrize("source, target", [("portal", "native"), ("portal", "arterial"), ("arterial", "portal"),
                                            ("native", "portal")])
def test_organs_measure_what_the_phase_says_and_labels_stay(scans, source, target):
    after = changed(scans[source], phase=target)
    assert np.array_equal(after.case.labels, scans[source].labels)
    for organ in ("liver", "spleen", "pancreas"):
        enhancement = phase_hu(target, organ) - phase_hu("native", organ)
        assert after.organ(organ).median == pytest.approx(phase_hu(target, organ), abs=6 + 0.17 * enhancement), organ
    assert after.phase == target


def test_a_change_that_was_asked_for_is_met(scans):
    case = scans["portal"]
    after = changed(case, phase="arterial", liver=-50.0, kidney=30.0, spleen=15.0, pancreas=40.0)
    for organ, change in (("liver", -50), ("kidney", 30), ("spleen", 15), ("pancreas", 40)):
        inside = case.labels == LABEL_OF[organ]
        assert np.median(after.case.hu[inside]) - np.median(case.hu[inside]) == pytest.approx(change, abs=5), organ


def test_the_cortex_is_brighter_than_the_medulla_in_the_arterial_phase_only_if_asked_for(scans, depth_mm):
    case = scans["portal"]
    depth, inside = depth_mm(case, "kidney"), case.labels == LABEL_OF["kidney"]
    gaps = []
    for asked in (True, False):
        hu = changed(case, phase="arterial", corticomedullary=asked).case.hu
        gaps.append(np.median(hu[inside & (depth < 4)]) - np.median(hu[inside & (depth > 8)]))
    assert gaps[0] > 45 and gaps[0] > gaps[1] + 35


def test_the_aorta_lights_up_the_veins_do_not_and_bone_stays(scans):
    before, real = scans["portal"], scans["arterial"]
    after = changed(before, phase="arterial").case.hu
    gained = real.hu.astype(int) - before.hu
    arteries = (gained > 100) & (before.labels == 0)
    veins = (gained < -30) & (before.labels == 0)
    assert np.median(after[arteries]) > np.median(before.hu[arteries]) + 80
    assert np.median(after[veins]) < np.median(before.hu[veins]) - 15
    bone = before.hu > 350
    assert bone.sum() > 1000 and np.mean(np.abs(after[bone] - before.hu[bone]) > 10) < 0.03


def test_it_comes_near_the_same_patients_own_native_scan(scans):
    before, real = scans["portal"], scans["native"]
    after = changed(before, phase="native").case
    soft = (real.hu > -20) & (real.hu < 120)
    errors = [np.mean(np.abs(hu[soft].astype(float) - real.hu[soft])) for hu in (before.hu, after.hu)]
    # What is left is the noise of two scans, 11 HU each, and what was not changed.
    assert errors[0] > 24 and errors[1] < 15


def test_stripes_come_in_the_spleen_and_cysts_take_up_nothing(scans):
    case = scans["portal"]
    spleen = case.labels == LABEL_OF["spleen"]
    even, striped = (changed(case, phase="arterial", moire=m).case.hu[spleen].astype(float) for m in (0.0, 40.0))
    assert np.std(striped) > 1.3 * np.std(even)
    hu = case.hu.copy()
    k, j, i = np.argwhere(case.labels == 1).mean(axis=0).astype(int)
    hu[k - 3:k + 3, j - 5:j + 5, i - 5:i + 5] = 8
    cyst = changed(case.with_arrays(hu, case.labels), phase="native").case.hu[k - 1:k + 1, j - 2:j + 2, i - 2:i + 2]
    assert np.median(cyst) == pytest.approx(8, abs=4)
