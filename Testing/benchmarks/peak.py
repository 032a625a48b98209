"""How fast this machine multiplies at best: `peak.py OUTCOME.json` writes GFLOP/s by number format.

The best of matrix products and of 3x3 convolutions of the sizes that the paper's network has, with as many threads as
OMP_NUM_THREADS says. A network that only multiplied could not be faster; predictor.py gives the share that is reached.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

MATRIX = 2048
#: Channels and side of a square map, of the paper's network.
CONVOLUTIONS = ((64, 256), (128, 128), (256, 64), (480, 32))
TRIES = 5


def peak_gflops(precision: str, matrix: int = MATRIX, convolutions=CONVOLUTIONS, tries: int = TRIES) -> float:
    """Return the highest rate of all products tried, 10^9 operations a second; a multiply-add counts as two."""
    import torch
    import torch.nn.functional as F

    kind = getattr(torch, precision)
    a, b = (torch.randn(matrix, matrix).to(kind) for _ in range(2))
    rates = [2e-9 * matrix**3 / _shortest(lambda: a @ b, tries)]
    for channels, side in convolutions:
        weight, image = torch.randn(channels, channels, 3, 3).to(kind), torch.randn(1, channels, side, side).to(kind)
        weight, image = (each.to(memory_format=torch.channels_last) for each in (weight, image))
        seconds = _shortest(lambda weight=weight, image=image: F.conv2d(image, weight, padding=1), tries)
        rates.append(2e-9 * 9 * channels**2 * side**2 / seconds)
    return max(rates)


def _shortest(work: Callable[[], object], tries: int) -> float:
    """Least seconds of one call; each try repeats it for some 50 ms, after one call to warm up."""
    import torch

    with torch.inference_mode():
        work()
        started = time.perf_counter()
        work()
        repeats = max(1, int(0.05 / max(time.perf_counter() - started, 1e-6)))
        return min(_seconds(work, repeats) for _ in range(tries))


def _seconds(work: Callable[[], object], repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - started) / repeats


if __name__ == "__main__":
    figures = {precision: peak_gflops(precision) for precision in ("float32", "bfloat16")}
    Path(sys.argv[1]).write_text(json.dumps(figures) + "\n", encoding="utf-8")
