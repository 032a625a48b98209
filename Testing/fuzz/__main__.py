"""Fuzz all readers for a fixed time each: ``python -m Testing.fuzz --seconds 60 [TARGET …]``, from the repository.

Prints a line a target: inputs tried, crashes found. Crashes are kept in the folder ``fuzz-found`` (``--out``).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from .targets import TARGETS

#: Deaths of the process after which a target is given up for this time.
MOST_DEATHS = 5
#: What a process may take longer than it was told: it starts, and an input may take a minute.
PATIENCE_S = 120


def fuzz(name: str, seconds: int, out: Path) -> tuple[int, list[Path]]:
    """Fuzz one target, a dead process being replaced; return the number of inputs and the crashes."""
    found = out / name
    found.mkdir(parents=True, exist_ok=True)
    (found / "runs").write_bytes(bytes(8))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}
    ends = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as scratch:
        corpus = Path(scratch, "corpus")
        corpus.mkdir()
        kept = Path(__file__).parent / "regressions" / name
        once_crashed = [path.read_bytes() for path in sorted(kept.glob("*"))]
        for number, data in enumerate([*TARGETS[name].seeds(), *once_crashed]):
            (corpus / str(number)).write_bytes(data)
        for death in range(MOST_DEATHS):
            left = int(ends - time.monotonic())
            if left <= 0:
                break
            command = [sys.executable, "-m", "Testing.fuzz.one", name, str(corpus), str(found), str(left)]
            with open(found / "log", "ab") as log:
                if _ends_well(command, environment, log, left + PATIENCE_S):
                    break
            if (found / "newest").exists():
                (found / "newest").rename(found / f"death-{death}")
    (found / "newest").unlink(missing_ok=True)
    crashes = [path for path in sorted(found.iterdir()) if path.name not in ("runs", "log") and path.suffix != ".txt"]
    return int.from_bytes((found / "runs").read_bytes(), "little"), crashes


def _ends_well(command: list[str], environment: dict[str, str], log: BinaryIO, seconds: int) -> bool:
    """False, too, for a process that neither ends nor reads: one that crashed while it had a lock."""
    try:
        return subprocess.run(command, env=environment, stdout=log, stderr=log, timeout=seconds, check=False
                              ).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main() -> int:
    """Return 0 where nothing crashed."""
    parser = argparse.ArgumentParser(prog="python -m Testing.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--out", type=Path, default=Path("fuzz-found"), help="a new folder for crashes")
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown or (options.out.exists() and any(options.out.iterdir())):
        parser.error(f"no target {', '.join(unknown)}" if unknown else f"{options.out} is not empty")
    inputs = crashes = 0
    for name in options.targets or TARGETS:
        tried, found = fuzz(name, options.seconds, options.out)
        inputs, crashes = inputs + tried, crashes + len(found)
        print(f"{name:15} {tried:9} inputs  {len(found)} crashes  {' '.join(path.name for path in found)}", flush=True)
    print(f"{'all':15} {inputs:9} inputs  {crashes} crashes")
    return int(crashes > 0)


if __name__ == "__main__":
    sys.exit(main())
