"""A training whose disk is full, whose checkpoint is damaged, or whose clock is set while it runs."""

import os
import subprocess
import sys
import time

import pytest
import torch

from FlareSegLib.errors import FlareSegError
from FlareSegLib.training.run_folder import RunFolder, load_checkpoint, save_checkpoint
from FlareSegLib.training.simulated_cases import _is_left_behind

WITHOUT_ROOM = """
import pathlib, resource, sys, torch
from FlareSegLib.errors import FlareSegError
from FlareSegLib.training.run_folder import RunFolder, save_checkpoint
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_checkpoint(RunFolder(pathlib.Path(sys.argv[1])), {"w": torch.ones(100_000)})
except FlareSegError as error:
    sys.exit(error.exit_code)
"""


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX's")
def test_without_room_the_last_checkpoint_stays(tmp_path):
    run = RunFolder(tmp_path)
    save_checkpoint(run, {"step": torch.tensor(3)})
    done = subprocess.run([sys.executable, "-c", WITHOUT_ROOM, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 31, done.stderr
    assert load_checkpoint(run) == {"step": torch.tensor(3)} and os.listdir(tmp_path) == ["checkpoint.pt"]


def test_a_damaged_checkpoint_is_told(tmp_path):
    run = RunFolder(tmp_path)
    save_checkpoint(run, {"w": torch.ones(1000)})
    for content in (run.checkpoint.read_bytes()[:-500], b"", b"hello"):
        run.checkpoint.write_bytes(content)
        with pytest.raises(FlareSegError) as caught:
            load_checkpoint(run)
        assert caught.value.code == "unreadable"


@pytest.mark.skipif(os.name != "posix", reason="asks whether a process lives")
@pytest.mark.parametrize("hours", [-24, 0, 24])
def test_a_clock_that_is_set_leaves_no_lock_for_ever(tmp_path, hours):
    """By ``hours`` back or forth since the lock was made: a dead process's is broken, a living one's at most early."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    lock = tmp_path / "volume-00000001.lock"
    for pid, left_behind in ((process.pid, True), (os.getpid(), hours > 0)):
        lock.write_text(str(pid), encoding="ascii")
        made = time.time() - hours * 3600
        os.utime(lock, (made, made))
        assert _is_left_behind(lock) is left_behind
