"""Haemangiomas fill from their rim."""

import numpy as np
import pytest

from FlareSegLib.disease.catalogue import find
from FlareSegLib.disease.catalogue.haemangioma import Haemangioma, vessel_hu
from FlareSegLib.disease.operation import apply, draw
from FlareSegLib.disease.scene import Scene


def done(case, parameters, phase="portal", seed=0):
    scene = Scene(case, {"phase": phase})
    operation = draw(find("haemangioma"), scene, "liver", np.random.default_rng(seed), parameters)
    return scene, operation, apply(find("haemangioma"), scene, operation)


def away(case, operation, change):
    index = np.argwhere(np.ones(change.hu.shape, bool)) + [part.start for part in change.box]
    return np.linalg.norm(case.grid.point_of(index) - operation.centre, axis=1).reshape(change.hu.shape)


def test_its_rim_is_brighter_than_its_core_and_broken(case):
    scene, operation, change = done(case, Haemangioma(60.0, nodularity=0.6, mass_effect=0.0))
    far, lesion = away(case, operation, change), change.cover > 0.9
    rim, median = change.wanted[lesion & (far > 20)], scene.organ("liver").median
    assert np.median(change.wanted[lesion & (far < 8)]) == pytest.approx(median - 50, abs=3)
    assert np.quantile(rim, 0.85) > median + 20 and np.quantile(rim, 0.1) < median - 20


def test_the_later_the_more_is_filled(case):
    bright = [np.mean(change.wanted[change.cover > 0.9] > scene.organ("liver").median + 5) for scene, _, change in
              (done(case, Haemangioma(60.0), phase) for phase in ("native", "arterial", "portal", "excretory"))]
    assert bright[0] == 0 and bright[0] < bright[1] < bright[2] < bright[3] == 1


def test_without_contrast_it_is_a_little_darker(case):
    scene, _, change = done(case, Haemangioma(40.0), "native")
    assert np.allclose(change.wanted[change.cover > 0], scene.organ("liver").median - 15)


def test_vessels_are_brighter_than_their_organ(case):
    assert vessel_hu(Scene(case), "liver") > Scene(case).organ("liver").median + 10
