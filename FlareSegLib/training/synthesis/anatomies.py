"""Whole abdomens: one patient's organs in another one's body, in a shape of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...arrays import Floats, Mask
from ...disease.case import Grid
from ...volumes.volume import IDENTITY
from .hosts import Host
from .label_maps import OrganMap
from .registration import Points, Transform, index_at, points_of, register, sampled
from .shapes import ShapeMap, random_shape
from .tissues import FIRST_ORGAN, LANDMARKS, Tissue, Tissues

#: The made patient is looked over on nodes so many mm apart.
SURVEY_MM = 8.0
WIDEST_MM = 409.0
#: How far beyond the organs a scan goes at most, down and up, and how long it is: of an abdomen, of a trunk.
ABDOMEN_MM, TRUNK_MM = (70.0, 40.0, 320.0), (420.0, 280.0, 800.0)
#: A slice belongs to the new scan where at least this share of the body can be told from the host.
KNOWN_SHARE = 0.9
#: Organs lie at least this deep in the body, mm.
COVER_MM = 6.0
#: Tissues whose own HU in the host's CT are kept as detail, and how far they may differ from the median.
DETAIL_HU = {Tissue.FAT: (-60, 60), Tissue.MUSCLE: (-60, 60), Tissue.FLUID: (-60, 60), Tissue.BOWEL_WALL: (-60, 60),
             Tissue.BLOOD: (-60, 60), Tissue.LUNG: (-60, 300), Tissue.CORTICAL_BONE: (-300, 500),
             Tissue.MARROW: (-120, 200)}


@dataclass(frozen=True)
class Placement:
    """The way from a new patient's millimetres to the target's and on to the host's."""

    shape: ShapeMap
    transform: Transform

    def to_host(self, points: Points, in_target: Points | None = None) -> Points:
        """Map x, y, z (arrays of one shape, LPS mm); `in_target` are the target's points where they are known."""
        return self.transform.apply(self.shape.apply(points) if in_target is None else in_target)


@dataclass(frozen=True)
class Anatomy:
    """A whole-body label map.

    Attributes
    ----------
    tissues : numpy.ndarray
        uint8 `Tissue`, (k, j, i).
    grid : Grid
        Axis-aligned.
    detail : numpy.ndarray or None
        float32: how the host's HU differ from what is usual for its tissue; 0 in organs. None without a CT.
    """

    tissues: Tissues
    grid: Grid
    detail: Floats | None = None


def place(target: OrganMap, host: Host, rng: np.random.Generator) -> Placement:
    """Register a host to a target and draw a shape on top.

    Raises
    ------
    FlareSegError
        "bad_training_data" where they have fewer than two whole organs in common.
    """
    left_out = frozenset(target.cut) | frozenset(host.cut)
    transform = register(target.tissues, target.grid, host.tissues, host.grid, left_out)
    return Placement(random_shape(target.tissues, target.grid, rng), transform)


def scan_grid(target: OrganMap, host: Host, placement: Placement, spacing: tuple[float, float, float],
              rng: np.random.Generator, reach_mm: tuple[float, ...] = ABDOMEN_MM) -> Grid | None:
    """Draw which part of the new patient is scanned: all of the body in plane, organs and something around along z.

    Parameters
    ----------
    spacing : tuple of float
        i, j, k, mm.
    reach_mm : tuple of float
        `ABDOMEN_MM` or `TRUNK_MM`.

    Returns
    -------
    Grid or None
        None where the host shows too little of it.
    """
    below, above, longest_mm = reach_mm
    survey = _survey(target.grid, max(60.0, below, above))
    x = points_of(survey)
    in_target = placement.shape.apply(x)
    at = index_at(host.grid, placement.to_host(x, in_target))
    known = (at[0] > -0.5) & (at[0] < host.grid.shape[0] - 0.5)
    if set(target.cut) & set(LANDMARKS):
        beyond = index_at(target.grid, in_target)[0]
        known &= (beyond > 0) & (beyond < target.grid.shape[0] - 1)
    body = _read(host.tissues, at, Tissue.OUTSIDE, inside_only=(1, 2)) != Tissue.OUTSIDE
    organs = np.isin(_read(target.tissues, index_at(target.grid, in_target), 0), LANDMARKS)
    share = (known & body).sum(axis=(1, 2)) / np.maximum(body.sum(axis=(1, 2)), 1)
    usable = _longest_run((share > KNOWN_SHARE) & (body.sum(axis=(1, 2)) > 30))
    with_organs = np.flatnonzero(organs.any(axis=(1, 2)))
    if not len(usable) or not len(with_organs):
        return None
    z = survey.origin[2] + SURVEY_MM * np.arange(survey.shape[0])
    low = max(z[usable[0]], z[with_organs[0]] - rng.uniform(0, below))
    high = min(z[usable[-1]], z[with_organs[-1]] + rng.uniform(0, above))
    if high - low < 60:
        return None
    if high - low > longest_mm:
        low = rng.uniform(low, high - longest_mm)
        high = low + longest_mm
    box = [(o + SURVEY_MM * part[0], o + SURVEY_MM * part[-1]) for o, part in
           zip(survey.origin[:2], (np.flatnonzero((body & known).any(axis=axes)) for axes in ((0, 1), (0, 2))))]
    margin = rng.uniform(8, 35, 2)
    lower = [max(a - m, (a + b - WIDEST_MM) / 2) for (a, b), m in zip(box, margin)]
    upper = [min(b + m, (a + b + WIDEST_MM) / 2) for (a, b), m in zip(box, margin)]
    shape = tuple(int((b - a) / mm) for a, b, mm in zip((*lower, low), (*upper, high), spacing))[::-1]
    return Grid(shape, spacing, (*map(float, lower), float(low)), IDENTITY)


def _survey(grid: Grid, along_z: float) -> Grid:
    margin = (120.0, 120.0, along_z)
    shape = tuple(int((n * mm + 2 * m) / SURVEY_MM)
                  for n, mm, m in zip(grid.shape, reversed(grid.spacing), margin[::-1]))
    return Grid(shape, (SURVEY_MM,) * 3, tuple(o - m for o, m in zip(grid.origin, margin)), IDENTITY)


def _longest_run(usable: Mask) -> np.ndarray:
    parts, count = ndimage.label(usable)
    return np.flatnonzero(parts == 1 + int(np.argmax(np.bincount(parts)[1:]))) if count else np.empty(0, int)


def _read(tissues: Tissues, at: Floats, outside: int, inside_only: tuple[int, ...] = (0, 1, 2)) -> Tissues:
    """Nearest tissues at indices (3, ...); another value beyond the array's border along some axes."""
    found = sampled(tissues, at, nearest=True).astype(np.uint8)
    for axis in inside_only:
        found[(at[axis] < -0.5) | (at[axis] > tissues.shape[axis] - 0.5)] = outside
    return found


def make_anatomy(target: OrganMap, host: Host, placement: Placement, grid: Grid) -> Anatomy:
    """Put a target's organs into a host's body, on a grid.

    The host's own organs of the same kind become fat where no new one takes their place.
    """
    x = points_of(grid)
    in_target = placement.shape.apply(x)
    at = index_at(host.grid, placement.to_host(x, in_target))
    del x
    present = tuple(int(value) for value in np.unique(target.tissues) if value)
    tissues = _read(_emptied(host, (*LANDMARKS, *present)), at, Tissue.OUTSIDE, inside_only=(1, 2))
    detail = _detail(host, at)
    place = index_at(target.grid, in_target)
    best = np.full(grid.shape, 0.5, np.float32)
    shallow = _near_surface(tissues, grid)
    for value in present:
        cover = sampled(ndimage.gaussian_filter((target.tissues == value).astype(np.float32), 0.5), place)
        if value not in LANDMARKS:
            cover[shallow] = 0
        larger = cover > best
        tissues[larger], best[larger] = value, cover[larger]
    _cover(tissues, grid)
    _skin(tissues)
    if detail is not None:
        detail[tissues >= FIRST_ORGAN] = 0
    return Anatomy(tissues, grid, detail)


def _emptied(host: Host, organs: tuple[int, ...]) -> Tissues:
    """A host's tissues, fat where its organs were: soft tissue there would look like an organ without a label."""
    return np.where(np.isin(host.tissues, organs), np.uint8(Tissue.FAT), host.tissues)


def _cover(tissues: Tissues, grid: Grid) -> None:
    """Fat around organs that would reach out of the body."""
    organs = (tissues >= FIRST_ORGAN).astype(np.float32)
    sigma = [COVER_MM / mm for mm in reversed(grid.spacing)]
    near = ndimage.gaussian_filter(organs, sigma, truncate=2.0) > 0.08
    tissues[near & (tissues == Tissue.OUTSIDE)] = Tissue.FAT


def _near_surface(tissues: Tissues, grid: Grid) -> Mask:
    """Where organs that the registration knows nothing of would bulge out of the body."""
    outside = (tissues == Tissue.OUTSIDE).astype(np.float32)
    return ndimage.gaussian_filter(outside, [COVER_MM / mm for mm in reversed(grid.spacing)], truncate=2.0) > 0.1


def _skin(tissues: Tissues) -> None:
    """One voxel of skin all around: what the coarser host has of it comes in pieces."""
    tissues[tissues == Tissue.SKIN] = Tissue.FAT
    outside = tissues == Tissue.OUTSIDE
    tissues[ndimage.binary_dilation(outside, np.ones((1, 3, 3))) & (tissues == Tissue.FAT)] = Tissue.SKIN


def _detail(host: Host, at: Floats) -> Floats | None:
    """The host's HU less the median of their tissue, on the new grid."""
    if host.ct is None:
        return None
    hu = host.ct.array
    shape = host.tissues.shape
    own = [np.minimum(((np.arange(n) + 0.5) * m / n).astype(int), m - 1) for n, m in zip(shape, hu.shape)]
    values = ndimage.gaussian_filter(hu[np.ix_(*own)].astype(np.float32), 0.6)
    result = np.zeros(shape, np.float32)
    for tissue, limits in DETAIL_HU.items():
        mask = host.tissues == tissue
        if mask.any():
            result[mask] = np.clip(values[mask] - np.median(values[mask]), *limits)
    return sampled(result, at)
