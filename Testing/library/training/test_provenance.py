"""A training set tells what was trained on and under which terms; nothing of unknown terms passes."""

import json
from dataclasses import replace

import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.training.provenance import begun_with, licence_sentence, training_data
from FlareSegLib.training.raw_data import find_raw_dataset
from FlareSegLib.training.starter import starter_bundle
from FlareSegLib.training.store_building import build_store
from FlareSegLib.training.synthesis.mix import SynthesisMix

ORIGINS = {
    "a": {"kind": "real", "patient": "hcctace006"},
    "b": {"kind": "transferred", "patient": "hcctace006", "target": "btcv30/label0001", "donors": ["case_00002"],
          "diseases": ["hcc"], "ignored": {"model": "some 1", "voxels": 3}},
    "c": {"kind": "synthetic", "patient": "phantom_3", "target": "btcv30/label0002",
          "donors": ["liver_1", "pancreas_1"]},
    "d": {"kind": "real", "patient": "ircad01"},
}


@pytest.fixture
def store(raw_folder, tmp_path):
    def make(origins=ORIGINS):
        folder = tmp_path / "store"
        dataset = find_raw_dataset(raw_folder())
        cases = tuple(replace(dataset.cases[0], name=name) for name in origins)
        build_store(replace(dataset, cases=cases), folder, 12.0)
        (folder / "synthesis.json").write_text(json.dumps({"mix": SynthesisMix().document}), "utf-8")
        for name, origin in origins.items():
            origin = {"weight": 1.0, "unlabelled": [], **origin}
            (folder / f"{name}.origin.json").write_text(json.dumps(origin), "utf-8")
        return folder
    return make


def test_what_was_taken_is_counted_and_what_was_left_out_is_not_named(store):
    folder = store()
    data = training_data([folder])
    assert data["cases"] == {"real": 2, "transferred": 1, "synthetic": 1}
    assert data["with_diseases"] == data["with_ignored"] == 1
    assert {each["name"]: each["cases"] for each in data["cts"]} == {"ircad01": 1, "hcctace006": 2}
    assert {each["name"]: each["cases"] for each in data["labels"]} == {
        "btcv30": 2, "kits": 1, "msd_liver": 1, "msd_pancreas": 1, "phantom": 1}
    assert "CC BY-NC-ND 3.0 (3D-IRCADb-01 case 1)" in licence_sentence(data) and "BTCV" in licence_sentence(data)
    fewer = training_data([folder], frozenset({"ircad01"}), ("real",))
    assert fewer["cases"] == {"real": 1} and fewer["labels"] == []
    assert licence_sentence(fewer) == "Free use with attribution; trained on data under CC BY 4.0."


def test_made_cases_of_two_sets_with_the_same_names_both_count_and_a_real_one_once(store):
    folder = store()
    data = training_data([folder, folder])
    assert data["cases"] == {"real": 2, "transferred": 2, "synthetic": 2}
    assert {each["name"]: each["cases"] for each in data["cts"]} == {"ircad01": 1, "hcctace006": 3}


def test_a_source_of_unknown_terms_is_refused(store):
    with pytest.raises(FlareSegError, match="somebody/1") as caught:
        training_data([store({"a": {**ORIGINS["c"], "target": "somebody/1"}})])
    assert caught.value.code == "bad_training_data"


def test_what_a_model_was_trained_on_that_a_training_went_on_from_counts_too_and_a_real_ct_once(store):
    folder = store()
    before, now = training_data([folder]), training_data([folder], frozenset({"ircad01"}))
    earlier = starter_bundle(training={"data": before, "protocol": {"steps": 70}})
    data = begun_with(replace(earlier, version="0.0.9"), now)
    assert (data["begun_with"], data["steps_before"]) == ("flareseg-lite 0.0.9", 70)
    assert data["cases"] == {"real": 2, "transferred": 2, "synthetic": 2}
    assert data["with_diseases"] == data["with_ignored"] == 2
    assert {each["name"]: each["cases"] for each in data["cts"]} == {"ircad01": 1, "hcctace006": 3}
    assert {each["name"]: each["cases"] for each in data["labels"]}["btcv30"] == 4


def test_a_model_that_does_not_tell_what_it_was_trained_on_is_refused(store):
    with pytest.raises(FlareSegError, match="does not tell"):
        begun_with(starter_bundle(), training_data([store()]))
