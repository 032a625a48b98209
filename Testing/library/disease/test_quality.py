from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from FlareSegLib.disease.block import Change
from FlareSegLib.disease.case import LABEL_OF, Case, Grid
from FlareSegLib.disease.operation import BACKGROUND, KEEP, Operation, apply
from FlareSegLib.disease.quality import Finding, Verdict, contrast, edge_sigma, hardness, judge_case, judge_operation
from FlareSegLib.disease.scene import Scene
from FlareSegLib.disease.simulation import simulate

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def noisy_case():
    """A liver of 110 HU with noise of 12 HU like a CT's, on a fine grid."""
    shape, spacing = (24, 120, 120), (0.8, 0.8, 2.5)
    labels = np.zeros(shape, np.uint8)
    labels[2:-2, 15:-15, 15:-15] = 1
    noise = ndimage.gaussian_filter(RNG.standard_normal(shape), (0, 0.8, 0.8))
    hu = np.where(labels == 1, 110.0, -90.0) + 12 * noise / noise.std()
    grid = Grid(shape, spacing, (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    return Case(np.rint(hu).astype(np.int16), labels, grid)


@pytest.fixture(scope="module")
def lesion(noisy_case, ball, little):
    scene = Scene(noisy_case)
    operation = ball(noisy_case, hu=20.0, diameter=30.0)
    return scene, operation, apply(little("ball"), scene, operation)


def named(findings):
    return {finding.name: finding for finding in findings}


def changed(change, hu):
    return replace(change, hu=np.rint(hu).astype(np.int16))


def test_a_sound_lesion_passes(lesion):
    findings = named(judge_operation(*lesion))
    assert all(finding.passed and finding.value is not None for finding in findings.values()), findings


def test_contrast_is_what_was_asked_for(lesion):
    scene, operation, change = lesion
    found = contrast(scene, operation, change)
    assert found.requested == pytest.approx(20 - 110, abs=1.5) and found.achieved == pytest.approx(found.requested,
                                                                                                   abs=1)


@pytest.mark.parametrize("shift, passes", [(4, True), (8, False), (-8, False)])
def test_a_wrong_contrast_is_found(lesion, shift, passes):
    scene, operation, change = lesion
    off = changed(change, change.hu + shift * (change.cover > 0.5))
    assert named(judge_operation(scene, operation, off))["contrast error"].passed == passes


@pytest.mark.parametrize("factor, passes", [(0.0, False), (0.6, False), (1.0, True), (1.6, False)])
def test_a_wrong_noise_is_found(lesion, factor, passes):
    scene, operation, change = lesion
    core = change.cover > 0.9
    hu = np.where(core, change.wanted + factor * (change.hu - change.wanted), change.hu)
    assert named(judge_operation(scene, operation, changed(change, hu)))["noise ratio"].passed == passes


def test_an_edge_sharper_than_the_scan_is_found(lesion):
    scene, operation, change = lesion
    sharp = replace(change, cover=(change.cover > 0.5).astype(np.float32))
    assert not named(judge_operation(scene, operation, sharp))["edge width"].passed
    soft = replace(change, cover=ndimage.gaussian_filter(change.cover, (0, 2, 2)))
    assert named(judge_operation(scene, operation, soft))["edge width"].passed


@pytest.mark.parametrize("sigma", [0.6, 0.9, 1.5, 3.0])
@pytest.mark.parametrize("pixel", [0.5, 0.8])
def test_edges_are_measured_in_mm(sigma, pixel):
    n = int(60 / pixel)
    places = (np.arange(n * 4) + 0.5) / 4 - n / 2
    disc = (np.hypot(places[:, None], places) * pixel < 20).astype(np.float32)
    disc = ndimage.gaussian_filter(disc, 4 * sigma / pixel).reshape(n, 4, n, 4).mean(axis=(1, 3))
    cover = np.repeat(disc[None], 4, axis=0)
    assert edge_sigma(cover, (pixel, pixel, 5.0)) == pytest.approx(np.hypot(sigma, pixel / np.sqrt(12)), rel=0.08)


def test_a_fold_is_found(lesion):
    scene, operation, change = lesion
    assert not named(judge_operation(scene, operation, replace(change, jacobian=0.0)))["smallest jacobian"].passed


def test_changes_without_a_lesion_have_nothing_to_measure(lesion):
    scene, operation, change = lesion
    findings = named(judge_operation(scene, operation, replace(change, cover=None, wanted=None)))
    assert findings["contrast error"].value is None and all(finding.passed for finding in findings.values())


def test_the_whole_case_is_judged(case, ball, little):
    operation = ball(case)
    after = simulate(case, (operation,), little).case
    box = apply(little("ball"), Scene(case), operation).box
    assert all(finding.passed for finding in judge_case(case, after, [operation], [box]))

    hu, labels = after.hu.copy(), after.labels.copy()
    hu[0, 0, 0] += 1
    assert failed(case, after.with_arrays(hu, labels), [operation], [box]) == {"voxels changed elsewhere"}
    labels[box] = 7
    assert "voxels of strange labels" in failed(case, after.with_arrays(after.hu, labels), [operation], [box])
    labels = after.labels.copy()
    labels[0, 0, 0] = 255
    assert "voxels of unknown organ changed" in failed(case, after.with_arrays(after.hu, labels), [operation],
                                                       [case.grid.whole])


def failed(before, after, operations, boxes):
    return {finding.name for finding in judge_case(before, after, operations, boxes) if not finding.passed}


def test_an_organ_may_go_only_when_it_is_removed(case, little):
    labels = np.where(case.labels == LABEL_OF["spleen"], 0, case.labels).astype(np.uint8)
    after, whole = case.with_arrays(case.hu, labels), [case.grid.whole]
    operation = Operation("removal", "spleen", None, None, 0, BACKGROUND)
    assert failed(case, after, [replace(operation, label_rule=KEEP)], whole) == {"organs lost"}
    assert failed(case, after, [operation], whole) == set()


def test_an_organ_in_crumbs_is_found(case):
    labels = case.labels.copy()
    liver = labels == LABEL_OF["liver"]
    labels[liver & (np.indices(labels.shape)[0] // 2 % 2 == 0)] = 0
    assert failed(case, case.with_arrays(case.hu, labels), [], [case.grid.whole]) == {"new pieces of an organ"}


def test_hardness_is_the_share_that_a_model_still_calls_its_organ():
    box = (slice(1, 3), slice(0, 2), slice(0, 2))
    cover = np.array([[[1, 1], [1, 0]], [[0.6, 0.4], [0, 0]]], np.float32)
    change = Change(box, np.zeros((2, 2, 2), np.int16), np.ones((2, 2, 2), np.uint8), cover, cover)
    predicted = np.zeros((4, 3, 3), np.uint8)
    predicted[1, 0, :2] = 1
    assert hardness(change, predicted) == 0.5
    assert hardness(replace(change, labels=np.zeros((2, 2, 2), np.uint8)), predicted) is None
    assert hardness(replace(change, cover=None), predicted) is None


def test_verdicts_say_what_is_wrong():
    verdict = Verdict(((Finding("contrast error", 7.0, -5.0, 5.0), Finding("edge width", None, 0.75)),),
                      (Finding("organs lost", 0.0, 0.0, 0.0),))
    assert not verdict.passed
    assert verdict.faults == ("operation 1: contrast error is 7, accepted are -5 to 5",)
