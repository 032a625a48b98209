"""The coordinator: one folder, one run at a time; what is done stays, what is not is given to workers."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace

from ..errors import FlareSegError
from ..jobs.claim import claim, sweep
from ..jobs.folder_lock import locked
from ..jobs.processes import Died, run_tasks
from .contact_sheet import write_contact_sheet
from .inputs import Source, named
from .records import (
    DONE,
    FAILED,
    LINES_FILE,
    Record,
    failed_record,
    is_complete,
    line_of,
    read_records,
    write_lines,
    write_record,
)
from .settings import SETTINGS_FILE, Settings
from .summary import write_table
from .work import Task, segment_case, take_one_gpu

Progress = Callable[[int, int], None]
#: Gives tasks to workers and yields each exactly once with its record, or `Died` where its worker died every time.
Workers = Callable[[list[Task]], Generator[tuple[Task, Record | Died], None, None]]


@dataclass(frozen=True)
class Outcome:
    """What became of the cases of a run.

    Attributes
    ----------
    records : tuple of dict
        One for each case that was named, in that order (`records`).
    kept : int
        How many of them were done before.
    """

    records: tuple[Record, ...]
    kept: int

    @property
    def done(self) -> tuple[Record, ...]:
        """The segmented ones."""
        return tuple(record for record in self.records if record["status"] == DONE)

    @property
    def failed(self) -> tuple[Record, ...]:
        """The others."""
        return tuple(record for record in self.records if record["status"] == FAILED)


def run_batch(sources: Iterable[Source], settings: Settings, workers: Workers, numbered: bool = False,
              progress: Progress = lambda done, total: None) -> Outcome:
    """Segment all cases that are not done yet; a case that fails never stops the others.

    Parameters
    ----------
    sources : iterable of Source
        From `inputs.find_sources`.
    workers : callable
        `local_workers(n)` or `cluster.cluster_workers(…)`.
    numbered : bool
        See `inputs.named`.

    Raises
    ------
    FlareSegError
        "output_exists" where the folder holds something else, or another run works on it; "output_unwritable"; what is
        wrong with a worker's place (`work.OF_THE_PLACE`). What is complete stays.
    KeyboardInterrupt
        On Ctrl-C, with a sentence; what is complete stays.
    """
    out = settings.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"{out} cannot be made ({error.strerror}); choose another "
                                                 "folder.") from error
    with locked(out):
        claim(out, SETTINGS_FILE, settings.document, settings.folders, "batch with another model or other settings")
        sweep((out, *(out / name for name in settings.folders)))
        known = read_records(out)
        cases = named(sources, {record["input"]: name for name, record in known.items()}, numbered)
        ended = {case.name: known[case.name] for case in cases if is_complete(known.get(case.name), case, settings)}
        kept = len(ended)
        tasks = [Task(case, settings) for case in cases if case.name not in ended]
        progress(kept, len(cases))
        write_lines(out, ended.values())
        try:
            with closing(workers(tasks)) as ends, open(out / LINES_FILE, "a", encoding="utf-8") as lines:
                for task, record in ends:
                    record = _settled(task, record)
                    ended[record["case"]] = record
                    lines.write(line_of(record))
                    lines.flush()
                    progress(len(ended), len(cases))
        except KeyboardInterrupt:
            # a case can have ended meanwhile: what lies in the folder counts, not what was heard of
            names = {case.name for case in cases}
            ended = {name: record for name, record in read_records(out).items() if name in names}
            write_lines(out, ended.values())
            _summarise(settings)
            done = sum(record["status"] == DONE for record in ended.values())
            raise KeyboardInterrupt(f"Stopped; {done} of {len(cases)} cases are done, and the same command goes on "
                                    "from there.") from None
        finally:
            sweep(out / name for name in settings.folders)
        _summarise(settings)
    return Outcome(tuple(ended[case.name] for case in cases), kept)


def local_workers(processes: int = 1) -> Workers:
    """Return workers that are processes of this machine, with its cores and its NVIDIA cards shared among them.

    Raises
    ------
    FlareSegError
        "bad_option" for less than one.
    """
    if processes < 1:
        raise FlareSegError("bad_option", f"{processes} jobs are too few; use 1 or more.")

    def run(tasks: list[Task]) -> Generator[tuple[Task, Record | Died], None, None]:
        if processes > 1:
            tasks = [_with_threads(task, max(1, _cores() // processes)) for task in tasks]
        return run_tasks(tasks, segment_case, processes, take_one_gpu)

    return run


def _with_threads(task: Task, threads: int) -> Task:
    method = task.settings.method
    if method.threads is not None:
        return task
    return replace(task, settings=replace(task.settings, method=replace(method, threads=threads)))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _settled(task: Task, record: Record | Died) -> Record:
    """The record of a case that has ended; of a failure it is written here."""
    if isinstance(record, Died):
        record = failed_record(task.case, "worker_died", f"The worker died in each of {record.attempts} attempts, most "
                                                         "likely because memory ran out; use fewer --jobs or a machine "
                                                         "with more.")
    if record["status"] == FAILED:
        write_record(task.settings.out, record)
    return record


def _summarise(settings: Settings) -> None:
    """Lines, table and page of all that is in the folder, also by earlier runs with other inputs."""
    records = list(read_records(settings.out).values())
    write_lines(settings.out, records)
    write_table(settings.out, records)
    write_contact_sheet(settings, records)
