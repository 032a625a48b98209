"""The worker's own side: one job in, JSON lines out, gone at once when the parent says so or dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import EXIT_CODES, FlareSegError
from ..jobs.job import Log, Progress, SegmentJob, run_job
from ..jobs.staging import STOPPED, Staging
from ..models.description import texts
from .protocol import PROTOCOL, Message, decode, encode, error_message

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Seconds that a parent which reads nothing more can hold up the ending.
LAST_WORD_SECONDS = 0.2


class ParentGone(Exception):
    """Nobody reads the messages any more."""


class Channel:
    """Whole messages on a file descriptor, from any thread; nothing follows a result or an error."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self.ended = False

    def send(self, message: Message) -> None:
        """Write one message; raise ParentGone where that cannot be done."""
        line = memoryview(encode(message))
        with self._lock:
            if self.ended:
                return
            self.ended = message["type"] in ("result", "error")
            try:
                while line:
                    line = line[os.write(self._descriptor, line):]
            except OSError as error:
                raise ParentGone from error


def main(arguments: list[str] | None = None) -> int:
    """Run one job and return the exit status.

    Parameters
    ----------
    arguments : list of str, optional
        Nothing (the job is the first line of standard input) or the path of a file that holds the job.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    channel = Channel(_take_stdout())
    staging = Staging(lambda folder: channel.send({"type": "temporary", "path": str(folder.absolute())}))
    _stop_on_signals(channel, staging)
    lines = _input_lines()
    try:
        channel.send({"type": "hello", "protocol": PROTOCOL, "version": __version__, "pid": os.getpid()})
        fields = _read_fields(arguments, lines)
        work = _simulation if isinstance(fields, dict) and fields.get("task") == "simulate" else _segmentation
        result = work(fields, lambda: threading.Thread(target=_stop_on_input, args=(lines, channel, staging),
                                                       daemon=True).start(), channel, staging)
        channel.send({"type": "result", **result})
        return 0
    except FlareSegError as error:
        return _send_error(channel, error_message(error.code, error.exit_code, str(error)))
    except (KeyboardInterrupt, ParentGone):
        return _send_error(channel, _stopped())
    except Exception as error:
        text = f"Unexpected error, please report it: {type(error).__name__}: {error}"
        return _send_error(channel, error_message("defect", 1, text, traceback=traceback.format_exc()))


def _segmentation(fields: Any, listen: Callable[[], None], channel: Channel, staging: Staging) -> dict[str, Any]:
    """One CT to its labels."""
    job = SegmentJob.from_fields(fields)
    listen()
    return run_job(job, _progress_sender(channel), _log_sender(channel), staging).as_fields()


def _simulation(fields: Any, listen: Callable[[], None], channel: Channel, staging: Staging) -> dict[str, Any]:
    """A batch of cases with simulated diseases; stopped, it keeps the cases that are complete."""
    from ..disease.simulate_job import SimulateJob

    job, send = SimulateJob.from_fields(fields), _progress_sender(channel)
    listen()
    return job.run(lambda done, total: send("simulating", done, total))


def _take_stdout() -> int:
    """Return a descriptor of the real standard output and let everything else that prints use standard error."""
    sys.stdout.flush()
    descriptor = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return descriptor


def _input_lines() -> Iterator[bytes]:
    """Yield the lines of standard input, read below Python's buffer.

    A thread that waits inside ``sys.stdin`` would hold its lock when the interpreter shuts down.
    """
    rest = b""
    while chunk := os.read(0, 65536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _read_fields(arguments: list[str], lines: Iterator[bytes]) -> Any:
    """The job as JSON data; that it is an object is for the job itself to check."""
    try:
        text = Path(arguments[0]).read_bytes() if arguments else next(lines, b"")
        fields = json.loads(text.decode("utf-8"))
        for each in texts(fields):
            _check_file_name(each)
        if isinstance(fields, dict) and not all(name.isprintable() for name in fields):
            raise ValueError("a field that is none")
        return fields
    except OSError as error:
        raise FlareSegError("not_found", f"The job file cannot be read ({error.strerror}); check its path.") from error
    except (ValueError, RecursionError) as error:
        raise FlareSegError("bad_option", "The job is not valid JSON, or holds letters that no file name can "
                                          "have; send one object on the first line.") from error


def _check_file_name(text: str) -> None:
    """Raise ValueError for halves of letters and for NUL, at which the system's functions raise or stop reading."""
    if b"\0" in os.fsencode(text):
        raise ValueError("NUL")


def _progress_sender(channel: Channel) -> Progress:
    def send(stage: str, done: int, total: int) -> None:
        channel.send({"type": "progress", "stage": stage, "done": done, "total": total})

    return send


def _log_sender(channel: Channel) -> Log:
    def send(sentence: str) -> None:
        channel.send({"type": "log", "message": sentence})

    return send


def _send_error(channel: Channel, message: Message) -> int:
    with contextlib.suppress(ParentGone):
        channel.send(message)
    return message["exit_code"]


def _stopped() -> Message:
    return error_message("cancelled", EXIT_CODES["cancelled"], STOPPED)


def _stop_on_signals(channel: Channel, staging: Staging) -> None:
    """Hear of SIGINT and SIGTERM in a thread: the main one can be inside a C library for seconds.

    They are not blocked and waited for: a thread that was there before, as NumPy's BLAS starts one, would get them and
    end the process. Whichever thread gets one writes its number to the pipe. Windows has no such signals; there the
    parent's pipe and ``taskkill`` end the worker.
    """
    if sys.platform == "win32":
        return
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell)
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: None)

    def wait() -> None:
        while os.read(told, 1):
            _stop(channel, staging)

    threading.Thread(target=wait, daemon=True).start()


def _stop_on_input(lines: Iterator[bytes], channel: Channel, staging: Staging) -> None:
    """Stop when the parent sends "cancel" or closes the pipe, as its death does."""
    for line in lines:
        if decode(line).get("type") == "cancel":
            break
    _stop(channel, staging)


def _stop(channel: Channel, staging: Staging) -> None:
    """End the process with nothing left over, unless the job has come to its own end."""
    if not staging.discard() or channel.ended:
        return
    last_word = threading.Thread(target=_send_error, args=(channel, _stopped()), daemon=True)
    last_word.start()
    last_word.join(LAST_WORD_SECONDS)
    os._exit(EXIT_CODES["cancelled"])
