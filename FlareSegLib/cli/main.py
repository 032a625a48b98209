"""The ``flareseg`` command: arguments in, the library's calls, text out."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from .. import __version__
from ..errors import EXIT_CODES, FlareSegError
from ..jobs.staging import STOPPED
from . import (batch_command, diseases_command, evaluate_command, models_command, phantom_command, report_command,
               segment_command, simulate_command, train_command, view_command)

COMMANDS = (segment_command, batch_command, models_command, phantom_command, evaluate_command, report_command,
            train_command, simulate_command, diseases_command, view_command)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status (`errors.EXIT_CODES`; 2 for wrong arguments).

    What the user can mend is told in one sentence on standard error (a list to choose from may follow). An
    unexpected exception is a defect and keeps its traceback.
    """
    _print_any_letter()
    options = build_parser().parse_args(arguments)
    try:
        with _stopped_by_signals():
            options.run(options)
        sys.stdout.flush()
        return 0
    except FlareSegError as error:
        print(f"flareseg: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or STOPPED, file=sys.stderr)
        return EXIT_CODES["cancelled"]
    except BrokenPipeError:  # as with ``flareseg models list | head -1``
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; each adds its own and sets ``run``."""
    parser = argparse.ArgumentParser(
        prog="flareseg", description="Segment liver, kidney, spleen and pancreas on abdominal CT. Research use only.")
    parser.add_argument("--version", action="version", version=f"flareseg {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def _print_any_letter() -> None:
    """Never fail on a path that the terminal's encoding lacks a letter for."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does. After the first one both are ignored: nothing may interrupt the tidying."""
    numbers = (signal.SIGINT, signal.SIGTERM)

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # whoever called keeps the signals
        yield
        return
    before = [signal.signal(each, interrupt) for each in numbers]
    try:
        yield
    except KeyboardInterrupt:
        before = []
        raise
    finally:
        for each, handler in zip(numbers, before):
            signal.signal(each, handler or signal.SIG_DFL)
