"""Stand-ins for a segmentation that takes as long as a test needs; the process around it is the real one."""

import sys
import time

import psutil
import pytest

from FlareSegLib.jobs.job import SegmentJob

#: Runs the real worker with another job behind it; the job's model names what happens.
WORKER = '''
import ctypes, os, sys, time
from FlareSegLib.errors import FlareSegError
from FlareSegLib.worker import process

class Done:
    def as_fields(self):
        return {"outputs": ["脾臓"], "seconds": float("nan")}

def run_job(job, progress, log, staging):
    if job.model == "noise":
        print("printed by Python")
        os.write(1, b"written by a library\\n")
        os.system("echo printed by a child")
        log("Lékař 脾臓")
    if job.model == "wrong":
        raise FlareSegError("not_ct", "This is no CT.")
    if job.model == "defect":
        1 / 0
    if job.model == "crash":
        os._exit(7)
    for done in range(3 if job.model in ("short", "noise") else 1):
        progress("segmenting", done + 1, 300)
    if job.model in ("short", "writing", "stuck"):
        with staging.file(job.outputs[0]) as staged:
            staged.write_text("labels")
        progress("writing", 0, 1)
    if job.model == "stuck":  # a C library that does not let go of the interpreter
        ctypes.PyDLL(None).sleep(30)
    while job.model not in ("short", "noise"):
        time.sleep(0.01)
        progress("segmenting", 2, 300)
    staging.commit()
    return Done()

process.run_job = run_job
sys.exit(process.main([]))
'''

#: As PythonSlicer: starts the interpreter as its child, with the same pipes, and waits for it.
LAUNCHER = '''
import subprocess, sys
sys.exit(subprocess.call([sys.executable, sys.argv[1]]))
'''


@pytest.fixture
def folder(tmp_path):
    """A folder with spaces and letters beyond ASCII."""
    folder = tmp_path / "Lékař 脾臓" / "空 格"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def job(folder):
    """Return a job that behaves as its argument says."""
    return lambda behaviour: SegmentJob(str(folder / "ct.nii"), (str(folder / "organs.nii"),), model=behaviour)


@pytest.fixture
def python(tmp_path):
    """Interpreter and script to start a worker with; also through a launcher."""
    worker, launcher = tmp_path / "worker.py", tmp_path / "launcher.py"
    worker.write_text(WORKER, "utf-8")
    launcher.write_text(LAUNCHER, "utf-8")
    return {"direct": (sys.executable, str(worker)), "launcher": (sys.executable, str(launcher), str(worker))}


def alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def gone():
    """Return a function that waits for the processes to end and tells whether they did."""

    def wait(pids, seconds=3.0):
        until = time.monotonic() + seconds
        while time.monotonic() < until and any(map(alive, pids)):
            time.sleep(0.02)
        return not any(map(alive, pids))

    return wait
