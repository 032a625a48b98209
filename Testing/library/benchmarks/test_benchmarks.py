"""What the benchmarks work out from their figures; how long anything takes is measured on demand only."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Return a function that loads a script of Testing/benchmarks, which import one another by name."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def load(name):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    return load


def run_of(seconds: dict[str, float], threads: int = 2) -> dict:
    return {"variants": {name: {"seconds": value} for name, value in seconds.items()}, "size": (512, 512, 93),
            "threads": threads, "machine": {"CPU": "some"}, "load_average": 0.1}


def test_a_run_is_compared_with_the_recorded_ratios(script, tmp_path):
    recorded, file = script("recorded"), tmp_path / "recorded.json"
    recorded.write(run_of({"ours": 10, "theirs": 150}), "theirs", file)
    before = recorded.read(file)
    assert json.loads(file.read_text())["ratios"] == {"ours": 15.0}
    assert recorded.compare(run_of({"ours": 21, "theirs": 300}), "theirs", before)[1], "a slower machine"
    lines, well = recorded.compare(run_of({"ours": 14, "theirs": 150}), "theirs", before)
    assert not well and "**regression**" in lines[0]


def test_runs_under_other_conditions_are_not_compared(script, tmp_path):
    recorded, file = script("recorded"), tmp_path / "recorded.json"
    recorded.write(run_of({"ours": 10, "theirs": 150}), "theirs", file)
    lines, well = recorded.compare(run_of({"ours": 90, "theirs": 150}, threads=1), "theirs", recorded.read(file))
    assert well and "Not compared" in lines[0]
    assert recorded.compare(run_of({"ours": 90}), "theirs", None)[1]


def test_the_peak_counts_multiply_adds_twice_and_takes_the_best_product(script, monkeypatch):
    peak, done = script("peak"), []

    def one_second(work, tries):
        done.append(work())
        return 1.0

    monkeypatch.setattr(peak, "_shortest", one_second)
    assert peak.peak_gflops("bfloat16", matrix=4, convolutions=((8, 16),)) == pytest.approx(2e-9 * 9 * 64 * 256)
    assert [tuple(result.shape) for result in done] == [(4, 4), (1, 8, 16, 16)]


def test_scaling_curves_reach_from_end_to_end(script, tmp_path):
    scaling = script("scaling")
    found = scaling.points(threads=6, most_slices=800)
    assert [point.slices for point in found if point.curve == "slices"] == [50, 100, 200, 400, 800]
    assert [point.x for point in found if point.curve == "threads"] == [1, 2, 4, 6]
    spaced = [point for point in found if point.curve == "spacing"]
    assert all(abs(point.slices * point.spacing_mm - 200) < point.spacing_mm for point in spaced)
    figures = [{"curve": point.curve, "x": point.x, "seconds": 0.1 * point.slices / point.threads} for point in found]
    scaling.plot(figures, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000
