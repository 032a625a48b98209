"""Running time and GPU memory of a program, as FLARE measures them.

The challenge starts a container for each case, reads total - free memory of the whole card every 0.1 s, and takes as
"maximum GPU memory when stable" the largest value that more than 2 % of the samples have (JunMa11/FLARE,
FLARE21/Evaluation/Efficiency.py and load_json.py). Short peaks therefore do not count, and neither does anything but
the card's own memory. FLARE23 and later take the plain maximum. Other programs on the card are counted with it: use
an idle one.
"""

from __future__ import annotations

import csv
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import FlareSegError
from .rows import Cost

INTERVAL_S = 0.1
STABLE_SHARE = 0.02
MIB = 2**20

#: Columns of FLARE21's own efficiency table (load_json.py).
COLUMNS = ("name", "time", "gpu_memory", "time_multiply_memory")


@dataclass(frozen=True)
class Usage:
    """What one run took.

    Attributes
    ----------
    seconds : float
        Wall clock.
    samples : tuple of float
        Used memory of the card, MiB, every `INTERVAL_S`; empty where it was not measured.
    """

    seconds: float
    samples: tuple[float, ...] = ()

    @property
    def gpu_mb(self) -> float | None:
        """Maximum GPU memory when stable, MiB."""
        return stable_maximum(self.samples)

    @property
    def area_mb_s(self) -> float | None:
        """Sum of the samples times their distance, MiB s (the challenge's time_multiply_memory)."""
        return sum(self.samples) * INTERVAL_S if self.samples else None


def stable_maximum(samples: Iterable[float]) -> float | None:
    """Return the largest value that more than 2 % of the samples have, None for no samples.

    Where no value is that frequent (many different values), the challenge's code fails; the plain maximum is taken.

    Examples
    --------
    >>> stable_maximum([1000] * 97 + [1017] * 2 + [9000])
    1000
    >>> stable_maximum([1000] * 96 + [1017] * 3 + [9000])
    1017
    """
    samples = list(samples)
    if not samples:
        return None
    stable = [value for value, count in Counter(samples).items() if count > STABLE_SHARE * len(samples)]
    return max(stable or samples)


class Sampler:
    """Reads a value again and again in a thread until it is left.

    Parameters
    ----------
    read : callable
        Returns the value; for the memory of a card, `gpu_memory_reader`.
    interval_s : float
        Seconds between two readings.
    """

    def __init__(self, read: Callable[[], float], interval_s: float = INTERVAL_S):
        self._read = read
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.samples: list[float] = []

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self.samples.append(self._read())
            if self._stop.wait(self._interval_s):
                return


def gpu_memory_reader(index: int = 0) -> Callable[[], float]:
    """Return a function that reads the used memory of a card (total - free), MiB.

    Raises
    ------
    FlareSegError
        "missing_package" without nvidia-ml-py, "device_unavailable" without such a card or its driver.
    """
    try:
        import pynvml
    except ImportError as error:
        raise FlareSegError("missing_package", "GPU memory is read through NVIDIA's NVML: install nvidia-ml-py, or "
                                               "measure the running time alone with --no-gpu.") from error
    try:
        pynvml.nvmlInit()
        card = pynvml.nvmlDeviceGetHandleByIndex(index)
    except pynvml.NVMLError as error:
        raise FlareSegError("device_unavailable", f"NVIDIA card {index} cannot be read: there is no such card or no "
                                                  "driver; measure the running time alone with --no-gpu.") from error

    def used() -> float:
        memory = pynvml.nvmlDeviceGetMemoryInfo(card)
        return round((memory.total - memory.free) / MIB)

    return used


def measure(command: list[str], read: Callable[[], float] | None = None) -> Usage:
    """Run a program to its end and return what it took.

    Parameters
    ----------
    command : list of str
        Program and arguments.
    read : callable or None
        Reads the memory (`gpu_memory_reader`); None for the time alone.

    Raises
    ------
    FlareSegError
        "not_found" for an unknown program, "measured_failed" where it ends with another status than 0.
    """
    sampler = Sampler(read) if read is not None else None
    start = time.perf_counter()
    try:
        if sampler is None:
            status = subprocess.run(command, check=False).returncode
        else:
            with sampler:
                status = subprocess.run(command, check=False).returncode
    except OSError as error:
        raise FlareSegError("not_found", f"{command[0]} cannot be started; check the command.") from error
    seconds = time.perf_counter() - start
    if status:
        raise FlareSegError("measured_failed", f"{command[0]} ended with status {status}; nothing was recorded.")
    return Usage(seconds, tuple(sampler.samples) if sampler else ())


def append_usage(path: Path, case: str, usage: Usage) -> None:
    """Add a line to a table with FLARE21's columns, which is made where there is none.

    Raises
    ------
    FlareSegError
        "output_unwritable".
    """
    area = "" if usage.area_mb_s is None else round(usage.area_mb_s, 1)
    memory = "" if usage.gpu_mb is None else usage.gpu_mb
    try:
        with open(path, "a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if not file.tell():
                writer.writerow(COLUMNS)
            writer.writerow([case, round(usage.seconds, 3), memory, area])
    except OSError as error:
        raise FlareSegError("output_unwritable", f"Cannot write {path}; choose another name or folder.") from error


def read_costs(path: str | Path) -> tuple[Cost, ...]:
    """Read a table of `append_usage` or of FLARE's own scripts; the last line of a case counts.

    Raises
    ------
    FlareSegError
        "not_found", "unreadable".
    """
    path = Path(path)
    if not path.is_file():
        raise FlareSegError("not_found", f"{path} does not exist; flareseg measure writes such a table.")
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        costs = {row["name"]: Cost(row["name"], _number(row["time"]), _number(row["gpu_memory"])) for row in rows}
    except (KeyError, TypeError, ValueError, UnicodeDecodeError) as error:
        raise FlareSegError("unreadable", f"{path} is no table with the columns {', '.join(COLUMNS)}.") from error
    return tuple(costs[case] for case in sorted(costs))


def _number(text: str) -> float | None:
    return float(text) if text else None
