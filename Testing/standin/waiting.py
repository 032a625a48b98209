"""Letting Qt work until something has happened."""

from __future__ import annotations

import time
from collections.abc import Callable

import slicer

from . import failures


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Process events until the condition holds; what fails meanwhile fails at once."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"nothing has happened for {seconds} s")
        slicer.app.processEvents()
        failures.raise_collected()
        time.sleep(0.005)
