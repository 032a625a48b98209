import dataclasses
import json

import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.inference.segmentation import Segmentation
from FlareSegLib.results.measurements import measure
from FlareSegLib.results.plausibility import plausibility_warnings
from FlareSegLib.results.report import organ_table, report_dict, write_report


@pytest.fixture
def result(abdomen):
    case = abdomen(missing=(3,))
    segmentation = Segmentation(label_map=case.label_map, organs=case.organs, model="flareseg-lite 0.2.0",
                                device="cpu", precision="float32", slices_run=93, seconds=12.34567,
                                peak_memory_mb=812.3456, notes=("The graphics card ran out of memory.",))
    measurements = measure(case.ct, case.label_map, case.organs)
    return segmentation, measurements, plausibility_warnings(measurements, case.ct)


def test_report_says_everything_and_comes_back(result, tmp_path):
    segmentation, measurements, warnings = result
    path = tmp_path / "Bericht é.json"
    write_report(path, report_dict(*result))
    report = json.loads(path.read_text(encoding="utf-8"))
    assert report["schema_version"] == 1
    assert (report["model"], report["device"], report["precision"]) == ("flareseg-lite 0.2.0", "cpu", "float32")
    assert report["geometry"]["size"] == [80, 60, 40]
    assert report["geometry"]["spacing_mm"] == [2.0, 2.5, 4.0]
    assert [organ["name"] for organ in report["organs"]] == ["liver", "kidney", "spleen", "pancreas"]
    assert report["organs"][0]["volume_ml"] == pytest.approx(252.0)
    assert report["organs"][2]["mean_hu"] is None
    assert tuple(report["warnings"]) == warnings
    assert (report["slices_run"], report["seconds"], report["peak_memory_mb"]) == (93, 12.346, 812.3)


def test_report_names_no_file_unasked(result):
    assert "file" not in report_dict(*result)
    assert report_dict(*result, file_name="ct.nii.gz")["file"] == "ct.nii.gz"


def test_report_is_json_and_kept(result, tmp_path):
    write_report(tmp_path / "a.json", report_dict(*result))
    for name, code in (("a.json", "output_exists"), ("a.txt", "bad_option")):
        with pytest.raises(FlareSegError) as excinfo:
            write_report(tmp_path / name, report_dict(*result))
        assert excinfo.value.code == code


def test_table_is_aligned_and_complete(result):
    segmentation, measurements, warnings = result
    lines = organ_table(segmentation, measurements, warnings).splitlines()
    table = lines[:6]
    assert len({len(line) for line in table}) == 1
    assert table[0].split() == ["organ", "volume", "ml", "mean", "HU"]
    assert table[2].split() == ["liver", "252.0", "60"]
    assert table[4].split() == ["spleen", "not", "found", "-"]
    assert all(any(warning in line for line in lines) for warning in (*warnings, *segmentation.notes))
    assert all(word in lines[-1] for word in ("93 slices", "12.3 s", "812 MB", "cpu", "float32"))


def test_table_without_remarks_has_none(result):
    segmentation, measurements, _ = result
    table = organ_table(dataclasses.replace(segmentation, notes=()), measurements, ())
    assert "!" not in table and "\n\n\n" not in table


def test_unknown_memory_is_said_to_be_unknown(result, tmp_path):
    segmentation, measurements, warnings = result
    untold = dataclasses.replace(segmentation, peak_memory_mb=float("nan"))
    assert report_dict(untold, measurements, warnings)["peak_memory_mb"] is None
    write_report(tmp_path / "a.json", report_dict(untold, measurements, warnings))
    assert "peak memory unknown" in organ_table(untold, measurements, warnings)
