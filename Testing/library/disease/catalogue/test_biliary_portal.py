"""Trees in the liver: clots, bile, gas."""

import numpy as np
import pytest

from FlareSegLib.disease.block import PatientPoints
from FlareSegLib.disease.branching import draw_ends, portal_paths, tree
from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.catalogue import find
from FlareSegLib.disease.catalogue.biliary_portal import BiliaryDilatation, HepaticGas, PortalThrombosis
from FlareSegLib.disease.operation import apply, draw
from FlareSegLib.disease.scene import Scene


def done(case, name, parameters, seed=0):
    scene = Scene(case)
    operation = draw(find(name), scene, "liver", np.random.default_rng(seed), parameters)
    return scene, apply(find(name), scene, operation)


def test_paths_share_their_root_and_reach_their_ends(case):
    scene = Scene(case)
    ends = draw_ends(scene, 5, np.random.default_rng(1))
    paths = portal_paths(scene, ends)
    assert len({tuple(np.round(path[0])) for path in paths}) <= 2  # smoothing may move it by a part of a node
    for path, end in zip(paths, ends):
        assert np.linalg.norm(path[-1] - end) < 8
    assert np.linalg.norm(np.diff(paths[0], axis=0), axis=1).max() < 15


def test_a_path_prefers_a_vessel(case):
    """A bright detour is taken: paths run in what contrast shows."""
    hu = np.minimum(case.hu, int(Scene(case).organ("liver").median))  # no vessel shows
    scene = Scene(case.with_arrays(hu, case.labels))
    ends = draw_ends(scene, 1, np.random.default_rng(2))
    straight = portal_paths(scene, ends)[0]
    middle, hu = straight[len(straight) // 2], hu.copy()
    bypass = np.array([straight[0], middle + [0, 0, 24], straight[-1]])
    points = np.linspace(bypass[0], bypass[1], 60).tolist() + np.linspace(bypass[1], bypass[2], 60).tolist()
    for point in points:
        k, j, i = np.rint(case.grid.index_of(point)).astype(int)
        hu[max(k - 1, 0):k + 2, j - 1:j + 2, i - 1:i + 2] = 200
    along = portal_paths(Scene(case.with_arrays(hu, case.labels)), ends)[0]
    top = bypass[1]
    assert np.linalg.norm(along - top, axis=1).min() < np.linalg.norm(straight - top, axis=1).min() - 5


def test_a_tree_is_thinner_at_its_ends():
    paths = [np.array([[0.0, 0, 0], [20, 0, 0], [40, 0, 0]]), np.array([[0.0, 0, 0], [20, 0, 0], [20, 30, 0]])]
    body = tree(paths, 6.0, 0.25)
    ys = np.linspace(-10, 10, 81, dtype=np.float32)[None, :, None]

    def width(x):
        grid = PatientPoints(np.full_like(ys, x), ys, np.zeros_like(ys))
        return np.count_nonzero(body.distance(grid) < 0) * 0.25

    assert width(0.0) == pytest.approx(12, abs=1) and width(38.0) < 6


def test_clot_has_its_density_and_no_label_changes(case):
    _, change = done(case, "portal_thrombosis", PortalThrombosis(16.0, 35.0, 3))
    assert np.array_equal(change.labels, case.labels[change.box])
    core = change.cover > 0.95
    assert core.any() and np.median(change.hu[core]) == pytest.approx(35, abs=8)


def test_ducts_are_of_fluid_and_many_lie_in_the_liver(case):
    _, change = done(case, "biliary_dilatation", BiliaryDilatation(14.0, 5.0, 14))
    lesion = change.cover > 0.5
    in_liver = np.mean(change.labels[lesion] == LABEL_OF["liver"])
    core = change.cover > 0.95
    assert in_liver > 0.5 and np.median(change.hu[core]) == pytest.approx(5, abs=8)


def test_gas_lies_in_front_and_peripheral_gas_nearer_to_the_surface(case, depth_mm):
    mm = depth_mm(case, "liver")
    liver_y = np.median(case.grid.point_of(np.argwhere(case.labels == 1))[:, 1])
    deep = {}
    for where in ("bile ducts", "portal veins"):
        _, change = done(case, "hepatic_gas", HepaticGas(where, 7.0, branches=8), seed=3)
        gas = change.cover > 0.2
        assert change.hu.min() < -200
        lowered = np.argwhere(gas) + [part.start for part in change.box]
        assert np.median(case.grid.point_of(lowered)[:, 1]) < liver_y + 5
        deep[where] = float(np.nanmedian(mm[change.box][gas]))
    assert deep["portal veins"] < deep["bile ducts"]


def test_without_a_pancreas_trees_begin_at_the_liver(case):
    labels = np.where(case.labels == 4, 0, case.labels).astype(np.uint8)
    _, change = done(case.with_arrays(case.hu, labels), "portal_thrombosis", PortalThrombosis())
    assert (change.cover > 0.5).any()
