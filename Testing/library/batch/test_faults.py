"""Whatever dies: every case ends exactly once, and the files are those of a run that nothing disturbed."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import psutil
import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.worker.client import worker_environment

from .conftest import BAD, CASES, hidden, lines, results

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at Linux' process tree")

COMMAND = [sys.executable, "-c", "import sys; from FlareSegLib.cli.main import main; sys.exit(main())", "batch"]


class Killer:
    """Progress of a batch that kills workers of it, one for every fourth case that ends, at any moment."""

    def __init__(self):
        self._draw = random.Random(0)
        self._started = time.monotonic()
        self._timers = []
        self.killed = 0

    def __call__(self, done, total):
        if done and self._draw.random() < 0.25:
            usual = (time.monotonic() - self._started) / done
            self._timers.append(threading.Timer(self._draw.uniform(0, 2 * usual), self._kill))
            self._timers[-1].start()

    def _kill(self):
        servers = psutil.Process().children()
        workers = [worker for server in servers for worker in server.children()]
        if workers:
            self._draw.choice(workers).kill()
            self.killed += 1

    def rest(self):
        for timer in self._timers:
            timer.join()


def test_workers_are_killed_at_random(whole, run, inputs, tmp_path):
    """Over 203 cases; what was given up after three deaths is made by the same command again."""
    undisturbed, expected = whole
    killer = Killer()
    outcome = run(tmp_path / "out", inputs, progress=killer)
    killer.rest()
    assert killer.killed >= 10
    assert Counter(line["case"] for line in lines(tmp_path / "out")) == Counter(r["case"] for r in expected.records)
    assert [record["case"] for record in outcome.records] == [record["case"] for record in expected.records]
    assert {record["code"] for record in outcome.failed if record["case"] not in BAD} <= {"worker_died"}
    again = run(tmp_path / "out", inputs)
    assert again.kept == len(outcome.done)
    assert [(r["case"], r["status"]) for r in again.records] == [(r["case"], r["status"]) for r in expected.records]
    assert results(tmp_path / "out") == results(undisturbed) and not hidden(tmp_path / "out")


def test_without_deaths_only_bad_cases_fail(whole):
    _, outcome = whole
    assert len(outcome.done) == CASES and outcome.kept == 0
    assert {r["case"]: r["code"] for r in outcome.failed} == dict(zip(BAD, ("unreadable", "not_ct", "not_found")))


def test_the_run_itself_is_killed_then_stopped_then_finished(whole, run, cts, model, tmp_path):
    """Meanwhile a second run into the same folder is refused."""
    undisturbed, _ = whole
    some = sorted(cts.iterdir())[:40]
    out = tmp_path / "out"
    command = [*COMMAND, *map(str, some), "-o", str(out), "--model", model, "--device", "cpu", "--exact", "--jobs", "2"]
    environment = worker_environment({**os.environ, "OMP_NUM_THREADS": "1"})
    first = subprocess.Popen(command, env=environment)
    at_least(out, 3, first)
    with pytest.raises(FlareSegError) as caught:
        run(out, some)
    assert caught.value.code == "output_exists" and "Another program" in str(caught.value)
    family = psutil.Process(first.pid).children(recursive=True)
    first.kill()
    first.wait()
    assert not psutil.wait_procs(family, 60)[1]
    there = {path.stem for path in (out / "cases").glob("*.json")}
    before = {name: data for name, data in results(undisturbed).items() if name.split("/")[1].split(".")[0] in there}
    assert 3 <= len(there) < 40 and before.items() <= results(out).items()

    second = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    at_least(out, len(there) + 3, second)
    second.send_signal(signal.SIGINT)
    said = second.communicate()[1].decode()
    done = len(list((out / "cases").glob("*.json")))
    assert second.returncode == 130 and said == (f"Stopped; {done} of 40 cases are done, and the same command goes on "
                                                 "from there.\n")
    assert not hidden(out) and len(lines(out)) == done < 40

    outcome = run(out, some)
    assert (outcome.kept, len(outcome.done)) == (done, 40)
    assert results(out).items() <= results(undisturbed).items() and len(results(out)) == 80


def at_least(out, count, process):
    """Wait until a batch has that many cases done."""
    until = time.monotonic() + 120
    while len(list((out / "cases").glob("*.json"))) < count:
        assert process.poll() is None and time.monotonic() < until, "too slow, or ended too early"
        time.sleep(0.01)
