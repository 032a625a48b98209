import csv
import io
import json
from dataclasses import replace

import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.evaluation.rows import read_evaluation, to_csv, to_json

from .conftest import make_evaluation


def test_json_comes_back_as_it_was(tmp_path):
    evaluation = replace(make_evaluation(seconds=3.0), notes=("é",))
    path = tmp_path / "scores.json"
    path.write_text(to_json(evaluation), encoding="utf-8")
    assert read_evaluation(path) == evaluation


@pytest.mark.parametrize("kind", ["manual", "silver", "synthetic", "unstated"])
def test_the_kind_of_reference_is_in_both_files(kind):
    evaluation = make_evaluation(kind=kind, seconds=2.0)
    assert json.loads(to_json(evaluation))["reference_kind"] == kind
    rows = list(csv.DictReader(io.StringIO(to_csv(evaluation))))
    assert len(rows) == 16 and {row["reference_kind"] for row in rows} == {kind}
    assert rows[0]["organ"] == "liver" and float(rows[0]["dice"]) == 0.95 and float(rows[0]["seconds"]) == 2.0


def test_a_figure_that_is_not_defined_is_left_out():
    evaluation = make_evaluation()
    first = replace(evaluation.scores[0], nsd=None)
    evaluation = replace(evaluation, scores=(first, *evaluation.scores[1:]))
    assert "case_0" not in evaluation.values("nsd", "liver")
    assert evaluation.case_means("nsd")["case_0"] == pytest.approx((0.75 + 0.70 + 0.65) / 3)
    assert list(csv.DictReader(io.StringIO(to_csv(evaluation))))[0]["nsd"] == ""
    assert json.loads(to_json(evaluation))["scores"][0]["nsd"] is None


@pytest.mark.parametrize("text", ["", "{}", "[]", "{\"schema_version\": 99}", "no json"])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / "scores.json"
    path.write_text(text)
    with pytest.raises(FlareSegError, match="no JSON file of flareseg evaluate"):
        read_evaluation(path)
    with pytest.raises(FlareSegError, match="does not exist"):
        read_evaluation(tmp_path / "none.json")
