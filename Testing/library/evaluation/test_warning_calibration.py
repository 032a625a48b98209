"""Warnings are counted against what they should tell, organ by organ and for the scan as a whole."""

import pytest

from FlareSegLib.evaluation import conditions, warning_calibration
from FlareSegLib.evaluation.warning_calibration import calibration, format_calibration, results

ROWS = [
    {"dice": {"liver": 0.95, "spleen": 0.5}, "warnings": {"spleen": ["volume"], "pancreas": ["missing"]}},
    {"dice": {"liver": 0.6, "spleen": 0.9}, "warnings": {"liver": ["cut off"], "spleen": ["pieces"]}},
    {"dice": {"liver": 0.3}},
]


def counts(organ, bound, signal):
    wanted = {"organ": organ, "bound": bound, "signal": signal}
    one, = (each for each in calibration(ROWS) if wanted.items() <= each.items())
    return one["bad_warned"], one["bad"], one["good_warned"], one["good"]


def test_each_organ_is_counted_with_its_own_warnings_alone():
    assert counts("spleen", 0.8, "any doubt") == (1, 1, 1, 1)
    assert counts("spleen", 0.8, "volume") == (1, 1, 0, 1)
    assert counts("liver", 0.8, "any doubt") == (0, 1, 0, 1), "an edge of the scan is no doubt"
    assert counts("liver", 0.8, "cut off") == (1, 1, 0, 1)


def test_a_scan_is_as_good_as_the_mean_of_its_organs_and_has_all_their_warnings():
    assert results(ROWS)["whole scan"] == [(0.725, frozenset({"volume"})), (0.75, frozenset({"cut off", "pieces"}))]
    assert counts("whole scan", 0.8, "any doubt") == (2, 2, 0, 0)


def test_the_table_has_shares_and_says_where_there_is_nothing_to_share():
    table = format_calibration(calibration(ROWS), ("any doubt",))
    assert "| spleen | 0.8 | any doubt | 1 of 1 (100%) | 1 of 1 (100%) |" in table
    assert "| whole scan | 0.8 | any doubt | 2 of 2 (100%) | none there |" in table
    assert "cut off" not in table


@pytest.mark.parametrize("script", [warning_calibration.main, conditions.main])
def test_files_that_hold_no_rows_get_one_sentence_and_are_kept(script, tmp_path, capsys):
    file = tmp_path / "rows.json"
    file.write_text('{"dice": 1}', "utf-8")
    with pytest.raises(SystemExit):
        script([str(file)] if script is warning_calibration.main else [str(tmp_path)] * 2 + ["--json", str(file)])
    told = capsys.readouterr().err
    assert "holds no rows" in told and len(told.splitlines()) == 1 and file.read_text("utf-8") == '{"dice": 1}'
