"""How a CT shows ideal HU: table, kernel, slice thickness, beam hardening, streaks, noise, field of view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...arrays import Floats, Labels, Mask
from ...disease.case import HIGHEST_HU, LOWEST_HU, Case, Grid
from ...disease.noise import BINS, NoiseModel

AIR = -1000.0


@dataclass(frozen=True)
class ScannerSettings:
    """Probabilities and ranges; mm, HU."""

    slice_mm: tuple[float, ...] = (1.6, 2.0, 2.5, 2.5, 3.0, 4.0, 5.0, 5.0)
    kernel_mm: tuple[float, float] = (0.35, 1.1)
    noise_hu: tuple[float, float] = (3.0, 24.0)
    overlap: float = 0.3               # probability that slices are thicker than they are apart
    cupping_hu: float = 12.0
    streak_probability: float = 0.25
    streak_hu: tuple[float, float] = (3.0, 18.0)
    table_probability: float = 0.75
    round_field_probability: float = 0.25
    flat_air_probability: float = 0.2
    transferred_probability: float = 0.4


def draw_slices(rng: np.random.Generator, settings: ScannerSettings = ScannerSettings()) -> tuple[float, int]:
    """Draw the slices' distance (mm) and of how many finer ones each is the mean."""
    slice_mm = float(rng.choice(settings.slice_mm))
    return slice_mm, max(1, round(slice_mm / 1.8))


def scan(hu: Floats, labels: Labels, grid: Grid, count: int, rng: np.random.Generator,
         settings: ScannerSettings = ScannerSettings()) -> Case:
    """Scan a patient.

    Parameters
    ----------
    hu : numpy.ndarray
        float32 (k, j, i), ideal; overwritten.
    labels : numpy.ndarray
        uint8, same shape.
    grid : Grid
        Axis-aligned.
    count : int
        So many slices become one.

    Returns
    -------
    Case
        int16 HU and the labels of each thick slice's middle.
    """
    body = hu > -400
    if rng.random() < settings.table_probability:
        _table(hu, body, grid, rng)
    sigma = rng.uniform(*settings.kernel_mm)
    along = 0.6 * count if rng.random() < settings.overlap else 0.0
    hu = ndimage.gaussian_filter(hu, (along, sigma / grid.spacing[1], sigma / grid.spacing[0]))
    slices = len(hu) // count
    hu = hu[:slices * count].reshape(slices, count, *hu.shape[1:]).mean(axis=1)
    labels = np.ascontiguousarray(labels[count // 2:slices * count:count])
    body = body[count // 2:slices * count:count]
    add_artefacts(hu, body, rng, settings)
    hu += draw_noise(rng, settings).sample(hu.shape, int(rng.integers(2**31))) * _loudness(body)
    if rng.random() < settings.round_field_probability:
        _round_field(hu, labels, rng)
    if rng.random() < settings.flat_air_probability:
        hu[(hu < -700) & ~body] = rng.choice((-1000.0, -1024.0))
    spacing = (*grid.spacing[:2], grid.spacing[2] * count)
    thick = Grid(hu.shape, spacing, (0.0, 0.0, 0.0), grid.direction)
    return Case(np.clip(np.rint(hu), LOWEST_HU, HIGHEST_HU).astype(np.int16), labels, thick)


def scanned_again(case: Case, rng: np.random.Generator, settings: ScannerSettings = ScannerSettings()) -> Case:
    """A real scan as other scanners would show it: now and then more noise, streaks, a smaller field of view."""
    hu, labels = case.hu.astype(np.float32), case.labels.copy()
    body = ndimage.binary_closing(hu > -400, np.ones((1, 3, 3)), iterations=2)
    if rng.random() < settings.transferred_probability:
        add_artefacts(hu, body, rng, settings)
        hu += 0.5 * draw_noise(rng, settings).sample(hu.shape, int(rng.integers(2**31))) * _loudness(body)
    if rng.random() < settings.round_field_probability:
        _round_field(hu, labels, rng)
    return case.with_arrays(np.clip(np.rint(hu), LOWEST_HU, HIGHEST_HU).astype(np.int16), labels)


def draw_noise(rng: np.random.Generator, settings: ScannerSettings = ScannerSettings()) -> NoiseModel:
    """Draw noise: how loud, how fine (a ramp cut off by the kernel), how alike from slice to slice."""
    frequency = np.fft.fftfreq(BINS)
    radius = np.hypot(frequency[:, None], frequency)
    amplitude = (radius + 0.02) ** rng.uniform(0.0, 0.6) * np.exp(-(radius / rng.uniform(0.18, 0.7)) ** 2)
    amplitude /= np.sqrt(np.mean(amplitude**2))
    sd = float(np.exp(rng.uniform(*np.log(settings.noise_hu))))
    return NoiseModel(sd, amplitude.astype(np.float32), float(rng.uniform(0, 0.4)), "assumed")


def add_artefacts(hu: Floats, body: Mask, rng: np.random.Generator, settings: ScannerSettings) -> None:
    """Cupping, and streaks across the patient's width as where photons are few; in place."""
    depth = ndimage.gaussian_filter(body.astype(np.float32), (0, 12, 12))
    hu += body * np.float32(rng.normal(0, settings.cupping_hu / 2)) * (depth - np.float32(0.7))
    if rng.random() < settings.streak_probability:
        grain = rng.standard_normal(hu.shape, dtype=np.float32)
        streaks = ndimage.gaussian_filter(grain, (0.3, 0.7, rng.uniform(10, 40)))
        streaks *= np.float32(rng.uniform(*settings.streak_hu)) / max(float(streaks.std()), 1e-6)
        width = body.sum(axis=2, keepdims=True) / max(int(body.sum(axis=2).max()), 1)
        hu += streaks * body * width.astype(np.float32) ** 2


def _loudness(body: Mask) -> Floats:
    """Noise is louder in the middle of a body than at its edge and in the air: 0.6 to 1.2."""
    depth = ndimage.gaussian_filter(body.astype(np.float32), (0, 14, 14))
    return np.float32(0.6) + np.float32(0.6) * depth


def _table(hu: Floats, body: Mask, grid: Grid, rng: np.random.Generator) -> None:
    """A curved shell with foam below, a little behind the back."""
    rows = np.flatnonzero(body.any(axis=(0, 2)))
    columns = np.flatnonzero(body.any(axis=(0, 1)))
    if not len(rows):
        return
    height, width = hu.shape[1:]
    x = (np.arange(width) - columns.mean() + rng.normal(0, 10)) * grid.spacing[0]
    y = np.arange(height)[:, None] * grid.spacing[1]
    top = rows[-1] * grid.spacing[1] + rng.uniform(2, 14) - x**2 / rng.uniform(900, 4000)
    depth, thickness = y - top, rng.uniform(8, 30)
    inside = (depth > 0) & (depth < thickness) & (np.abs(x) < rng.uniform(150, 240))
    shell = inside & ((depth < 3) | (depth > thickness - 3))
    picture = np.where(shell, rng.uniform(-700, 0), np.where(inside, rng.uniform(-960, -880), AIR)).astype(np.float32)
    place = inside[None] & ~body
    hu[place] = np.broadcast_to(picture, hu.shape)[place]


def _round_field(hu: Floats, labels: Labels, rng: np.random.Generator) -> None:
    """Cut off what lies beyond a circle, labels too."""
    rows, columns = hu.shape[1:]
    y, x = np.arange(rows)[:, None] - rows / 2, np.arange(columns) - columns / 2
    outside = y**2 + x**2 > (rng.uniform(0.42, 0.55) * max(rows, columns)) ** 2
    hu[:, outside], labels[:, outside] = LOWEST_HU, 0
