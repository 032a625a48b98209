"""Hydronephrosis: the collecting system is fluid and background, grows with its grade, and thins the parenchyma."""

import numpy as np
import pytest
from scipy import ndimage

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.catalogue.hydronephrosis import Hydronephrosis
from FlareSegLib.disease.operation import JOIN, apply, draw
from FlareSegLib.disease.scene import Scene

DISEASE = catalogue.find("hydronephrosis")
KIDNEY = LABEL_OF["kidney"]


@pytest.fixture(scope="module")
def scene(case):
    return Scene(case)


def edit(scene, seed=1, label_rule=None, **parameters):
    operation = draw(DISEASE, scene, "kidney", np.random.default_rng(seed), Hydronephrosis(**parameters), label_rule)
    return operation, apply(DISEASE, scene, operation)


def fluid_ml(case, change):
    return np.count_nonzero(change.cover >= 0.5) * case.grid.voxel_ml


def test_the_pelvis_is_fluid_and_background(scene):
    _, change = edit(scene, grade=3)
    inside = change.cover >= 0.5
    assert (change.labels[inside] == 0).all()
    assert np.median(change.hu[change.cover > 0.97]) == pytest.approx(5, abs=5)


def test_joined_the_pelvis_is_kidney(scene):
    _, change = edit(scene, label_rule=JOIN, grade=3)
    assert (change.labels[change.cover >= 0.5] == KIDNEY).all()


def test_higher_grades_hold_more_fluid_and_leave_less_kidney(scene, case):
    changes = [edit(scene, grade=grade)[1] for grade in (1, 2, 3, 4)]
    fluid = [fluid_ml(case, change) for change in changes]
    assert fluid == sorted(fluid) and fluid[3] > 8 * max(fluid[0], 1)
    lost = [np.count_nonzero(case.labels[c.box] == KIDNEY) - np.count_nonzero(c.labels == KIDNEY) for c in changes]
    assert lost[3] > lost[1] and lost[3] * case.grid.voxel_ml > 5


def test_parenchyma_is_left_over_the_calyces(scene, case):
    _, change = edit(scene, grade=4, parenchyma=12.0, pelvis=40.0, ureter=0.0)
    _, thin = edit(scene, grade=4, parenchyma=3.0, pelvis=40.0, ureter=0.0)
    assert fluid_ml(case, change) < fluid_ml(case, thin)
    kidney = [np.count_nonzero(one.labels == KIDNEY) for one in (change, thin)]
    assert kidney[0] > 1.05 * kidney[1]


@pytest.mark.parametrize("seed", range(4))
def test_the_fluid_lies_at_the_hilum_of_the_kidney_chosen(scene, case, seed):
    operation, change = edit(scene, seed, grade=3, ureter=0.0)
    index = np.argwhere(change.cover >= 0.5) + [part.start for part in change.box]
    points = case.grid.point_of(index)
    piece = min(scene.pieces("kidney"), key=lambda piece: np.linalg.norm(np.subtract(piece.centre, operation.centre)))
    assert np.linalg.norm(points.mean(axis=0) - piece.centre) < 30
    medial = 1 if piece.centre[0] < scene.middle_x else -1
    assert medial * (points[:, 0].mean() - piece.centre[0]) > 0
    parts, _ = ndimage.label(change.cover >= 0.4)
    assert np.bincount(parts.ravel())[1:].max() > 0.8 * np.count_nonzero(parts), "one connected system"


def test_neighbours_keep_their_volume(scene, case):
    _, change = edit(scene, grade=4)
    for label in (1, 3, 4):
        before, after = (np.count_nonzero(labels == label) for labels in (case.labels[change.box], change.labels))
        assert after == pytest.approx(before, rel=0.1, abs=20)


def test_the_ureter_runs_down(scene, case):
    low = []
    for width in (0.0, 0.4):
        _, change = edit(scene, grade=3, ureter=width)
        index = np.argwhere(change.cover >= 0.4) + [part.start for part in change.box]
        low.append(case.grid.point_of(index)[:, 2].min())
    assert low[1] < low[0] - 15
