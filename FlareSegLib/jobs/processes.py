"""Tasks for a few processes of this machine, any of which may die at any moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from ..errors import FlareSegError

#: Processes that one task may take along before it is given up.
ATTEMPTS = 3
#: Processes that may die one after another before any was ready to work.
MOST_FALSE_STARTS = 10
#: Loaded once and inherited by processes that are forked (Linux), so that a new one is ready at once.
PRELOADED = ["torch", "SimpleITK", "FlareSegLib.inference.segment", "FlareSegLib.results.preview"]


@dataclass(frozen=True)
class Died:
    """What became of a task whose process died in each of `attempts` attempts."""

    attempts: int


@dataclass
class _Slot:
    """One process, and the task that it was given."""

    number: int
    process: Any
    connection: Connection
    ready: bool = False
    task: tuple[Any, int] | None = None


def run_tasks(tasks: Iterable[Any], work: Callable[[Any], Any], processes: int,
              begin: Callable[[int], None] | None = None) -> Generator[tuple[Any, Any], None, None]:
    """Yield each task exactly once with what the work made of it, as they end.

    A process that dies is replaced, and its task given out again, last of all. When the caller stops (an exception, a
    generator that is closed) all processes are killed; when the caller itself is killed they end by themselves.

    Parameters
    ----------
    tasks, work
        Tasks, function and results travel between processes: they can be pickled.
    processes : int
        At the same time.
    begin : callable, optional
        ``begin(number)``: called first in each new process with the number of its place, 0 to `processes` - 1.

    Yields
    ------
    tuple
        Task, and result or `Died`.

    Raises
    ------
    Exception
        What the work raises; the others end with it.
    FlareSegError
        "worker_died" where no process comes to work at all.
    """
    waiting = deque((task, 1) for task in tasks)
    slots: dict[Connection, _Slot] = {}
    false_starts = 0
    context = _context()
    try:
        while waiting or any(slot.task for slot in slots.values()):
            _fill(slots, waiting, processes, lambda number: _start(context, number, work, begin))
            for connection in wait(list(slots)):
                slot = slots[connection]
                try:
                    kind, value = connection.recv()
                except (EOFError, OSError):  # it died
                    del slots[connection]
                    slot.process.join()
                    false_starts = 0 if slot.ready else false_starts + 1
                    if false_starts == MOST_FALSE_STARTS:
                        raise _no_process() from None
                    if slot.task is not None:
                        task, attempt = slot.task
                        if attempt < ATTEMPTS:
                            waiting.append((task, attempt + 1))
                        else:
                            yield task, Died(attempt)
                    continue
                if kind == "raised":
                    raise value
                slot.ready, ended, slot.task = True, slot.task, None
                if waiting:
                    _give(slot, waiting)
                if kind == "made":
                    yield ended[0], value
    finally:
        for slot in slots.values():
            slot.process.kill()
        for slot in slots.values():
            slot.process.join()
            slot.connection.close()


def _no_process() -> FlareSegError:
    return FlareSegError("worker_died", "No process can be started, or each ends at once; memory may be short, or the "
                                        "installation damaged.")


def _fill(slots: dict[Connection, _Slot], waiting: deque, processes: int, start: Callable[[int], _Slot]) -> None:
    """Start as many processes as there is work for, and give tasks to those that are idle."""
    for slot in slots.values():
        if waiting and slot.ready and slot.task is None:
            _give(slot, waiting)
    busy = sum(slot.task is not None or not slot.ready for slot in slots.values())
    starting = sum(not slot.ready for slot in slots.values())
    for _ in range(min(processes - busy, len(waiting) - starting)):
        taken = {slot.number for slot in slots.values()}
        slot = start(next(number for number in range(processes) if number not in taken))
        slots[slot.connection] = slot


def _give(slot: _Slot, waiting: deque) -> None:
    slot.task = waiting.popleft()
    try:
        slot.connection.send(slot.task[0])
    except OSError:  # it has died; the end of its connection says so next
        pass


def _context():
    """Forked from a server that has torch loaded where that is safe (Linux), fresh interpreters elsewhere."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _start(context, number: int, work: Callable, begin: Callable | None) -> _Slot:
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work, begin, number), daemon=True)
    with _interrupts_ignored():  # inherited by what is started
        process.start()
    theirs.close()
    return _Slot(number, process, ours)


def _serve(connection: Connection, work: Callable, begin: Callable | None, number: int) -> None:
    """A process' own side: one task after another, until the other end is closed."""
    stand_by_the_parent()
    if begin is not None:
        begin(number)
    message = ("ready", None)
    while True:
        try:
            connection.send(message)
            task = connection.recv()
        except (EOFError, OSError):
            return
        try:
            message = ("made", work(task))
        except Exception as error:  # noqa: BLE001 - handed to the caller, whatever it is
            message = ("raised", error)


def stand_by_the_parent() -> None:
    """Leave Ctrl-C to the parent, and never outlive a parent that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def take_one_core(number: int) -> None:
    """Let torch use one thread: for `run_tasks`' `begin`, where there are as many processes as cores."""
    import torch

    torch.set_num_threads(1)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ctrl-C during the start would print a traceback of Python's own in the process that is starting."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
