import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.evaluation.rules import FLARE21, FLARE22, LABEL_SCHEMES, chosen_organs, label_scheme
from FlareSegLib.organs import FLARE_ORGANS


def test_flare21_scores_every_organ_at_1_mm():
    assert {FLARE21.tolerance_of(organ.name) for organ in FLARE_ORGANS} == {1.0}
    assert FLARE21.least_dice == 0 and not FLARE21.labelled_slices


def test_flare22_tolerances():
    """FLARE22_DSC_NSD_Eval.py, label_tolerance."""
    tolerances = [5, 3, 3, 5, 2, 2, 2, 2, 2, 3, 5, 7, 3]
    assert [FLARE22.tolerance_of(organ) for organ in list(LABEL_SCHEMES["flare22"])[:13]] == tolerances
    assert FLARE22.tolerance_of("kidney") == 3
    assert FLARE22.least_dice == 0.2


def test_label_values_are_those_of_the_library():
    assert LABEL_SCHEMES["flare21"] == {organ.name: (organ.label,) for organ in FLARE_ORGANS}


def test_flare22s_kidneys_are_joined():
    assert LABEL_SCHEMES["flare22"]["kidney"] == (2, 13)
    assert label_scheme("flare22")["left kidney"] == (13,)


@pytest.mark.parametrize("text", ["", "liver", "liver=", "liver=0", "liver=255", "liver=a", "=3", "kidney=2+",
                                  "flare23"])
def test_what_is_no_scheme(text):
    with pytest.raises(FlareSegError, match="Cannot read the label values"):
        label_scheme(text)


def test_flares_four_organs_unless_others_are_asked_for():
    both = LABEL_SCHEMES["flare22"], LABEL_SCHEMES["flare22"]
    assert chosen_organs(None, *both) == ("liver", "kidney", "spleen", "pancreas")
    assert chosen_organs("aorta, Left Kidney", *both) == ("aorta", "left kidney")
    assert chosen_organs(None, {"ureter": (1,)}, {"ureter": (2,)}) == ("ureter",)


@pytest.mark.parametrize("names", ["aorta", "", "liver,,"])
def test_organs_that_one_side_does_not_have(names):
    with pytest.raises(FlareSegError, match="No label values are known"):
        chosen_organs(names, LABEL_SCHEMES["flare21"], LABEL_SCHEMES["flare22"])
