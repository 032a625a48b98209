"""Fatty liver: how dark it becomes, where, and what it leaves as it was."""

import numpy as np
import pytest
from scipy import ndimage

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.operation import draw, perform
from FlareSegLib.disease.scene import Scene


def done(case, name, organ, seed=0, **parameters):
    disease, scene = catalogue.find(name), Scene(case)
    operation = draw(disease, scene, organ, np.random.default_rng(seed), disease.parameters(**parameters))
    return perform(catalogue.find, scene, operation)


@pytest.mark.parametrize("difference", [-20.0, -60.0])
def test_a_fatty_liver_loses_what_was_asked_for_and_nothing_else_changes(case, difference):
    after, _ = done(case, "fatty_liver", "liver", difference=difference)
    liver = case.labels == LABEL_OF["liver"]
    assert np.median(after.case.hu[liver]) - np.median(case.hu[liver]) == pytest.approx(difference, abs=5)
    assert np.array_equal(after.case.labels, case.labels)
    far = ~ndimage.binary_dilation(liver, iterations=2)
    assert np.array_equal(after.case.hu[far], case.hu[far])


def test_vessels_keep_their_hu_in_a_fatty_liver_only_if_asked_for(case):
    liver = case.labels == LABEL_OF["liver"]
    smooth = ndimage.gaussian_filter(case.hu.astype(float), (0, 0.4, 0.4))
    vessels = ndimage.binary_erosion(liver) & (smooth > np.median(case.hu[liver]) + 35)
    assert vessels.sum() > 50
    lost = [np.median(case.hu[vessels] - done(case, "fatty_liver", "liver", difference=-50.0, vessels_kept=kept)[0]
                      .case.hu[vessels]) for kept in (1.0, 0.0)]
    assert lost[0] < 12 and lost[1] > 40


def test_patterns_of_a_fatty_liver_differ_in_how_much_they_spare(case):
    liver = ndimage.binary_erosion(case.labels == LABEL_OF["liver"], iterations=2)
    spared = {}
    for pattern in ("diffuse", "geographic", "sparing"):
        after, _ = done(case, "fatty_liver", "liver", pattern=pattern, difference=-60.0, vessels_kept=0.0)
        change = after.case.hu - case.hu
        spared[pattern] = np.mean(change[liver] > -30)
    assert spared["diffuse"] < 0.03 < spared["sparing"] < 0.45 < 0.9
    assert 0.2 < spared["geographic"] < 0.8 and spared["geographic"] > spared["sparing"]
