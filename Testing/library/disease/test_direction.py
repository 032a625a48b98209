"""Lesions that run a way, and are turned by two angles."""

from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.disease.catalogue import DISEASES, find
from FlareSegLib.disease.direction import aimed, angles_of, turn_between
from FlareSegLib.disease.operation import apply, draw
from FlareSegLib.disease.scene import Scene
from FlareSegLib.errors import FlareSegError

angles = st.tuples(st.floats(-179, 179), st.floats(-89, 89))
#: Name, organ, and parameters with which the lesion is clearly longer than wide.
DIRECTED = {"infarct": ("spleen", {"depth": 40.0, "angle": 25.0}),
            "laceration": ("liver", {"length": 60.0, "branches": 0}), "stent": ("pancreas", {"length": 60.0}),
            "stone": ("kidney", {"diameter": 24.0, "elongation": 2.0}),
            "calcification": ("spleen", {"diameter": 24.0, "elongation": 2.0})}


def unit(azimuth, elevation):
    return aimed((1.0, 0.0, 0.0), SimpleNamespace(azimuth=azimuth, elevation=elevation))


@given(angles)
def test_angles_of_a_direction_give_it_back(pair):
    assert angles_of(unit(*pair)) == pytest.approx(pair, abs=1e-6)


@given(angles, angles)
def test_a_turn_is_a_rotation_from_one_direction_to_the_other(one, other):
    turn = turn_between(unit(*one), unit(*other))
    assert turn @ turn.T == pytest.approx(np.eye(3), abs=1e-9) and np.linalg.det(turn) == pytest.approx(1)
    assert turn @ unit(*one) == pytest.approx(unit(*other), abs=1e-6)


@given(angles)
def test_to_and_from(pair):
    along = unit(*pair)
    assert np.array_equal(turn_between(along, along), np.eye(3))
    assert turn_between(along, -along) @ along == pytest.approx(-along)


def test_one_angle_alone_keeps_the_other():
    own = unit(30.0, 50.0)
    assert angles_of(aimed(own, SimpleNamespace(azimuth=-120.0, elevation=None))) == pytest.approx((-120, 50))
    assert angles_of(aimed(own, SimpleNamespace(azimuth=None, elevation=-5.0))) == pytest.approx((30, -5))


def test_all_diseases_with_a_direction_are_tested_here():
    assert set(DIRECTED) == {name for name, disease in DISEASES.items()
                             if {"azimuth", "elevation"} <= {field.name for field in fields(disease.parameters)}}


@pytest.fixture(params=DIRECTED)
def lesion(request, case):
    """Scene, operation and change, as the disease lies by itself."""
    organ, values = DIRECTED[request.param]
    scene, disease = Scene(case), find(request.param)
    operation = draw(disease, scene, organ, np.random.default_rng(3), disease.parameters(**values))
    return scene, operation, apply(disease, scene, operation)


def directions(case, change):
    """The way that a change says it runs, and the longest axis of its lesion."""
    pivot, tip = np.array(change.axis)
    weights = change.cover[change.cover > 0.3]
    points = case.grid.point_of(np.argwhere(change.cover > 0.3) + [part.start for part in change.box])
    spread = np.cov(points.T, aweights=weights)
    return (tip - pivot) / np.linalg.norm(tip - pivot), np.linalg.eigh(spread)[1][:, -1]


def test_it_is_turned(case, lesion):
    scene, operation, change = lesion
    own, _ = directions(case, change)
    across = np.cross(own, (0.0, 0.0, 1.0))
    wanted = own + 0.7 * across / np.linalg.norm(across)  # some 35 degrees about the body's axis
    azimuth, elevation = angles_of(wanted)
    turned = apply(find(operation.disease), scene, replace(operation, parameters=replace(
        operation.parameters, azimuth=azimuth, elevation=elevation)))
    along, longest = directions(case, turned)
    assert along == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-6)
    assert turned.axis[0] == pytest.approx(change.axis[0])
    if operation.disease != "laceration":  # a cleft, as high as it is long
        assert abs(longest @ along) > 0.9


def test_its_own_direction_said_in_angles_changes_nothing_to_speak_of(case, lesion):
    scene, operation, change = lesion
    azimuth, elevation = angles_of(np.subtract(*change.axis[::-1]))
    again = apply(find(operation.disease), scene, replace(operation, parameters=replace(
        operation.parameters, azimuth=azimuth, elevation=elevation)))
    assert again.axis[1] == pytest.approx(change.axis[1], abs=1e-6)
    # A laceration starts a little outside its organ, by as much as its unturned vector is long.
    assert np.mean(np.abs(again.hu.astype(int) - change.hu) > 1) < 0.01 if again.box == change.box else \
        operation.disease == "laceration"


@pytest.mark.parametrize("name", ["infarct", "laceration"])
def test_it_is_not_turned_out_of_its_organ(case, name):
    scene, disease = Scene(case), find(name)
    operation = draw(disease, scene, "spleen", np.random.default_rng(3), disease.parameters())
    pivot, tip = apply(disease, scene, operation).axis
    azimuth, elevation = angles_of(np.subtract(pivot, tip))
    with pytest.raises(FlareSegError, match="turned out of the spleen") as caught:
        apply(disease, scene, replace(operation, parameters=replace(operation.parameters, azimuth=azimuth,
                                                                    elevation=elevation)))
    assert caught.value.code == "disease_not_placed"
