import builtins
import sys
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.errors import FlareSegError
from FlareSegLib.evaluation.resources import (
    Sampler, Usage, append_usage, gpu_memory_reader, measure, read_costs, stable_maximum)
from FlareSegLib.evaluation.rows import Cost


def test_gpu_memory_is_the_largest_value_that_more_than_2_percent_of_the_samples_have():
    assert stable_maximum([500] * 50 + [2298] * 49 + [8000]) == 2298
    assert stable_maximum([500] * 98 + [8000] * 2) == 500     # exactly 2 %: not stable
    assert stable_maximum([500] * 97 + [8000] * 3) == 8000
    assert stable_maximum([]) is None
    assert stable_maximum(list(range(100))) == 99               # nothing is stable: the maximum


@given(st.lists(st.integers(0, 5), min_size=1))
def test_equals_the_challenges_own_loop(samples):
    stable = [value for value in set(samples) if samples.count(value) > 0.02 * len(samples)]
    assert stable_maximum(samples) == max(stable)


def test_a_program_is_timed_and_sampled():
    usage = measure([sys.executable, "-c", "import time; time.sleep(0.4)"], lambda: 1234.0)
    assert 0.4 < usage.seconds < 5
    assert len(usage.samples) >= 3 and usage.gpu_mb == 1234.0
    assert usage.area_mb_s == pytest.approx(123.4 * len(usage.samples))
    assert measure([sys.executable, "-c", ""]).gpu_mb is None


def test_failures_leave_no_figure():
    with pytest.raises(FlareSegError, match="status 3") as caught:
        measure([sys.executable, "-c", "raise SystemExit(3)"])
    assert caught.value.code == "measured_failed"
    with pytest.raises(FlareSegError, match="cannot be started"):
        measure(["no-such-program-anywhere"])


def test_the_sampler_ends_with_the_work():
    with Sampler(lambda: 1.0, 0.01) as sampler:
        time.sleep(0.05)
    count = len(sampler.samples)
    time.sleep(0.05)
    assert 2 <= count == len(sampler.samples)


def test_nvml_is_asked_for_total_minus_free(monkeypatch):
    memory = SimpleNamespace(total=4096 * 2**20, free=1000 * 2**20, used=1)
    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(
        nvmlInit=lambda: None, nvmlDeviceGetHandleByIndex=lambda index: ("card", index),
        nvmlDeviceGetMemoryInfo=lambda card: memory if card == ("card", 1) else None, NVMLError=RuntimeError))
    assert gpu_memory_reader(1)() == 3096


def test_without_nvml_the_user_is_told_what_to_do(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "pynvml":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(FlareSegError, match="install nvidia-ml-py") as caught:
        gpu_memory_reader()
    assert caught.value.code == "missing_package"


def test_without_a_card_the_user_is_told_what_to_do(monkeypatch):
    def fail():
        raise RuntimeError

    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(nvmlInit=fail, NVMLError=RuntimeError))
    with pytest.raises(FlareSegError, match="card 0 cannot be read") as caught:
        gpu_memory_reader()
    assert caught.value.code == "device_unavailable"


def test_the_table_has_flares_columns_and_its_last_line_of_a_case_counts(tmp_path):
    table = tmp_path / "times.csv"
    append_usage(table, "a", Usage(9.0, (100.0, 100.0)))
    append_usage(table, "b", Usage(2.5))
    append_usage(table, "a", Usage(1.25, (200.0,)))
    assert table.read_text().splitlines()[:2] == ["name,time,gpu_memory,time_multiply_memory", "a,9.0,100.0,20.0"]
    assert read_costs(table) == (Cost("a", 1.25, 200.0), Cost("b", 2.5, None))


def test_another_table_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("case,seconds\na,1\n")
    with pytest.raises(FlareSegError, match="no table with the columns"):
        read_costs(tmp_path / "t.csv")
    with pytest.raises(FlareSegError, match="does not exist"):
        read_costs(tmp_path / "u.csv")
