"""Running something in a process of its own and telling on which machine: time, peak memory, Markdown tables.

Nothing here imports torch or anything else that is large, see `run_child`.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class ChildRun:
    """What a finished child process cost.

    Attributes
    ----------
    seconds : float
        Wall time from its start to its end, Python's start and all imports included.
    peak_gb : float
        Highest resident memory, 10^9 bytes, imports included.
    """

    seconds: float
    peak_gb: float


def run_child(script: Path, arguments: list[str], threads: int) -> ChildRun:
    """Run a Python script to its end; what it prints goes to stderr, so that stdout holds the table alone.

    On Linux the peak memory of a child begins with that of the process that started it, until its own is higher:
    the caller must be small.

    Raises
    ------
    SystemExit
        Where the script fails; its own message stands above.
    """
    started = time.perf_counter()
    child = subprocess.Popen([sys.executable, str(script), *arguments], stdout=sys.stderr, env=_environment(threads))
    try:
        _, status, usage = os.wait4(child.pid, 0)
    except BaseException:
        child.kill()
        child.wait()
        raise
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{script.name} {' '.join(arguments)} failed (exit status {child.returncode})")
    return ChildRun(seconds, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9)


def _environment(threads: int) -> dict[str, str]:
    """The same number of threads for everything, this checkout's library, and nnU-Net as it comes."""
    environment = dict(os.environ)
    environment.pop("nnUNet_compile", None)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "nnUNet_def_n_proc"):
        environment[name] = str(threads)
    paths = [str(REPOSITORY), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return environment


def usable_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine(packages: tuple[str, ...]) -> dict[str, str]:
    """Describe the machine, Python and the given packages (their versions, without importing them)."""
    description = {
        "CPU": _cpu_model(),
        "Cores": str(usable_cores()),
        "Memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB",
        "System": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
    }
    for package in packages:
        try:
            description[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            description[package] = "not installed"
    return description


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def load_average() -> float:
    """Processes that ran or waited for a core in the last minute."""
    return os.getloadavg()[0]


def machine_lines(description: dict[str, str], threads: int, load: float) -> str:
    """One line on the machine, and a warning where it was busy before the benchmark began."""
    line = ", ".join(f"{name} {value}" for name, value in description.items()) + f"; {threads} threads."
    if load > 0.5:
        line += f"\n\n**The machine was busy (load average {load:.1f}) before the start: times are not comparable.**"
    return line


def markdown_table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, padded so that it also reads well as plain text."""
    cells = [header, *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]

    def line(row: list[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(header), rule, *map(line, rows)])
