"""Fuzz one target in this process: ``python -m Testing.fuzz.one TARGET CORPUS FOUND SECONDS``, from the repository.

What escapes a reader as another exception than FlareSegError is kept in FOUND, once for each place; the work goes on.
``FOUND/newest`` is the input that was read last: what ended the process (native code, memory, an endless loop), where
that ended badly. libFuzzer's own copies are of no account, as it cannot always write them. ``FOUND/runs`` counts the
inputs.
"""

from __future__ import annotations

import random
import struct
import sys
import tempfile
import traceback
from pathlib import Path

import atheris

HANG_SECONDS, MEMORY_MB = 60, 3000


def main(name: str, corpus: Path, found: Path, seconds: int) -> None:
    """Run until the time is over; libFuzzer ends the process."""
    with atheris.instrument_imports(include=["FlareSegLib"]):
        from .json_mutator import changed_json
        from .targets import TARGETS, check

        target = TARGETS[name]
        counter = open(found / "runs", "r+b", buffering=0)
        before, = struct.unpack("<q", counter.read(8))
        runs = before
        scratch = "/dev/shm" if Path("/dev/shm").is_dir() else None

        def once(data: bytes) -> None:
            nonlocal runs
            runs += 1
            counter.seek(0)
            counter.write(struct.pack("<q", runs))
            (found / "newest").write_bytes(data)
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                try:
                    check(target, data, Path(folder))
                except Exception as error:
                    keep(found, data, error)

        def mutated(data: bytes, longest: int, seed: int) -> bytes:
            rng = random.Random(seed)
            other = changed_json(data, longest, rng) if target.is_json and rng.random() < 0.8 else None
            return atheris.Mutate(data, longest) if other is None else other

        for data in target.seeds():  # what is imported on the way is instrumented once, which takes seconds
            once(data)
        runs = before
        longest = max(4096, 2 * max(map(len, target.seeds())))
        atheris.Setup([sys.argv[0], str(corpus), f"-max_total_time={seconds}", f"-timeout={HANG_SECONDS}",
                       f"-rss_limit_mb={MEMORY_MB}", f"-max_len={longest}", f"-artifact_prefix={corpus}-",
                       "-verbosity=0", "-report_slow_units=1000"],
                      once, custom_mutator=mutated)
        atheris.Fuzz()


def keep(found: Path, data: bytes, error: Exception) -> None:
    """Keep an input and how it failed, the first of each place."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "FlareSegLib" in frame.filename]
    place = f"{Path(frames[-1].filename).stem}_{frames[-1].lineno}" if frames else "target"
    name = f"{type(error).__name__}-{place}"
    if not (found / name).exists():
        (found / name).write_bytes(data)
        (found / f"{name}.txt").write_text("".join(traceback.format_exception(error)), "utf-8", "backslashreplace")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
