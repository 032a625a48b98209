import json
from collections import Counter

import numpy as np
import pytest

from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.mix import Entry, Mix, default_mix, draw_operations, mix_from, mix_text, read_mix
from FlareSegLib.disease.simulation import ready_scene
from FlareSegLib.errors import FlareSegError


@pytest.fixture(scope="module")
def scene(case):
    return ready_scene(case)


def draw(mix, scene, find, seed=0):
    return draw_operations(mix, scene, np.random.default_rng(seed), find)


def test_draws_are_a_function_of_the_seed(scene, little):
    mix = Mix((Entry("ball", 1, count=(1, 3)), Entry("balls", 1)), (1, 2))
    assert draw(mix, scene, little, 3) == draw(mix, scene, little, 3)
    assert len({draw(mix, scene, little, seed) for seed in range(5)}) == 5


def test_weights_and_counts_hold(scene, little):
    mix = Mix((Entry("ball", 3, "spleen", (2, 2), (("hu", 33.0),)), Entry("balls", 1)), (1, 1))
    drawn = [draw(mix, scene, little, seed) for seed in range(60)]
    kinds = Counter(operations[0].disease for operations in drawn)
    assert 30 < kinds["ball"] < 57
    for operations in drawn:
        if operations[0].disease == "ball":
            assert len(operations) == 2
            for operation in operations:
                assert operation.organ == "spleen" and operation.parameters.hu == 33.0
                assert scene.label_at(operation.centre) == LABEL_OF["spleen"]


def test_what_finds_no_room_is_replaced(scene, little):
    mix = Mix((Entry("nowhere", 1000), Entry("ball", 1)), (1, 1))
    assert [operation.disease for operation in draw(mix, scene, little)] == ["ball"]
    with pytest.raises(FlareSegError) as caught:
        draw(Mix((Entry("nowhere", 1),)), scene, little)
    assert caught.value.code == "disease_not_placed"


def test_a_missing_organ_is_never_drawn(case, little):
    labels = np.where(case.labels == LABEL_OF["liver"], case.labels, 0).astype(np.uint8)
    scene = ready_scene(case.with_arrays(case.hu, labels))
    mix = Mix((Entry("ball", 1), Entry("ball", 5, "spleen")), (1, 1))
    assert {draw(mix, scene, little, seed)[0].organ for seed in range(10)} == {"liver"}


def test_document_and_mix_are_one(little):
    mix = Mix((Entry("ball", 2.5, "liver", (1, 4), (("diameter", 25.0),)), Entry("balls", 0.0)), (1, 3))
    assert mix_from(json.loads(mix_text(mix)), little) == mix


@pytest.mark.parametrize("change, words", [
    ({"entries": [{"disease": "plague", "weight": 1}]}, "plague"),
    ({"entries": [{"disease": "ball", "weight": -1}]}, "entries[0].weight"),
    ({"entries": [{"disease": "ball", "weight": 0}]}, "entries"),
    ({"entries": []}, "entries"),
    ({"entries": [{"disease": "ball", "weight": 1, "organ": "heart"}]}, "entries[0].organ"),
    ({"entries": [{"disease": "ball", "weight": 1, "count": [3, 1]}]}, "count"),
    ({"entries": [{"disease": "ball", "weight": 1, "count": 3}]}, "count"),
    ({"entries": [{"disease": "ball", "weight": 1, "parameters": {"diameter": 1e9}}]}, "diameter"),
    ({"diseases_per_case": [0, 1]}, "diseases_per_case"),
    ({"diseases_per_case": 2}, "diseases_per_case is 2; it must be a pair of whole numbers"),
    ({"diseases_per_case": [1, 2, 3]}, "diseases_per_case is a list; it must be a pair"),
    ({"format": "flareseg-recipe"}, "format"),
    ({"version": 9}, "version"),
    ({"more": 1}, "more"),
])
def test_a_refusal_names_the_field(tmp_path, little, change, words):
    document = {"format": "flareseg-mix", "version": 1, "entries": [{"disease": "ball", "weight": 1}], **change}
    path = tmp_path / "mix.json"
    path.write_text(json.dumps(document))
    with pytest.raises(FlareSegError) as caught:
        read_mix(path, little)
    assert caught.value.code == "bad_recipe" and words in str(caught.value)


def test_a_slip_in_an_edited_mix_is_found_by_its_line(tmp_path, little):
    path = tmp_path / "mix.json"
    path.write_bytes(b'\xef\xbb\xbf{"version": 1,\n "entries": []}')  # with the mark that some editors write
    with pytest.raises(FlareSegError, match="format is missing; it must be 'flareseg-mix'"):
        read_mix(path, little)
    path.write_text('{"format": "flareseg-mix",\n "version": 1,\n}')
    with pytest.raises(FlareSegError, match="no JSON document: look at line"):
        read_mix(path, little)


def test_the_default_mix_has_what_the_catalogue_has():
    mix = default_mix({"renal_cyst", "hypo_metastases"})
    assert {entry.disease for entry in mix.entries} == {"renal_cyst", "hypo_metastases"}
