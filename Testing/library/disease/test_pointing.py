"""What a click means: the organ under it, or one sentence on why not there."""

from dataclasses import replace

import numpy as np
import pytest

from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.pointing import REACH_MM, organ_at, pulled_in
from FlareSegLib.disease.scene import Scene
from FlareSegLib.errors import FlareSegError


def middle(case, organ):
    inside = np.argwhere(case.labels == LABEL_OF[organ])
    return case.grid.point_of(inside[np.argmin(np.linalg.norm(inside - inside.mean(axis=0), axis=1))])


def test_the_organ_under_the_click(case, little):
    scene, ball = Scene(case), little("ball")
    assert all(organ_at(ball, scene, middle(case, organ)) == organ for organ in LABEL_OF)


def test_why_not_there(case, little):
    scene, ball = Scene(case), replace(little("ball"), organs=("kidney", "spleen"))
    fat = case.grid.point_of(np.argwhere((case.labels == 0) & (case.hu < -50) & (case.hu > -150))[0])
    for point, organ, sentence in (
            (middle(case, "liver"), "", "this is liver; choose a point in the kidney or spleen."),
            (middle(case, "spleen"), "kidney", "this is spleen; choose a point in the kidney."),
            (fat, "", "here is none of the four organs; choose"), ((9e3, 0, 0), "", "outside the scan")):
        with pytest.raises(FlareSegError, match="Ball: ") as refusal:
            organ_at(ball, scene, point, organ)
        assert refusal.value.code == "disease_not_placed" and sentence in str(refusal.value)


def test_unknown_voxels_and_missing_organs(case, little):
    labels = np.where(case.labels == LABEL_OF["liver"], 255, case.labels).astype(np.uint8)
    scene = Scene(case.with_arrays(case.hu, labels))
    with pytest.raises(FlareSegError, match="nobody knows"):
        organ_at(little("ball"), scene, middle(case, "liver"))
    with pytest.raises(FlareSegError, match="there is no liver in this case"):
        organ_at(replace(little("ball"), organs=("liver",)), scene, middle(case, "spleen"))


def test_what_may_lie_outside(case, little):
    scene = Scene(case)
    ball = replace(little("ball"), organs=("pancreas",), may_lie_outside=True)
    assert organ_at(ball, scene, middle(case, "liver")) == "pancreas"
    with pytest.raises(FlareSegError, match="outside the scan"):
        organ_at(ball, scene, (9e3, 0, 0))


def test_a_click_on_the_surface_means_the_organ(case, little):
    scene, ball = Scene(case), little("ball")
    k, j, i = np.argwhere((case.labels[:, :, :-1] == LABEL_OF["liver"]) & (case.labels[:, :, 1:] == 0))[0]
    outside = case.grid.point_of((k, j, i + 0.9))  # nearest to the voxel beyond
    pulled = pulled_in(ball, scene, outside)
    assert scene.label_at(outside) == 0 and scene.label_at(pulled) == LABEL_OF["liver"]
    assert np.linalg.norm(np.subtract(pulled, outside)) <= max(REACH_MM, *case.grid.spacing)


def test_other_points_are_not_pulled(case, little):
    scene, ball = Scene(case), little("ball")
    liver = middle(case, "liver")
    assert pulled_in(ball, scene, liver) == tuple(liver), "it is in an organ"
    assert pulled_in(ball, scene, liver, "spleen") == tuple(liver), "no spleen is near"
    assert pulled_in(replace(ball, may_lie_outside=True), scene, (9e3, 0, 0)) == pulled_in(ball, scene,
                                                                                           (9e3, 0, 0)) == (9e3, 0, 0)
