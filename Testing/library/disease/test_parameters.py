from dataclasses import asdict, dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.disease.parameters import check, choice, from_json, jittered, meanings, quantity, sample, switch
from FlareSegLib.errors import FlareSegError


@dataclass(frozen=True)
class Lesion:
    diameter: float = quantity(25, 5, 120, "mm", "Diameter", usual=(10, 60), skewed=True)
    count: int = quantity(2, 1, 9, "", "Number", whole=True)
    difference: float | None = quantity(None, -80, 80, "HU", "Difference")
    kind: str = choice("solid", ("solid", "cystic"), "Kind")
    capsule: bool = switch(False, "Capsule")


@given(st.integers(0, 2**32))
def test_the_prior_stays_in_its_usual_range_and_is_accepted(seed):
    drawn = sample(Lesion, np.random.default_rng(seed))
    check("lesion", drawn)
    assert 10 <= drawn.diameter <= 60 and isinstance(drawn.count, int) and drawn.difference is None


@given(st.floats(5, 120), st.integers(0, 1000))
def test_jitter_stays_near_and_in_range(diameter, seed):
    near = jittered(Lesion(diameter), np.random.default_rng(seed), 0.2)
    check("lesion", near)
    assert abs(near.diameter - diameter) <= 0.2 * diameter + 1e-9
    assert (near.kind, near.count) == ("solid", 2)


@pytest.mark.parametrize(("values", "sentence"), [
    ({"diameter": 500}, "lesion: diameter is 500 mm; choose 5 to 120 mm."),
    ({"diameter": float("nan")}, "lesion: diameter is nan, which is no number."),
    ({"diameter": True}, "lesion: diameter is True, which is no number."),
    ({"diameter": None}, "lesion: diameter is None, which is no number."),
    ({"count": 2.5}, "lesion: count is 2.5, which is no whole number."),
    ({"kind": "gas"}, "lesion: kind is 'gas'; choose solid, cystic."),
    ({"capsule": 1}, "lesion: capsule is 1; choose False, True."),
    ({"size": 3}, "lesion: there is no parameter 'size'; it has diameter, count, difference, kind, capsule."),
    ([1], "lesion: the parameters are a list, no object."),
])
def test_wrong_parameters_are_named_with_their_range(values, sentence):
    with pytest.raises(FlareSegError) as error:
        from_json("lesion", Lesion, values)
    assert (str(error.value), error.value.code) == (sentence, "bad_disease_parameter")


def test_json_gives_the_same_parameters_back():
    drawn = sample(Lesion, np.random.default_rng(3))
    assert from_json("lesion", Lesion, asdict(drawn)) == drawn


def test_an_automatic_value_may_be_left_open_or_given():
    assert meanings(Lesion)["difference"].fault(None) == "" and meanings(Lesion)["difference"].fault(-20) == ""
