import numpy as np
import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.evaluation.pairs import find_pairs
from FlareSegLib.evaluation.rules import FLARE21, FLARE21_ORGANS, FLARE22, LABEL_SCHEMES
from FlareSegLib.evaluation.scoring import score_organ, score_pairs
from FlareSegLib.volumes.volume import Volume

from .conftest import SPACING, organs, write_labels

SCHEME = LABEL_SCHEMES["flare21"]


def volume(array):
    return Volume(np.asarray(array, np.uint8), SPACING)


def score(found, truth, organ="liver", labels=((1,), (1,)), rules=FLARE21):
    return score_organ("case", organ, volume(found), volume(truth), *labels, rules)


def test_every_case_and_organ_has_a_row_with_known_figures(folders):
    calls = []
    scores = score_pairs(find_pairs(*folders)[0], FLARE21_ORGANS, SCHEME, SCHEME, FLARE21,
                         lambda *done: calls.append(done))
    assert [(row.case, row.organ) for row in scores] == [(case, organ) for case in ("case_1", "case_2")
                                                         for organ in FLARE21_ORGANS]
    assert all(row.dice == row.nsd == 1.0 for row in scores[:4])
    for row in scores[4:]:  # 6 x 6 x 6 voxels moved by one: five sixths overlap, and the surfaces are 1 mm apart
        assert row.dice == row.sensitivity == row.precision == pytest.approx(5 / 6)
        assert 0.9 < row.nsd <= 1.0
        assert row.prediction_ml == row.reference_ml == pytest.approx(0.432)
    assert calls == [(1, 2), (2, 2)]


def test_all_bad_cases_are_named_and_nothing_is_scored(folders):
    write_labels(folders[0] / "case_1.nii.gz", organs()[:5])
    write_labels(folders[0] / "case_2.nii.gz", np.full_like(organs(), 9))
    with pytest.raises(FlareSegError) as caught:
        score_pairs(find_pairs(*folders)[0], FLARE21_ORGANS, SCHEME, SCHEME, FLARE21)
    assert caught.value.code == "bad_evaluation_data"
    assert "2 of 2 cases" in str(caught.value) and "case_1: " in str(caught.value) and "case_2: " in str(caught.value)


def test_the_two_kidneys_of_flare22_are_one_organ():
    joined, apart = organs(), organs()
    apart[apart == 2] = 0
    apart[2:8, 3:6, 14:20], apart[2:8, 6:9, 14:20] = 2, 13
    assert score(joined, apart, "kidney", ((2,), (2, 13))).dice == 1.0
    assert score(joined, apart, "kidney", ((2,), (2,))).dice == pytest.approx(2 / 3)


def test_voxels_that_are_not_annotated_count_for_nothing_and_leave_no_surface():
    truth = organs()
    truth[2:8, 3:9, 3:6] = 255  # half of the liver
    row = score(organs(), truth)
    assert row.dice == 1.0 and row.nsd is None
    assert row.prediction_ml == row.reference_ml == pytest.approx(0.216)


@pytest.mark.parametrize("found, truth, value", [(0, 0, 1.0), (1, 0, 0.0), (0, 1, 0.0)])
@pytest.mark.parametrize("rules", [FLARE21, FLARE22])
def test_empty_masks(found, truth, value, rules):
    row = score(organs() * found, organs() * truth, rules=rules)
    assert row.dice == row.nsd == value


def test_flare22_counts_no_surface_below_a_dice_of_a_fifth():
    found, truth = (np.zeros((12, 30, 30), np.uint8) for _ in range(2))
    truth[2:10, 2:22, 2:22] = 1
    found[2:10, 2:5, 2:22] = found[2:10, 19:22, 2:22] = 1  # two of its walls: Dice 0.46
    assert score(found, truth, rules=FLARE22).nsd > 0.5
    found[:] = 0
    found[2:10, 2:4, 2:22] = 1
    assert score(found, truth, rules=FLARE22).dice < 0.2
    assert score(found, truth, rules=FLARE22).nsd == 0.0 < score(found, truth).nsd


def test_flare22_scores_vessels_between_the_first_and_the_last_labelled_slice():
    """Its code leaves the last labelled slice out, too (range up to the highest index)."""
    found, truth = (np.zeros((12, 9, 9), np.uint8) for _ in range(2))
    truth[4:8, 3:6, 3:6] = 1
    found[0:7, 3:6, 3:6] = 1  # goes on below, misses slice 7
    assert score(found, truth, "aorta", rules=FLARE22).dice == 1.0
    assert score(found, truth, "aorta", rules=FLARE21).dice == pytest.approx(2 * 3 / 11)
    assert score(found, truth, "liver", rules=FLARE22).dice == pytest.approx(2 * 3 / 11)
