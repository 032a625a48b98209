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
from typing import TYPE_CHECKING, Any

from ..errors import FlareSegError

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

#: Processes that one task may take along before it is given up.
ATTEMPTS = 3
#: Processes that may die one after another before any was ready to work.
MOST_FALSE_STARTS = 10
#: Loaded once and inherited by processes that are forked (Linux), so that a new one is ready at once.
PRELOADED = ["torch", "SimpleITK", "FlareSegLib.inference.segment", "FlareSegLib.results.preview"]

#: A task, and which of its attempts this is, from 1.
Attempt = tuple[Any, int]
Work = Callable[[Any], Any]
Begin = Callable[[int], None]


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
    task: Attempt | None = None


def run_tasks(tasks: Iterable[Any], work: Work, processes: int,
              begin: Begin | None = None) -> Generator[tuple[Any, Any], None, None]:
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
    slots: list[_Slot] = []
    false_starts = 0
    context = _context()
    try:
        while waiting or any(slot.task for slot in slots):
            _fill(slots, waiting, processes, lambda number: _start(context, number, work, begin))
            heard = wait([slot.connection for slot in slots])
            for slot in [slot for slot in slots if slot.connection in heard]:
                try:
                    kind, value = slot.connection.recv()
                except (EOFError, OSError):  # it died
                    slots.remove(slot)
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
                if ended is not None:  # else it said that it is ready
                    yield ended[0], value
    finally:
        for slot in slots:
            slot.process.kill()
        for slot in slots:
            slot.process.join()
            slot.connection.close()


def _no_process() -> FlareSegError:
    return FlareSegError("worker_died", "No process can be started, or each ends at once; memory may be short, or the "
                                        "installation damaged.")


def _fill(slots: list[_Slot], waiting: deque[Attempt], processes: int, start: Callable[[int], _Slot]) -> None:
    """Start as many processes as there is work for, and give tasks to those that are idle."""
    for slot in slots:
        if waiting and slot.ready and slot.task is None:
            _give(slot, waiting)
    busy = sum(slot.task is not None or not slot.ready for slot in slots)
    starting = sum(not slot.ready for slot in slots)
    for _ in range(min(processes - busy, len(waiting) - starting)):
        taken = {slot.number for slot in slots}
        slots.append(start(next(number for number in range(processes) if number not in taken)))


def _give(slot: _Slot, waiting: deque[Attempt]) -> None:
    slot.task = waiting.popleft()
    try:
        slot.connection.send(slot.task[0])
    except OSError:  # it has died; the end of its connection says so next
        pass


def _context() -> ForkServerContext | SpawnContext:
    """Forked from a server that has torch loaded where that is safe (Linux), fresh interpreters elsewhere."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _start(context: ForkServerContext | SpawnContext, number: int, work: Work, begin: Begin | None) -> _Slot:
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, work, begin, number), daemon=True)
    with _interrupts_ignored():  # inherited by what is started
        process.start()
    theirs.close()
    return _Slot(number, process, ours)


def _serve(connection: Connection, work: Work, begin: Begin | None, number: int) -> None:
    """A process' own side: one task after another, until the other end is closed."""
    stand_by_the_parent()
    if begin is not None:
        begin(number)
    message: tuple[str, Any] = ("ready", None)
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
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


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
