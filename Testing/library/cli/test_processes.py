"""The command and the worker as processes of their own, with the real segmentation behind them."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import SimpleITK as sitk

from FlareSegLib.cli.main import main
from FlareSegLib.jobs.job import SegmentJob
from FlareSegLib.worker.client import WorkerProcess, worker_environment

COMMAND = [sys.executable, "-c", "import sys; from FlareSegLib.cli.main import main; sys.exit(main())"]

posix = pytest.mark.skipif(os.name == "nt", reason="pseudo terminals and POSIX signals")


def test_the_worker_gives_what_the_command_gives(folder, ct, model, capsys):
    assert main(["segment", ct, "-o", "command.nii.gz", "--model", model, "--device", "cpu", "--exact"]) == 0
    job = SegmentJob(ct, ("worker.nii.gz", "worker.seg.nrrd"), model, device="cpu", exact=True,
                     preview="worker.png", report="worker.json")
    with WorkerProcess(job) as worker:
        messages = list(worker.messages())
    result = messages[-1]
    assert result["type"] == "result", result
    slices = [message for message in messages if message.get("stage") == "segmenting"]
    assert [message["done"] for message in slices] == list(range(1, result["slices_run"] + 1))
    assert {message["total"] for message in slices} == {result["slices_run"]}
    stages = list(dict.fromkeys(message["stage"] for message in messages if message["type"] == "progress"))
    assert stages == ["reading", "segmenting", "measuring", "writing"]
    assert [organ["name"] for organ in result["organs"]] == ["liver", "kidney", "spleen", "pancreas"]
    read = [sitk.GetArrayFromImage(sitk.ReadImage(name)) for name in ("command.nii.gz", "worker.nii.gz")]
    assert np.array_equal(*read)
    assert sorted(path.name for path in folder.iterdir()) == [
        "command.nii.gz", "worker.json", "worker.nii.gz", "worker.png", "worker.seg.nrrd"]
    assert json.loads((folder / "worker.json").read_text("utf-8"))["organs"] == result["organs"]


def test_a_worker_is_cancelled_while_slices_run(folder, slow):
    ct, model = slow
    with WorkerProcess(SegmentJob(ct, ("a.nii.gz",), model, device="cpu", threads=1)) as worker:
        next(message for message in worker.messages() if message.get("stage") == "segmenting")
        started = time.monotonic()
        worker.cancel()
        assert time.monotonic() - started < 3
        assert list(worker.messages())[-1]["code"] == "cancelled"
    assert not list(folder.iterdir())


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_nothing_and_the_bar_counts_slices(folder, slow, number):
    """On a pseudo terminal, as a user has it."""
    ct, model = slow
    ours, theirs = os.openpty()  # one without a size, as some containers have
    arguments = ["segment", ct, "-o", "a.nii.gz", "--report", "a.json", "--model", model, "--device", "cpu",
                 "--threads", "1"]
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=theirs,
                               env=worker_environment(os.environ))
    os.close(theirs)
    seen = read_until(ours, b"/240 ")
    process.send_signal(number)
    assert process.wait(15) == 130
    seen += read_rest(ours)
    assert process.stdout.read() == b""
    process.stdout.close()
    assert b"Segmenting" in seen
    assert seen.decode().rstrip().endswith("Stopped; nothing was written.") and b"Traceback" not in seen
    assert not list(folder.iterdir())


def read_until(terminal, text: bytes) -> bytes:
    """Read a pseudo terminal until it shows a text."""
    seen = b""
    while text not in seen:
        try:
            seen += os.read(terminal, 1024)
        except OSError:  # the other end is closed
            pytest.fail(f"{text!r} was never shown, but {seen!r}")
    return seen


def read_rest(terminal) -> bytes:
    text = b""
    try:
        while chunk := os.read(terminal, 1024):
            text += chunk
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(terminal)
    return text


def test_an_error_of_the_installed_command_has_no_traceback(folder):
    done = subprocess.run([*COMMAND, "segment", "脾臓 missing.nii", "-o", "a.nii.gz"], capture_output=True,
                          env={**worker_environment(os.environ), "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"})
    assert done.returncode in (10, 40) and done.stdout == b""
    assert done.stderr.startswith(b"flareseg: error: ") and done.stderr.count(b"\n") == 1
