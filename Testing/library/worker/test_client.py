"""A worker in a real child process: its messages, its ends, and that nothing survives it."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.worker import client
from FlareSegLib.worker.client import WorkerProcess, worker_environment

SECONDS_TO_CANCEL = 3.0  # about 0.1 on an idle machine

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


def until(worker, kind, stage=None):
    """Messages up to the first of this kind."""
    seen = []
    for message in worker.messages():
        seen.append(message)
        if message["type"] == kind and stage in (None, message.get("stage")):
            return seen
    raise AssertionError(f"no {kind} among {seen}")


def tree(worker):
    """Process ids of the worker's whole tree."""
    leader = psutil.Process(worker.pid)
    return [leader.pid, *(child.pid for child in leader.children(recursive=True))]


def cancel(worker) -> float:
    started = time.monotonic()
    worker.cancel()
    return time.monotonic() - started


@pytest.mark.parametrize("way", ["direct", "launcher"])
def test_messages_come_in_order_and_end_with_the_result(job, python, folder, way):
    with WorkerProcess(job("short"), python[way]) as worker:
        messages = list(worker.messages())
    assert [message["type"] for message in messages] == [
        "hello", "progress", "progress", "progress", "temporary", "progress", "result"]
    assert messages[0]["protocol"] == 1 and messages[0]["pid"] > 0
    assert [message["done"] for message in messages[1:4]] == [1, 2, 3]
    assert messages[-1] == {"type": "result", "outputs": ["脾臓"], "seconds": None}
    assert [path.name for path in folder.iterdir()] == ["organs.nii"]


def test_what_libraries_print_becomes_log_and_never_breaks_a_message(job, python):
    with WorkerProcess(job("noise"), python["direct"]) as worker:
        messages = list(worker.messages())
    logged = {message["message"] for message in messages if message["type"] == "log"}
    assert {"printed by Python", "written by a library", "printed by a child", "Lékař 脾臓"} <= logged
    assert messages[-1]["type"] == "result"


def test_garbage_on_standard_output_becomes_log(job, tmp_path):
    script = tmp_path / "garbage.py"
    script.write_text("import os; os.write(1, b'\\xff\\xfe{\\n{\"type\": \"result\"}\\nafter')", "utf-8")
    with WorkerProcess(job("short"), (sys.executable, str(script))) as worker:
        messages = list(worker.messages())
    assert [message["type"] for message in messages] == ["log", "log", "result"]


@pytest.mark.parametrize("way", ["direct", "launcher"])
@pytest.mark.parametrize("behaviour", ["slow", "writing", pytest.param("stuck", marks=posix)])
def test_cancel_ends_the_whole_tree_and_leaves_nothing(job, python, folder, gone, way, behaviour):
    with WorkerProcess(job(behaviour), python[way]) as worker:
        until(worker, "progress", "segmenting" if behaviour == "slow" else "writing")
        pids = tree(worker)
        assert len(pids) == (2 if way == "launcher" else 1)
        assert cancel(worker) < SECONDS_TO_CANCEL
        last = list(worker.messages())[-1]
    assert gone(pids, 0.5)
    assert (last["type"], last["code"], last["exit_code"]) == ("error", "cancelled", 130)
    assert not list(folder.iterdir())


def test_cancel_before_anything_has_happened(job, python, folder, gone):
    with WorkerProcess(job("writing"), python["launcher"]) as worker:
        assert cancel(worker) < SECONDS_TO_CANCEL
        assert gone([worker.pid])
    assert not list(folder.iterdir())


def test_cancel_from_another_thread_while_it_starts_does_no_harm(monkeypatch, job, python):
    worker, tell = WorkerProcess(job("short"), python["direct"]), client._tell

    def cancelled_before_the_job(process, message):
        worker.cancel()
        tell(process, message)

    monkeypatch.setattr(client, "_tell", cancelled_before_the_job)
    with worker:
        assert list(worker.messages())[-1]["type"] == "result"


def test_cancel_after_the_end_changes_nothing(job, python, folder):
    worker = WorkerProcess(job("short"), python["direct"]).start()
    assert until(worker, "result")
    worker.cancel()
    assert [path.name for path in folder.iterdir()] == ["organs.nii"]


def test_leaving_the_with_block_ends_the_worker(job, python, gone):
    with pytest.raises(ZeroDivisionError), WorkerProcess(job("slow"), python["launcher"]) as worker:
        until(worker, "progress")
        pids = tree(worker)
        1 / 0
    assert gone(pids)


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_worker_leaves_nothing(job, python, folder, number):
    with WorkerProcess(job("writing"), python["direct"]) as worker:
        until(worker, "progress", "writing")
        os.kill(worker.pid, number)
        last = list(worker.messages())[-1]
    assert last["code"] == "cancelled" and last["message"] == "Stopped; nothing was written."
    assert not list(folder.iterdir())


PARENT = """
import sys
from FlareSegLib.jobs.job import SegmentJob
from FlareSegLib.worker.client import WorkerProcess
worker = WorkerProcess(SegmentJob("ct.nii", (sys.argv[1],), model="writing"), sys.argv[2:]).start()
for message in worker.messages():
    if message["type"] == "hello":
        print(message["pid"], flush=True)
    if message.get("stage") == "writing":
        print("writing", flush=True)
"""


@posix
@pytest.mark.parametrize("way", ["direct", "launcher"])
def test_a_parent_that_dies_takes_its_worker_along(job, python, folder, gone, way):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(folder / "organs.nii"), *python[way]],
                              stdout=subprocess.PIPE, env=worker_environment(os.environ))
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == b"writing\n" and list(folder.iterdir())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone([pid])
    assert not list(folder.iterdir())


def test_a_worker_that_crashes_still_gives_one_last_message(job, python):
    with WorkerProcess(job("crash"), python["direct"]) as worker:
        messages = list(worker.messages())
    assert (messages[-1]["type"], messages[-1]["code"]) == ("error", "defect")
    assert "7" in messages[-1]["message"]


@posix
def test_a_worker_killed_by_the_system_is_taken_for_out_of_memory(job, python):
    with WorkerProcess(job("slow"), python["direct"]) as worker:
        until(worker, "progress")
        os.kill(worker.pid, signal.SIGKILL)
        assert list(worker.messages())[-1]["code"] == "out_of_memory"


def test_poll_never_waits_and_delivers_everything(job, python):
    seen = []
    with WorkerProcess(job("short"), python["direct"]) as worker:
        while not seen or seen[-1]["type"] != "result":
            started = time.monotonic()
            seen += worker.poll()
            assert time.monotonic() - started < 1.0
            time.sleep(0.01)
        assert worker.poll() == []
    assert seen[0]["type"] == "hello"


def test_a_missing_interpreter_is_told(job):
    with pytest.raises(FlareSegError) as missing:
        WorkerProcess(job("short"), ("no-such-interpreter",)).start()
    assert missing.value.code == "not_found"


def test_only_folders_that_workers_make_are_removed(job, folder):
    worker = WorkerProcess(job("short"))
    for path in (folder, folder / "patients", folder.parent / ".flareseg-1", ""):
        worker._receive({"type": "temporary", "path": str(path)})
    assert worker._temporary == []
    worker._receive({"type": "temporary", "path": str(folder / ".flareseg-1")})
    assert worker._temporary == [folder / ".flareseg-1"]
