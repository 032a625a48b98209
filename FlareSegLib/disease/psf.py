"""How sharp a scan is: its in-plane point spread, read from the skin."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from ..arrays import Floats, Hu


#: Sigma, mm: what a CT's kernels reach, and what is taken where the skin tells nothing (a standard body kernel).
SHARPEST_MM, SOFTEST_MM, USUAL_MM = 0.3, 1.5, 0.6
SLICES = 8
#: Between air (below) and body; a body is at least this deep behind its skin, which clothes and tables are not.
SURFACE_HU, AIR_HU, BODY_MM = -500, -750, 12.0
#: Air is read this far before the surface, the skin's own HU this far behind it, mm.
AIR_MM, SKIN_MM = (3.0, 7.0), 3.5
FEWEST_EDGES = 40
#: Air that is the same up to the surface on more lines than this was painted over.
MOST_FLATTENED = 0.6
#: There, shares of the step above this say nothing (noise), and the first sample is to lie near the middle (sigmas).
FULL, FARTHEST_FIRST = 0.985, 0.5


def measure_psf(hu: Hu, spacing: tuple[float, ...]) -> float:
    """Sigma (mm) of the Gaussian that blurs a scan in plane.

    A step of height H blurred by sigma has the largest slope H / (sqrt(2 pi) sigma). Lines are followed from the front
    and from both sides (the table lies behind) until they meet the body; what a line's slant and the slices' thickness
    add to the width is taken off. Where the air was painted over, the skin's inner half must do.

    Parameters
    ----------
    hu : numpy.ndarray
        int16, (k, j, i), j to posterior.
    spacing : tuple of float
        i, j, k, mm.

    Returns
    -------
    float
        0.3 to 1.5 mm; 0.6 where no skin is seen.
    """
    first, last = int(0.15 * hu.shape[0]), max(int(0.85 * hu.shape[0]) - 1, 1)
    sigmas = [np.empty(0)]
    for k in np.unique(np.linspace(first, min(last, hu.shape[0] - 1), SLICES).astype(int)):
        pair = hu[[k, k + 1 if k + 1 < hu.shape[0] else max(k - 1, 0)]]
        quarter = hu.shape[2] // 4
        sigmas.append(_line_sigmas(pair[:, :, quarter:-quarter or None].transpose(0, 2, 1), spacing[1], spacing[0]))
        quarter = hu.shape[1] // 4
        for side in (pair, pair[:, :, ::-1]):
            sigmas.append(_line_sigmas(side[:, quarter:-quarter or None], spacing[0], spacing[1]))
    found = np.concatenate(sigmas)
    if len(found) < FEWEST_EDGES:
        return USUAL_MM
    return round(float(np.clip(np.median(found), SHARPEST_MM, SOFTEST_MM)), 3)


def _line_sigmas(hu: Hu, along: float, across: float) -> np.ndarray:
    """Sigmas (mm) of the usable ones of parallel lines that start outside the body.

    Parameters
    ----------
    hu : numpy.ndarray
        (2 neighbouring slices, lines, samples).
    along, across : float
        Millimetres between samples and between lines.
    """
    pair = hu[:, :, :hu.shape[2] * 2 // 3].astype(np.float32)
    meets, surface = _surfaces(pair, along)
    if pair.shape[1] < 8 or not meets[0].any():
        return np.empty(0)
    lines = np.arange(3, pair.shape[1] - 3)
    slant = (surface[0][lines + 3] - surface[0][lines - 3]) * along / (6 * across)
    bend = np.abs(surface[0][lines + 3] - 2 * surface[0][lines] + surface[0][lines - 3]) * along
    shift = (surface[1] - surface[0])[lines] * along
    usable = (meets[0][lines - 3] & meets[0][lines] & meets[0][lines + 3] & meets[1][lines]
              & (np.abs(slant) < 0.7) & (bend < 0.5) & (np.abs(shift) < 1.0))
    lines, slant, shift = lines[usable], slant[usable], shift[usable]
    if not len(lines):
        return np.empty(0)
    edge, height, clear = _steps(pair[0][lines], surface[0][lines].astype(int), along)
    if not clear.any():
        return np.empty(0)
    if np.mean(edge[clear, edge.shape[1] - _skin(along) - 1] == 0) > MOST_FLATTENED:
        width, usable = _inner_width(edge[:, -_skin(along):] / height[:, None], along)
        clear &= usable
    else:
        # A difference of neighbours is the slope's mean over a sample (variance h^2 / 12), and the steepest place lies
        # some h / 4 beside it, which looks like h^2 / 16 more.
        width = height * along / (np.sqrt(2 * np.pi) * np.maximum(np.diff(edge, axis=1).max(axis=1, initial=0), 1.0))
        width = np.sqrt(np.maximum(width**2 - along**2 * (1 / 12 + 1 / 16), 0.0))
    # A surface that leans is smeared over the slice, too.
    variance = (width**2 - shift**2 / 12) / (1 + slant**2)
    return np.sqrt(np.maximum(variance[clear], 0.0))


def _inner_width(fraction: Floats, along: float) -> tuple[np.ndarray, np.ndarray]:
    """Sigmas (mm) and which are usable, from the inner half of each step: anonymised air may end at its middle.

    `fraction` (lines, samples) is the share of the step that is reached at the first samples of the body. A step
    blurred by sigma reaches the normal distribution's share at x / sigma: two samples tell sigma.
    """
    first, second = (ndtri(np.clip(fraction[:, n], 0.01, FULL)) for n in (0, 1))
    return along / np.maximum(second - first, 0.1), (first < FARTHEST_FIRST) & (second > first)


def _surfaces(pair: Floats, along: float) -> tuple[np.ndarray, np.ndarray]:
    """Whether each line meets the body, and where (samples, with fraction): the first long run of tissue."""
    deep = max(int(round(BODY_MM / along)), 2)
    inside = np.cumsum(pair > SURFACE_HU, axis=2, dtype=np.int32)
    if pair.shape[2] <= deep + 1:
        return np.zeros(pair.shape[:2], bool), np.zeros(pair.shape[:2])
    run = inside[..., deep:] - inside[..., :-deep] == deep  # run[n]: samples n + 1 ... n + deep are tissue
    start = run.argmax(axis=2)
    before = np.take_along_axis(pair, start[..., None], 2)[..., 0]
    behind = np.take_along_axis(pair, start[..., None] + 1, 2)[..., 0]
    meets = run.any(axis=2) & (start > 0) & (before <= SURFACE_HU)
    fraction = (SURFACE_HU - before) / np.maximum(behind - before, 1.0)
    return meets, start + np.where(meets, fraction, 0.0)


def _skin(along: float) -> int:
    """Samples from the surface to behind the skin."""
    return max(int(np.ceil(SKIN_MM / along)), 2)


def _steps(lines: Floats, start: np.ndarray, along: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each line's HU over its air from 3 mm before the body to behind the skin, the step's height, whether it is clear.

    Clear: nothing but air lies before it.
    """
    near, far = (int(np.ceil(mm / along)) for mm in AIR_MM)
    # `start` is the last sample outside.
    place = np.clip(start[:, None] + np.arange(-far, _skin(along) + 1), 0, lines.shape[1] - 1)
    profile = np.take_along_axis(lines, place, 1)
    air = profile[:, :far - near + 1]
    profile = profile - np.median(air, axis=1, keepdims=True)
    clear = (start >= far) & (air.max(axis=1, initial=-5000) < AIR_HU)
    return profile[:, far - near:], np.maximum(profile[:, far:].max(axis=1, initial=1), 1), clear
