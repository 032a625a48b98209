"""``flareseg segment`` killed at each stage, without room, without memory, and twice at once."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.cli.main import main
from FlareSegLib.worker.client import worker_environment

from .conftest import body, write_image

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork, /proc and limits of Linux")

#: What all these processes share; each fault happens in a fork, so that torch is imported once.
CHILD = """
import json, os, resource, signal, sys
import torch
import FlareSegLib.inference.segment, FlareSegLib.results.measurements, FlareSegLib.results.plausibility
import FlareSegLib.results.preview, FlareSegLib.results.writing
from FlareSegLib.cli.main import main
from FlareSegLib.jobs import staging
from FlareSegLib.jobs.job import SegmentJob, run_job

def in_a_fork(work):
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            status = work()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return pid

def status_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

ct, model = sys.argv[1:3]
def segment(*outputs, more=()):
    words = [word for output in outputs for word in ("-o", output)]
    return main(["segment", ct, *words, "--model", model, "--device", "cpu", "--exact", "--threads", "1", *more])
"""
KILLED = CHILD + """
def killed_at(stage):
    kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
    move = os.replace
    def replace(source, target):
        move(source, target)
        if not os.path.basename(os.path.dirname(target)).startswith(staging.PREFIX):  # into its own place
            kill()
    if stage == "moving":
        os.replace = replace
    run_job(SegmentJob(ct, (f"{stage}/a.seg.nrrd", f"{stage}/b.nii.gz"), model, device="cpu", exact=True, threads=1,
                       report=f"{stage}/c.json", overwrite=True),
            lambda now, done, total: kill() if now == stage and (done or stage != "segmenting") else None)

for stage in sys.argv[3:]:
    print(status_of(in_a_fork(lambda: killed_at(stage))), flush=True)
"""
LIMITED = CHILD + """
def limited(kind, room):
    if kind == "RLIMIT_AS":
        room += int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(getattr(resource, kind), (room, room))
    return segment("a.seg.nrrd", "b.nii.gz", more=["--report", "c.json", "--preview", "d.png"])

print(status_of(in_a_fork(lambda: limited(sys.argv[3], int(sys.argv[4])))))
"""
TWO_AT_ONCE = CHILD + """
pids = [in_a_fork(lambda: segment("a.nii.gz", more=["--organs", organ, *sys.argv[3:]]))
        for organ in ("liver", "spleen")]
print(*map(status_of, pids))
"""


def child(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True,
                          env=worker_environment({**os.environ, "OMP_NUM_THREADS": "1"}), check=False)


def test_killed_at_each_stage_no_file_is_half_written(folder, ct, model):
    """Files that were there are the old ones or the new ones; the same command goes through afterwards."""
    stages = ("reading", "segmenting", "measuring", "writing", "moving")
    for stage in stages:
        (folder / stage).mkdir()
        for name in ("a.seg.nrrd", "b.nii.gz", "c.json"):
            (folder / stage / name).write_bytes(b"old")
    done = child(KILLED, ct, model, *stages)
    assert done.stdout.split() == ["-9"] * len(stages), done.stderr
    for stage in stages:
        new = [path.name for path in sorted((folder / stage).glob("[!.]*")) if path.read_bytes() != b"old"]
        assert new == (["a.seg.nrrd"] if stage == "moving" else [])
    assert sitk.ReadImage("moving/a.seg.nrrd").GetSize() == (56, 48, 24)
    assert main(["segment", ct, "-o", "moving/a.seg.nrrd", "-o", "moving/b.nii.gz", "--report", "moving/c.json",
                 "--model", model, "--device", "cpu", "--exact", "--overwrite"]) == 0
    assert np.array_equal(*(sitk.GetArrayFromImage(sitk.ReadImage(f"moving/{name}")) for name in ("a.seg.nrrd",
                                                                                                "b.nii.gz")))
    assert json.loads((folder / "moving/c.json").read_text("utf-8"))["organs"]


@pytest.mark.parametrize("room", [100, 3000])
def test_a_disk_without_room_is_told_and_nothing_is_left(folder, ct, model, room):
    done = child(LIMITED, ct, model, "RLIMIT_FSIZE", room)
    assert done.stdout.split()[-1:] == ["31"], done.stderr
    assert "Traceback" not in done.stderr and not list(folder.iterdir())


@pytest.fixture(scope="module")
def large_ct(tmp_path_factory):
    """48 MB of voxels."""
    return write_image(tmp_path_factory.mktemp("large") / "ct.nii", np.tile(body((24, 256, 256)), (15, 1, 1)))


@pytest.mark.parametrize("megabytes", [1, 20, 60])
def test_memory_that_runs_out_is_told_and_nothing_is_left(folder, large_ct, model, megabytes):
    """While reading, or whenever it comes to that."""
    done = child(LIMITED, large_ct, model, "RLIMIT_AS", megabytes << 20)
    assert done.stdout.split()[-1:] == ["51"], done.stderr
    assert "not enough memory" in done.stderr and "Traceback" not in done.stderr and not list(folder.iterdir())


def test_two_at_once_into_one_file(folder, ct, model):
    """Without --overwrite one of them is refused; with it the file is that of one of them."""
    done = child(TWO_AT_ONCE, ct, model)
    assert sorted(done.stdout.split()[-2:]) == ["0", "32"], done.stderr
    done = child(TWO_AT_ONCE, ct, model, "--overwrite")
    assert done.stdout.split()[-2:] == ["0", "0"], done.stderr
    labels = np.unique(sitk.GetArrayFromImage(sitk.ReadImage("a.nii.gz"))).tolist()
    assert labels in ([0, 1], [0, 3]) and [path.name for path in folder.iterdir()] == ["a.nii.gz"]


@pytest.mark.parametrize("words", [
    ["segment", "CT", "-o", "/proc/a.nii.gz", "--model", "MODEL", "--device", "cpu"],
    ["batch", "CT", "-o", "/proc/out", "--model", "MODEL", "--device", "cpu"],
    ["simulate", "CT", "CT", "-o", "/proc/out"], ["phantom", "-o", "/proc/a.nii.gz"], ["models", "import", "MODEL"]])
def test_a_folder_that_takes_no_files(folder, ct, model, words, capsys, monkeypatch):
    monkeypatch.setenv("FLARESEG_MODELS", "/proc/models")
    assert main([{"CT": ct, "MODEL": model}.get(word, word) for word in words]) == 31, capsys.readouterr()
    assert capsys.readouterr().err.count("\n") == 1
