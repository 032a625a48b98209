"""Processes that die, again and again: each task ends exactly once."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.jobs import processes
from FlareSegLib.jobs.processes import ATTEMPTS, Died, run_tasks

pytestmark = pytest.mark.skipif(os.name == "nt", reason="SIGKILL")


def square(task):
    return task * task


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def die_first(task):
    """Die as often as the task says; files keep count beyond a process' life."""
    folder, number, deaths = task
    tries = len(list(folder.glob(f"{number}_*")))
    (folder / f"{number}_{tries}").touch()
    if tries < deaths:
        die()
    return tries


def raise_at_three(task):
    if task == 3:
        raise FlareSegError("output_unwritable", "The disk is full.")
    return task


def own_number(task):
    time.sleep(0.05)
    return os.environ["NUMBER"]


def set_number(number):
    os.environ["NUMBER"] = str(number)


def test_each_task_is_done_once():
    ended = list(run_tasks(range(50), square, 3))
    assert sorted(ended) == [(number, number * number) for number in range(50)]


def test_nothing_to_do_starts_nothing():
    assert list(run_tasks([], die, 2)) == []


def test_a_task_whose_processes_die_is_tried_again_and_then_given_up(tmp_path):
    deaths = [0, 1, ATTEMPTS - 1, ATTEMPTS, 100, 0, 0]
    tasks = [(tmp_path, number, count) for number, count in enumerate(deaths)]
    ended = dict(run_tasks(tasks, die_first, 2))
    assert [ended[task] for task in tasks] == [0, 1, ATTEMPTS - 1, Died(ATTEMPTS), Died(ATTEMPTS), 0, 0]


def test_what_the_work_raises_ends_it_with_its_code():
    with pytest.raises(FlareSegError) as caught:
        list(run_tasks(range(9), raise_at_three, 1))
    assert (caught.value.code, str(caught.value)) == ("output_unwritable", "The disk is full.")


def test_processes_that_never_come_to_work_are_told_of(monkeypatch):
    monkeypatch.setattr(processes, "MOST_FALSE_STARTS", 3)
    with pytest.raises(FlareSegError) as caught:
        list(run_tasks(range(9), square, 2, die))
    assert caught.value.code == "worker_died"


def test_each_process_knows_its_place():
    assert {number for _, number in run_tasks(range(12), own_number, 2, set_number)} == {"0", "1"}


def test_a_caller_that_stops_leaves_no_process():
    tasks = run_tasks(range(1000), own_number, 2, set_number)
    next(tasks)
    before = set(workers_of(os.getpid()))
    tasks.close()
    assert len(before) == 2 and not any(map(running, before))


def test_a_caller_that_is_killed_leaves_no_process(tmp_path):
    code = ("import sys, time; sys.path.insert(0, sys.argv[1])\n"
            "from FlareSegLib.jobs import processes\n"
            "processes.PRELOADED.clear()\n"
            "if __name__ == '__main__':\n"
            "    tasks = processes.run_tasks([0, 60], time.sleep, 1)\n"
            "    next(tasks); print('one is done', flush=True); time.sleep(60)\n")
    script = tmp_path / "caller.py"
    script.write_text(code)
    caller = subprocess.Popen([sys.executable, script, Path(processes.__file__).parents[2]], stdout=subprocess.PIPE)
    assert caller.stdout.readline() == b"one is done\n"
    left = psutil.Process(caller.pid).children(recursive=True)
    caller.kill()
    caller.wait()
    caller.stdout.close()
    _, alive = psutil.wait_procs(left, 60)
    assert len(left) >= 1 and not alive


def workers_of(pid):
    """The processes of a pool: on Linux children of the server that forks them."""
    return [each.pid for server in psutil.Process(pid).children() for each in server.children()]


def running(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
