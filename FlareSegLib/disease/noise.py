"""The noise of a scan: how strong it is, its grain in plane, and how alike neighbouring slices are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import fft, ndimage

from ..arrays import Floats, Hu, Labels, Mask
from .case import LABEL_OF, Box

#: Noise is what a Gaussian of this sigma takes out of a slice, mm.
SMOOTH_MM = 3.0
#: Spectra are kept on this many frequencies along j and i, cycles per voxel.
BINS = 32
WINDOWS = (32, 24, 16, 12, 8)
FEWEST_WINDOWS = 8
MOST_VOXELS = 400_000
#: Where no organ is large enough to measure in: noise of a usual abdominal CT, HU.
USUAL_SD = 12.0
#: A lesion that is dragged keeps its seed and, but for a voxel, its box: so few voxels of noise are kept for it, drawn
#: in lots of so many slices.
MOST_KEPT, LOT = 1_000_000, 4


@dataclass(frozen=True)
class NoiseModel:
    """Stationary noise.

    Attributes
    ----------
    sd : float
        HU.
    spectrum : numpy.ndarray
        float32 (32, 32): amplitude at numpy.fft.fftfreq(32) cycles per voxel along j and i; mean square 1.
    along_z : float
        Correlation of neighbouring slices, 0 to 0.95.
    source : str
        What it was measured in, "organ" (asked for), "other organ" or "assumed".
    """

    sd: float
    spectrum: np.ndarray
    along_z: float
    source: str = "organ"

    def sample(self, shape_kji: tuple[int, ...], seed: int) -> Floats:
        """Noise of a shape, float32, HU; the same for the same seed."""
        slices, height, width = shape_kji
        size = fft.next_fast_len(height, real=True), fft.next_fast_len(width, real=True)
        lots = -(-slices // LOT) * LOT
        if lots * size[0] * size[1] > MOST_KEPT:
            return self._drawn((slices, *size), seed)[:, :height, :width]
        return _kept_noise(self.sd, self.along_z, np.asarray(self.spectrum, np.float32).tobytes(), (lots, *size), seed)[
            :slices, :height, :width].copy()

    def _drawn(self, shape: tuple[int, ...], seed: int) -> Floats:
        """Noise that goes on beyond its borders in plane; its first slices do not depend on how many there are."""
        amplitude = self._amplitude((shape[1], shape[2]))
        rng = np.random.default_rng(seed)
        noise = np.empty(shape, np.float32)
        white = np.zeros(shape[1:], np.float32)
        for k in range(shape[0]):
            fresh = rng.standard_normal(shape[1:], dtype=np.float32)
            white = fresh if k == 0 else self.along_z * white + np.float32(np.sqrt(1 - self.along_z**2)) * fresh
            noise[k] = fft.irfft2(fft.rfft2(white) * amplitude, shape[1:])
        return noise

    def _amplitude(self, size: tuple[int, int]) -> Floats:
        """The spectrum on the frequencies of a real transform of this size, scaled to the noise's SD."""
        j, i = (np.fft.fftfreq(n) * BINS for n in size)
        places = np.stack(np.meshgrid(j, i, indexing="ij"))
        whole = ndimage.map_coordinates(self.spectrum, places, order=1, mode="grid-wrap").astype(np.float32)
        whole *= np.float32(self.sd / max(float(np.sqrt(np.mean(whole**2))), 1e-9))
        return whole[:, :size[1] // 2 + 1]


@lru_cache(maxsize=4)
def _kept_noise(sd: float, along_z: float, spectrum: bytes, shape: tuple[int, ...], seed: int) -> Floats:
    model = NoiseModel(sd, np.frombuffer(spectrum, np.float32).reshape(BINS, BINS), along_z)
    return model._drawn(shape, seed)


def measure_noise(hu: Hu, labels: Labels, spacing: tuple[float, ...], label: int, box: Box) -> NoiseModel:
    """Measure the noise in an organ, in windows that lie wholly inside; the louder half holds vessels and is left out.

    Where the organ has too little room, another organ's noise is taken, and where none has, white noise of 12 HU;
    the model's `source` says which.

    Parameters
    ----------
    hu, labels : numpy.ndarray
        int16 and uint8, (k, j, i).
    spacing : tuple of float
        i, j, k, mm.
    label : int
        The organ's value in `labels`.
    box : tuple of slice
        Where it is.
    """
    model = _model_in(hu[box], labels[box] == label, spacing, "organ")
    if model is not None:
        return model
    boxes = ndimage.find_objects(labels, max_label=max(LABEL_OF.values()))
    for other in sorted(LABEL_OF.values(), key=lambda value: (value != LABEL_OF["liver"], value)):
        if other != label and boxes[other - 1] is not None:
            part = boxes[other - 1]
            model = _model_in(hu[part], labels[part] == other, spacing, "other organ")
            if model is not None:
                return model
    return NoiseModel(USUAL_SD, np.ones((BINS, BINS), np.float32), 0.0, "assumed")


def residual_sd(hu: Floats, mask: Mask, spacing: tuple[float, ...]) -> float:
    """SD (HU) of what a 3 mm Gaussian takes out of the slices, over a mask; 0 for an empty one.

    Only the mask's own voxels are smoothed, and what fewer neighbours make the residual smaller near the mask's border
    is made up for: the same noise measures the same in a small lesion and in its organ. Taken from the quartiles, so
    that an organ's few vessels hardly count.

    Parameters
    ----------
    hu : numpy.ndarray
        float, (k, j, i).
    mask : numpy.ndarray
        bool, same shape.
    spacing : tuple of float
        i, j, k, mm.
    """
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    if not len(slices):
        return 0.0
    most = max(MOST_VOXELS // mask[0].size, 3)
    if len(slices) > most:
        slices = slices[np.linspace(0, len(slices) - 1, most).astype(int)]
    return _spread(*_residual(hu[slices], mask[slices], spacing), mask[slices], spacing)


def _spread(residual: Floats, share: Floats, mask: Mask, spacing: tuple[float, ...]) -> float:
    """SD of a residual as its quartiles tell it, as if the mask had no border."""
    grain = _grain_mm(residual, mask, spacing)
    low, high = np.percentile(residual[mask] / _kept(share[mask], grain), (25, 75))
    return float(high - low) / 1.349 * float(_kept(np.ones(1), grain)[0])


def _residual(hu: Floats, mask: Mask, spacing: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """HU less their smooth part (0 outside the mask), and how much of the Gaussian lies inside the mask."""
    sigma = (0.0, SMOOTH_MM / spacing[1], SMOOTH_MM / spacing[0])
    weight = mask.astype(np.float32)
    share = ndimage.gaussian_filter(weight, sigma, mode="constant", truncate=3.0)
    # A level near the organ's own keeps the float32 sums exact.
    level = np.float32(np.median(hu[mask][:10_000])) if mask.any() else np.float32(0)
    values = np.where(mask, hu - level, np.float32(0)).astype(np.float32)
    smooth = ndimage.gaussian_filter(values, sigma, mode="constant", truncate=3.0) / np.maximum(share, 1e-6)
    return np.where(mask, values - smooth, np.float32(0)), share


def _kept(share: np.ndarray, grain: float) -> np.ndarray:
    """SD of the residual over that of the noise, for the share of the Gaussian that lies inside the mask.

    White noise blurred by `grain` (mm) has the autocorrelation exp(-r^2 / (4 grain^2)); weighted by a Gaussian of
    sigma S it sums to 2 grain^2 / (S^2 + 2 grain^2), by that Gaussian correlated with itself to
    2 grain^2 / (2 S^2 + 2 grain^2). A share of the Gaussian makes its weights larger by 1 / share.
    """
    share = np.maximum(share, 0.1)
    own = 2 * grain**2 / (SMOOTH_MM**2 + 2 * grain**2) / share
    both = 2 * grain**2 / (2 * SMOOTH_MM**2 + 2 * grain**2) / share
    return np.sqrt(np.maximum(1 - 2 * own + both, 0.1))


def _grain_mm(residual: Floats, mask: Mask, spacing: tuple[float, ...]) -> float:
    """The blur of white noise that has the residual's correlation between neighbours along i."""
    both = mask[..., 1:] & mask[..., :-1]
    power = float(np.mean(residual[mask] ** 2))
    if not both.any() or power <= 0:
        return 0.3
    correlation = float(np.mean(residual[..., 1:][both] * residual[..., :-1][both])) / power
    return float(np.clip(spacing[0] / np.sqrt(-4 * np.log(np.clip(correlation, 0.02, 0.95))), 0.28 * spacing[0], 1.5))


def _model_in(hu: Hu, mask: Mask, spacing: tuple[float, ...], source: str) -> NoiseModel | None:
    """The noise in a mask; None where it has no room for enough windows."""
    chosen = _chosen_slices(mask)
    for size in WINDOWS:
        corners = [(k, *corner) for k in chosen for corner in _windows(mask[k], size)]
        if len(corners) >= FEWEST_WINDOWS:
            break
    else:
        return None
    used = sorted({k for k, _, _ in corners} | {min(k + 1, len(mask) - 1) for k, _, _ in corners})
    place = {k: n for n, k in enumerate(used)}
    residual, share = _residual(hu[used].astype(np.float32), mask[used], spacing)
    windows = np.stack([residual[place[k], j:j + size, i:i + size] for k, j, i in corners])
    loudness = windows.std(axis=(1, 2))
    quiet = np.argsort(loudness, kind="stable")[:max(len(corners) // 2, FEWEST_WINDOWS // 2)]
    # The grain is the quieter half's. How loud it is, all of the organ's voxels say, and in the very measure that
    # lesions are judged by: half of the windows are quieter by chance alone.
    power = _power(windows[quiet])
    power *= _spread(residual, share, mask[used], spacing)**2 / max(float(power.mean()), 1e-9)
    # What the smoothing took away is given back, but for the slowest part, of which little is known.
    left = _left(spacing)
    given_back = power / np.maximum(left, 0.5)**2
    power = given_back * power.mean() / max(float(np.mean(given_back * left**2)), 1e-9)
    amplitude = np.sqrt(power / max(float(power.mean()), 1e-9)).astype(np.float32)
    above = [(n, *corners[n]) for n in quiet if corners[n][0] + 1 < len(mask)]
    pairs = [(windows[n], residual[place[k + 1], j:j + size, i:i + size]) for n, k, j, i in above
             if mask[k + 1, j:j + size, i:i + size].all()]
    return NoiseModel(float(np.sqrt(power.mean())), amplitude, _correlation(pairs), source)


def _chosen_slices(mask: Mask) -> np.ndarray:
    """Evenly spread slices of the mask, as many as are quick to smooth (each with its neighbour)."""
    areas = np.count_nonzero(mask, axis=(1, 2))
    full = np.flatnonzero(areas > 0.2 * areas.max(initial=1))
    return full[np.unique(np.linspace(0, len(full) - 1, max(MOST_VOXELS // mask[0].size, 4)).astype(int))] \
        if len(full) else full


def _windows(mask: Mask, size: int) -> np.ndarray:
    """(n, 2): first j, i of the squares that lie wholly inside, half a square apart."""
    if min(mask.shape) < size:
        return np.empty((0, 2), int)
    total = np.pad(mask, ((1, 0), (1, 0))).astype(np.int32).cumsum(0).cumsum(1)
    filled = total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
    return np.argwhere(filled[::size // 2, ::size // 2] == size * size) * (size // 2)


def _power(windows: Floats) -> np.ndarray:
    """Mean power spectrum (32, 32) of windows (n, size, size); its mean is their variance."""
    size = windows.shape[1]
    taper = np.hanning(size + 2)[1:-1]
    taper = np.outer(taper, taper)
    taper /= np.sqrt(np.sum(taper**2))
    return np.mean(np.abs(np.fft.fft2(windows * taper, (BINS, BINS))) ** 2, axis=0)


def _left(spacing: tuple[float, ...]) -> np.ndarray:
    """(32, 32): the share of each frequency's amplitude that is left when the smooth part is taken away."""
    j, i = np.fft.fftfreq(BINS)[:, None] / spacing[1], np.fft.fftfreq(BINS) / spacing[0]
    return 1 - np.exp(-2 * np.pi**2 * SMOOTH_MM**2 * (j**2 + i**2))


def _correlation(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Correlation of windows with the ones in the next slice, 0 to 0.95."""
    if not pairs:
        return 0.0
    here, there = (np.stack(side) for side in zip(*pairs))
    scale = float(np.sqrt(np.mean(here**2) * np.mean(there**2)))
    return float(np.clip(np.mean(here * there) / max(scale, 1e-9), 0.0, 0.95))
