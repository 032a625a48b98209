import numpy as np

from FlareSegLib.inference.memory import peak_memory_mb


def test_peak_memory_sees_a_large_array():
    before = peak_memory_mb()
    held = np.ones(60_000_000, np.uint8)
    assert peak_memory_mb() >= before
    assert peak_memory_mb() > 60
    assert held[-1] == 1
