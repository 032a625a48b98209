"""The parent's side of a worker: start it, follow it, and be rid of it within a second."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..errors import EXIT_CODES, FlareSegError
from ..jobs.job import SegmentJob
from ..jobs.staging import PREFIX, STOPPED
from .protocol import Message, decode, encode, error_message

if TYPE_CHECKING:
    from ..disease.simulate_job import SimulateJob

#: Seconds a worker gets to end by itself before its process tree is killed.
GRACE_SECONDS = 0.4
FINAL = ("result", "error")
WINDOWS = sys.platform == "win32"
#: Flags of a new process on Windows.
NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)
OWN_GROUP: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


class WorkerProcess:
    """A job in a child process.

    Exactly one message of type "result" or "error" comes, always as the last one, however the process ended.
    What it prints otherwise arrives as messages of type "log". psutil is not needed.

    Parameters
    ----------
    job : SegmentJob or SimulateJob
        What to do. Relative paths are relative to this process' working directory.
    python : sequence of str
        The interpreter; may be a launcher that starts it as its child (PythonSlicer is one).
    environment : dict, optional
        Instead of this process' environment.

    Examples
    --------
    >>> with WorkerProcess(job) as worker:                           # doctest: +SKIP
    ...     for message in worker.messages():
    ...         print(message["type"])
    """

    def __init__(self, job: SegmentJob | SimulateJob, python: Sequence[str] = (sys.executable,),
                 environment: Mapping[str, str] | None = None):
        self._job = job
        self._command = [*python, "-m", "FlareSegLib.worker"]
        self._environment = worker_environment(os.environ if environment is None else environment)
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._temporary: list[Path] = []
        self._worker_pid: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pump: threading.Thread | None = None
        self._final: Message | None = None
        self._cancelled = False
        self._delivered_final = False

    def __enter__(self) -> WorkerProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def start(self) -> WorkerProcess:
        """Start the process and hand it the job.

        Raises
        ------
        FlareSegError
            "not_found" where there is no such interpreter.
        """
        pipe = subprocess.PIPE
        try:  # in its own group, so that all of its tree can be killed
            process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=pipe, env=self._environment,
                                       start_new_session=not WINDOWS, creationflags=OWN_GROUP | NO_WINDOW)
        except OSError as error:
            raise FlareSegError("not_found", f"The Python interpreter {self._command[0]} cannot be started "
                                             f"({error.strerror}); check its path.") from error
        assert process.stdin and process.stdout and process.stderr, "pipes, as asked for"
        errors = threading.Thread(target=self._pump_errors, args=(process.stderr,), daemon=True)
        errors.start()
        self._pump = threading.Thread(target=self._pump_messages, args=(process, process.stdout, errors), daemon=True)
        self._pump.start()
        _tell(process, {"type": "job", **self._job.as_fields()})
        self._process = process  # last: who cancels meanwhile must neither come before the job nor find no pump
        return self

    @property
    def pid(self) -> int:
        """Process id of the interpreter, or of its launcher; there is none before `start`."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """True until the process has ended."""
        return self._process is not None and self._process.poll() is None

    def messages(self) -> Iterator[Message]:
        """Yield messages as they come; the last one is of type "result" or "error"."""
        while not self._delivered_final:
            yield self._deliver(self._messages.get())

    def poll(self) -> list[Message]:
        """Return the messages that have come since the last call, without waiting (for a timer in a window)."""
        waiting = []
        with contextlib.suppress(queue.Empty):
            while not self._delivered_final:
                waiting.append(self._deliver(self._messages.get_nowait()))
        return waiting

    def cancel(self, grace: float = GRACE_SECONDS) -> None:
        """End the process and all its children: ask, wait `grace` seconds, then kill. No output is left over.

        Safe to call at any time and from any thread; without effect on a job that is done, or not handed over yet.
        """
        process = self._process
        if process is None or process.poll() is not None:  # long after its end the process id may be another's
            return
        self._cancelled = True
        _tell(process, {"type": "cancel"})
        _close_input(process)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
        self._kill_tree(process)
        if self._pump is not None:
            self._pump.join(5)  # it has heard of all temporary folders then
        for folder in self._temporary:
            shutil.rmtree(folder, ignore_errors=True)

    def _kill_tree(self, process: subprocess.Popen[bytes]) -> None:
        """Kill what is left of the tree; on POSIX a launcher that has ended may have left its child."""
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        elif process.poll() is None:
            for pid in filter(None, (process.pid, self._worker_pid)):
                subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], capture_output=True,
                               creationflags=NO_WINDOW, check=False)

    def _deliver(self, message: Message) -> Message:
        self._delivered_final = message["type"] in FINAL
        return message

    def _pump_errors(self, stream: IO[bytes]) -> None:
        for line in stream:
            text = line.decode("utf-8", errors="replace").rstrip()
            if text:
                self._messages.put({"type": "log", "message": text, "stream": "stderr"})

    def _pump_messages(self, process: subprocess.Popen[bytes], stream: IO[bytes], errors: threading.Thread) -> None:
        for line in stream:
            self._receive(decode(line))
        status = process.wait()
        errors.join(1.0)
        _close_input(process)
        self._messages.put(self._final or self._ended_without_a_word(status))

    def _receive(self, message: Message) -> None:
        kind = message["type"]
        if kind in FINAL:
            self._final = self._final or message  # handed on when the process has ended
            return
        if kind == "hello":
            self._worker_pid = message.get("pid")
        elif kind == "temporary":
            self._remember_temporary(message)
        if kind != "log" or message.get("message"):
            self._messages.put(message)

    def _remember_temporary(self, message: Message) -> None:
        """Only folders that a worker makes are ever removed, whatever the message says."""
        folder = Path(str(message.get("path")))
        parents = {Path(target).absolute().parent for target in self._job.targets}
        if folder.name.startswith(PREFIX) and folder.parent in parents:
            self._temporary.append(folder)

    def _ended_without_a_word(self, status: int) -> Message:
        if self._cancelled:
            return error_message("cancelled", EXIT_CODES["cancelled"], STOPPED)
        if sys.platform != "win32" and status == -signal.SIGKILL:
            return error_message("out_of_memory", EXIT_CODES["out_of_memory"],
                                 "The system ended the work, most likely because memory ran out; close other "
                                 "programs or choose a lighter model.")
        return error_message("defect", 1, f"The worker process ended unexpectedly (exit status {status}); "
                                          "its log tells more.")


def _tell(process: subprocess.Popen[bytes], message: Message) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError, ValueError):  # it has ended, or its input is closed
        process.stdin.write(encode(message))
        process.stdin.flush()


def _close_input(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.close()


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a worker finds this library and speaks UTF-8, whatever the locale."""
    library = str(Path(__file__).resolve().parents[2])
    paths = [library, *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8",
            "PYTHONUNBUFFERED": "1"}

