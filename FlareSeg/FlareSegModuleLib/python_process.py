"""Running FlareSegLib in Slicer's own Python, in another process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import slicer

from FlareSegLib.errors import EXIT_CODES, FlareSegError
from FlareSegLib.worker.client import worker_environment

NO_WINDOW = {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {}


def python_command() -> tuple[str, ...]:
    """Return the command of Slicer's Python interpreter."""
    return (shutil.which("PythonSlicer") or sys.executable,)


def python_environment() -> dict[str, str]:
    """Return the environment that Slicer was started in (PythonSlicer adds its own), with FlareSegLib to be found."""
    return worker_environment(slicer.util.startupEnvironment())


def run_library(arguments: list[str], command: tuple[str, ...], environment: dict[str, str], seconds: float) -> str:
    """Run ``python ARGUMENTS`` and return what it prints; call it in a thread.

    Raises
    ------
    FlareSegError
        With the last sentence that it said, where it fails.
    """
    try:
        done = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, timeout=seconds,
                              encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL, check=False, **NO_WINDOW)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FlareSegError("not_found", f"Slicer's Python could not be run ({type(error).__name__}).") from error
    if done.returncode == 0:
        return done.stdout
    codes = {status: code for code, status in EXIT_CODES.items()}
    lines = done.stderr.strip().splitlines() or ["no message"]
    raise FlareSegError(codes.get(done.returncode, "missing_package"), lines[-1].removeprefix("flareseg: error: "))
