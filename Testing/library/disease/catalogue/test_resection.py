"""Operated patients: what was cut out is gone, from image and labels, and nothing else is."""

from dataclasses import replace

import numpy as np
import pytest

from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.catalogue import find
from FlareSegLib.disease.catalogue.resection import AbsentOrgan, DistalPancreatectomy, Hepatectomy, Resection
from FlareSegLib.disease.operation import apply, draw
from FlareSegLib.disease.scene import Scene
from FlareSegLib.errors import FlareSegError


def done(case, name, organ, parameters, seed=0):
    scene = Scene(case)
    operation = draw(find(name), scene, organ, np.random.default_rng(seed), parameters)
    return scene, operation, apply(find(name), scene, operation)


def volume(scene, labels, organ):
    return np.count_nonzero(labels == LABEL_OF[organ]) * scene.case.grid.voxel_ml


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_kidney_of_one_side_is_gone_and_the_other_stays(case, side):
    scene, _, change = done(case, "absent_organ", "kidney", AbsentOrgan(side, collapse=0.3, clips=0))
    after = scene.after(change)
    pieces = {piece.side: piece.volume_ml for piece in Scene(case).pieces("kidney")}
    other = {"left": "right", "right": "left"}[side]
    assert {piece.side for piece in after.pieces("kidney")} == {other}
    assert after.organ("kidney").volume_ml == pytest.approx(pieces[other], rel=0.02)


def test_where_the_spleen_was_is_fat(case, depth_mm):
    scene, _, change = done(case, "absent_organ", "spleen", AbsentOrgan(collapse=0.0, clips=0))
    assert not (change.labels == LABEL_OF["spleen"]).any()
    inner = depth_mm(case, "spleen") > 8
    assert np.median(case.hu[inner]) > 60 and -130 < np.median(scene.after(change).case.hu[inner]) < -70
    others = case.labels[change.box] != LABEL_OF["spleen"]
    assert np.array_equal(change.labels[others], case.labels[change.box][others])


def test_neighbours_fill_the_room(case):
    """With a collapse less of the room is fat than without."""
    fat = []
    for collapse in (0.0, 0.5):
        _, _, change = done(case, "absent_organ", "spleen", AbsentOrgan(collapse=collapse, clips=0))
        was = case.labels[change.box] == LABEL_OF["spleen"]
        fat.append(np.mean(change.hu[was] < -40))
    assert fat[1] < fat[0] - 0.1


def test_bowel_lies_in_the_room(case):
    _, _, change = done(case, "absent_organ", "spleen", AbsentOrgan(infill="bowel", collapse=0.0, clips=0))
    was = case.labels[change.box] == LABEL_OF["spleen"]
    assert np.count_nonzero(change.hu[was] > 0) * case.grid.voxel_ml > 5


def test_clips_are_metal(case):
    without, clips = (done(case, "absent_organ", "kidney", AbsentOrgan(clips=count))[2].hu.astype(int)
                      for count in (0, 4))
    assert (clips - without).max() > 150


def test_a_kidney_that_is_not_there_cannot_be_taken_out(case):
    scene, _, change = done(case, "absent_organ", "kidney", AbsentOrgan("left", collapse=0.0))
    with pytest.raises(FlareSegError, match="no kidney on the left side") as error:
        done(scene.after(change).case, "absent_organ", "kidney", AbsentOrgan("left"))
    assert error.value.code == "disease_not_placed"


@pytest.mark.parametrize("organ", ["liver", "kidney", "spleen"])
def test_a_wedge_is_missing_at_its_place(case, organ):
    scene, operation, change = done(case, "resection", organ, Resection(40.0, collapse=0.0, clips=0), seed=2)
    after = scene.after(change)
    lost = volume(scene, case.labels, organ) - volume(scene, after.case.labels, organ)
    assert after.label_at(operation.centre) == 0
    assert 5 < lost < 60  # a ball of 40 mm has 33.5 ml, a part of which lies outside
    again = np.flatnonzero(after.case.labels != case.labels)
    assert set(case.labels.ravel()[again]) == {LABEL_OF[organ]}


@pytest.mark.parametrize("lobe, sign", [("left", 1), ("right", -1)])
def test_a_lobe_of_the_asked_for_share_is_missing(case, lobe, sign):
    scene, _, change = done(case, "hepatectomy", "liver", Hepatectomy(lobe, 0.3, collapse=0.0, clips=0))
    after = scene.after(change)
    assert after.organ("liver").volume_ml / scene.organ("liver").volume_ml == pytest.approx(0.7, abs=0.02)
    gone = case.grid.point_of(np.argwhere((case.labels == 1) & (after.case.labels == 0)))
    left = case.grid.point_of(np.argwhere(after.case.labels == 1))
    assert sign * (gone[:, 0].mean() - left[:, 0].mean()) > 30


def test_the_tail_of_the_pancreas_is_missing_not_its_head(case):
    scene, _, change = done(case, "distal_pancreatectomy", "pancreas", DistalPancreatectomy(0.4, collapse=0.0, clips=0))
    after = scene.after(change)
    assert after.organ("pancreas").volume_ml / scene.organ("pancreas").volume_ml == pytest.approx(0.6, abs=0.04)
    gone = case.grid.point_of(np.argwhere((case.labels == 4) & (after.case.labels == 0)))
    assert gone[:, 0].mean() > case.grid.point_of(np.argwhere(after.case.labels == 4))[:, 0].mean()


def test_collapse_takes_the_rest_of_the_organ_along_whole(case):
    """What fell in is still labelled: the liver that is left keeps its volume."""
    volumes = [done(case, "hepatectomy", "liver", replace(Hepatectomy("left", 0.3, clips=0), collapse=collapse))
               for collapse in (0.0, 0.4)]
    left = [np.count_nonzero(change.labels == 1) + np.count_nonzero(case.labels == 1)
            - np.count_nonzero(case.labels[change.box] == 1) for _, _, change in volumes]
    assert left[1] == pytest.approx(left[0], rel=0.25) and left[1] > left[0]
