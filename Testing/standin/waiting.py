"""Letting Qt work until something has happened."""

from __future__ import annotations

import time
from collections.abc import Callable

from . import event_loop, failures

INTERVAL_MS = 30


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Let the event loop run until the condition holds; what fails meanwhile fails at once."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"nothing has happened for {seconds} s")
        event_loop.run(INTERVAL_MS)
        failures.raise_collected()
