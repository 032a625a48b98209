import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.disease.document import LARGEST_BYTES
from FlareSegLib.disease.recipe import MOST_OPERATIONS, read_recipe, recipe_from, recipe_text
from FlareSegLib.disease.simulation import simulate
from FlareSegLib.errors import FlareSegError


@pytest.fixture(scope="module")
def recipe(case, ball, little):
    return simulate(case, (ball(case), ball(case, "kidney", 4)), little).recipe("operator 7", "2026-01-31T12:00:00Z")


@pytest.fixture(scope="module")
def document(recipe):
    return json.loads(recipe_text(recipe))


def refused(document, little):
    with pytest.raises(FlareSegError) as caught:
        recipe_from(document, little)
    assert caught.value.code == "bad_recipe"
    return str(caught.value)


def test_document_and_recipe_are_one(recipe, document, little):
    again = recipe_from(document, little)
    assert again == recipe and recipe_text(again) == recipe_text(recipe)
    assert document["format"] == "flareseg-recipe" and document["version"] == 1 and document["synthetic"] is True
    assert document["operations"][0]["parameters"] == {"diameter": 30, "hu": 20}


def test_numbers_survive_exactly(recipe, document, little):
    assert recipe_from(document, little).operations[0].centre == recipe.operations[0].centre


@pytest.mark.parametrize("path, value, words", [
    (("format",), "nnunet", "recipe: format"),
    (("version",), 2, "version is 2"),
    (("synthetic",), False, "synthetic"),
    (("extra",), 1, "extra"),
    (("operations",), {}, "operations"),
    (("operations", 1, "seed"), -1, "operations[1].seed"),
    (("operations", 1, "seed"), 10**400, "operations[1].seed"),
    (("operations", 0, "seed"), True, "operations[0].seed"),
    (("operations", 0, "disease"), "plague", "plague"),
    (("operations", 0, "disease"), "balls", "operations[0]"),
    (("operations", 0, "disease"), ["ball"], "operations[0].disease"),
    (("operations", 0, "organ"), "heart", "operations[0].organ"),
    (("operations", 0, "organ"), "", "operations[0].organ is ''; it must be one of"),
    (("operations", 0, "label_rule"), "eval", "operations[0].label_rule"),
    (("operations", 0, "parameters"), {"diameter": 500}, "diameter"),
    (("operations", 0, "parameters"), {"diametre": 5}, "diametre"),
    (("operations", 0, "parameters"), {"diameter": "__import__('os')"}, "diameter"),
    (("operations", 0, "parameters"), [], "parameters"),
    (("operations", 0, "centre_lps_mm"), [0, 0], "centre_lps_mm"),
    (("operations", 0, "centre_lps_mm"), [0, 0, "0"], "centre_lps_mm"),
    (("operations", 0, "effect", "jacobian"), -1, "effect.jacobian"),
    (("source", "image_sha256"), "a" * 1000, "image_sha256"),
    (("source", "shape_kji"), [1, 2], "shape_kji"),
    (("quality", "operations"), [], "quality.operations"),
    (("operator",), "x" * 10_000, "operator"),
])
def test_a_refusal_names_the_field(document, little, path, value, words):
    document = copy.deepcopy(document)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert words in refused(document, little)


def test_what_is_missing_is_named(document, little):
    for name in document:
        if name not in ("operator", "utc"):
            less = {key: value for key, value in document.items() if key != name}
            assert name in refused(less, little)


def test_too_many_operations_are_refused(document, little):
    many = {**document, "operations": document["operations"][:1] * (MOST_OPERATIONS + 1)}
    assert "operations" in refused(many, little)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.text(max_size=5), inner, max_size=3)),
       st.data())
def test_no_junk_gets_through_but_as_a_sentence(document, little, junk, data):
    document = copy.deepcopy(document)
    place = document
    while isinstance(place, (dict, list)) and len(place):
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], (dict, list)) or data.draw(st.booleans()):
            place[key] = junk
            break
        place = place[key]
    try:
        recipe_from(document, little)
    except FlareSegError as error:
        assert error.code == "bad_recipe"


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b'{"a": NaN}', b"1" * 5000,
                                     b" " * (LARGEST_BYTES + 1)])
def test_files_that_are_no_recipes_are_refused(tmp_path, little, content):
    path = tmp_path / "recipe.json"
    path.write_bytes(content)
    with pytest.raises(FlareSegError) as caught:
        read_recipe(path, little)
    assert caught.value.code == "bad_recipe"
    with pytest.raises(FlareSegError) as caught:
        read_recipe(tmp_path / "none.json", little)
    assert caught.value.code == "not_found"
