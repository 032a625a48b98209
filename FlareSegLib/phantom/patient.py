"""What differs from one synthetic patient to the next."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import overload

import numpy as np

PHASES = ("native", "arterial", "portal")


@dataclass(frozen=True)
class Patient:
    """A seeded patient.

    Attributes
    ----------
    seed : int
    phase : str
        Contrast phase, one of `PHASES`.
    scale : tuple of float
        Stature: factors of the standard anatomy along x, y, z.
    fat : float
        Thickness of the subcutaneous fat, mm.
    """

    seed: int
    phase: str
    scale: tuple[float, float, float]
    fat: float

    def rng(self, name: str) -> np.random.Generator:
        """A random generator of its own for each named part, so that parts do not disturb each other."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    @overload
    def vary(self, name: str, spread: float) -> float: ...

    @overload
    def vary(self, name: str, spread: float, size: int) -> np.ndarray: ...

    def vary(self, name: str, spread: float, size: int | None = None) -> float | np.ndarray:
        """Uniform deviation in ±spread (a float, or an array of `size`), fixed by the seed and the name."""
        values = self.rng(name).uniform(-spread, spread, size)
        return float(values) if size is None else values


def make_patient(seed: int, phase: str) -> Patient:
    """Draw a patient: size within ±3 %, subcutaneous fat 11 to 25 mm."""
    if phase not in PHASES:
        raise ValueError(f"phase {phase!r} is none of {', '.join(PHASES)}")
    rng = np.random.default_rng([seed, 1])
    common = rng.uniform(-0.015, 0.015)
    x, y, z = (float(v) for v in 1 + common + rng.uniform(-0.015, 0.015, 3))
    return Patient(seed, phase, (x, y, z), float(rng.uniform(11.0, 25.0)))
