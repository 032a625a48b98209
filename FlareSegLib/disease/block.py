"""The part of a case that an operation works on, and painting into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy import ndimage

from ..arrays import Floats, Hu, Labels, Mask
from ..shapes import Shape
from .case import HIGHEST_HU, LOWEST_HU, UNKNOWN, Box, Grid, Vector, extent
from .coarse import grid_points
from .noise import residual_sd

#: Voxels larger than this are sampled several times along their axis, so that thick slices show partial volume.
SAMPLE_MM = 1.5
#: What stands out so far above its organ, smoothed so much that noise does not, is a vessel.
VESSEL_HU, VESSEL_MM = 25.0, 1.2
#: The tissue at one place of an organ differs from its median by no more than this.
MOST_LOCAL_HU = 20.0
#: Noise is not measured in less.
FEWEST_VOXELS = 100

#: Two points of the patient (LPS, mm).
Axis = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class PatientPoints:
    """Points of a block in the patient, as `shapes.Shape` reads them: x, y, z in LPS, mm, float32 (k, j, i)."""

    x: Floats
    y: Floats
    z: Floats

    @cached_property
    def _extents(self) -> list[list[tuple[np.ndarray, np.ndarray]]]:
        """For each array axis and coordinate, the lowest and highest value of each plane across that axis.

        The points lie on a regular grid: a plane's corners have them.
        """
        ends = [slice(None, None, max(n - 1, 1)) for n in self.x.shape]
        found = []
        for axis in range(3):
            corners = tuple(slice(None) if a == axis else end for a, end in enumerate(ends))
            across = tuple(a for a in range(3) if a != axis)
            found.append([(c[corners].min(axis=across), c[corners].max(axis=across)) for c in (self.x, self.y, self.z)])
        return found

    def box(self, lower: Vector, upper: Vector) -> Box | None:
        """The k, j, i slices that hold all points between two corners; None where there are none."""
        parts = []
        for planes in self._extents:
            met = np.logical_and.reduce([(high >= lo) & (low <= up)
                                         for (low, high), lo, up in zip(planes, lower, upper)])
            if not met.any():
                return None
            found = np.flatnonzero(met)
            parts.append(slice(int(found[0]), int(found[-1]) + 1))
        return tuple(parts)

    def __getitem__(self, box: Box) -> PatientPoints:
        return PatientPoints(self.x[box], self.y[box], self.z[box])


@dataclass(frozen=True)
class Change:
    """What an operation made of a box of a case.

    Attributes
    ----------
    box : tuple of slice
        k, j, i; nothing outside it changed.
    hu, labels : numpy.ndarray
        int16 and uint8: the box's voxels afterwards.
    cover : numpy.ndarray or None
        float32, 0 to 1: how far each voxel belongs to the lesion.
    wanted : numpy.ndarray or None
        float32: the noise-free HU that the lesion was meant to have, where `cover` is positive.
    jacobian : float
        Smallest determinant of the displacement; 1 where nothing moved.
    contrast_changed : bool
        Whether whole organs have other HU now, so that phase, noise and blur must be measured again.
    axis : tuple or None
        Of a lesion that runs a way (`direction`): the point that it is turned about, and its tip; LPS, mm.
    """

    box: Box
    hu: Hu
    labels: Labels
    cover: Floats | None = None
    wanted: Floats | None = None
    jacobian: float = 1.0
    contrast_changed: bool = False
    axis: Axis | None = None


@dataclass
class Block:
    """A box of a case while it is edited: its own copies, changed in place by the functions of this library.

    Attributes
    ----------
    grid : Grid
        Of the whole case.
    box : tuple of slice
        k, j, i.
    hu, labels : numpy.ndarray
        float32 and uint8, (k, j, i).
    before : numpy.ndarray
        int16: the box's HU when the edit began; not to be changed.
    psf_mm : float
        Sigma of the scan's in-plane point spread.
    cover, wanted : numpy.ndarray
        float32, what `Change` tells of the lesion; painting keeps them.
    jacobian : float
        Smallest one so far.
    outer : Block or None
        The block of which this one is a part: its arrays are views into that one's.
    axis : tuple or None
        Set by a disease that runs a way, see `Change`.
    """

    grid: Grid
    box: Box
    hu: Floats
    labels: Labels
    before: Hu
    psf_mm: float
    jacobian: float = 1.0
    outer: Block | None = None
    axis: Axis | None = None
    cover: Floats = field(init=False)
    wanted: Floats = field(init=False)

    def __post_init__(self) -> None:
        if self.outer is None:
            self.cover, self.wanted = (np.zeros(self.hu.shape, np.float32) for _ in range(2))

    def part(self, lower: Vector, upper: Vector, margin_mm: float) -> Block:
        """The part between two corners (LPS, mm) and a margin; painting into it is painting into this block.

        A lesion is painted in a box of its own, however far it pushes its surroundings.
        """
        whole = self.grid.box(lower, upper, margin_mm)
        box = self.box if whole is None else tuple(slice(max(a.start, b.start), min(a.stop, b.stop))
                                                   for a, b in zip(whole, self.box))
        if any(part.start >= part.stop for part in box):
            box = self.box
        inner = tuple(slice(part.start - outer.start, part.stop - outer.start) for part, outer in zip(box, self.box))
        found = Block(self.grid, box, self.hu[inner], self.labels[inner], self.before[inner], self.psf_mm, outer=self)
        found.cover, found.wanted = self.cover[inner], self.wanted[inner]
        return found

    @cached_property
    def points(self) -> PatientPoints:
        """Where the voxels' centres are."""
        return self.points_shifted((0.0, 0.0, 0.0))

    def points_shifted(self, shift_kji: Vector) -> PatientPoints:
        """Where the voxels' centres would be, moved by parts of a voxel along k, j, i."""
        return PatientPoints(*grid_points(self.grid, [np.arange(part.start, part.stop) for part in self.box],
                                          shift_kji))

    def change(self, contrast_changed: bool = False) -> Change:
        """The finished edit; HU that were edited are rounded and kept within a CT's range."""
        if self.outer is not None:
            return self.outer.change(contrast_changed)
        hu = np.empty_like(self.before)
        in_range = LOWEST_HU <= self.before.min() and self.before.max() <= HIGHEST_HU
        for slice_after, edited, before in zip(hu, self.hu, self.before):
            rounded = np.rint(edited)
            slice_after[:] = np.clip(rounded, LOWEST_HU, HIGHEST_HU)
            if not in_range:  # the scanner's padding stays
                np.copyto(slice_after, before, where=rounded == before)
        lesion = bool((self.cover > 0).any())
        return Change(self.box, hu, self.labels, self.cover if lesion else None, self.wanted if lesion else None,
                      self.jacobian, contrast_changed, self.axis)


Look = float | np.floating[Any] | np.ndarray


def coverage(block: Block, shape: Shape, edge_mm: float = 0.0, blurred: bool = True,
             grown: float | Sequence[float] = 0.0) -> Floats:
    """How far each voxel lies in a body, 0 to 1: partial volume, a soft edge, and the scan's own blur.

    Parameters
    ----------
    shape : Shape
        In LPS, mm.
    edge_mm : float
        Width over which the tissue itself goes over into the lesion: 0 a cyst, 6 an infiltrating tumour.
    blurred : bool
        Whether the scan's point spread comes on top.
    grown : float or sequence of float
        The body is thicker by so many mm (thinner where negative). Several: its distances are worked out once for all.

    Returns
    -------
    numpy.ndarray
        float32, of the block's shape; with several `grown`, one after the other along a first axis.
    """
    width, thicker = edge_mm + sharpest_step_mm(block), np.asarray(grown, np.float32)[..., None, None, None]
    largest = shape.grown(float(np.max(grown)))
    return smeared(block, lambda points: soft_step(shape.distance(points) - thicker, width), largest.lower,
                   largest.upper, width, blurred)


def sharpest_step_mm(block: Block) -> float:
    """Width of the `soft_step` at a sharp surface: what `blurred_like_scan` lacks of the scan's point spread.

    Where the point spread is narrower than a pixel, a kernel of whole pixels hardly blurs; a step of width w has the
    sigma w / sqrt(20).
    """
    pixel = block.grid.spacing[0]
    squares = np.arange(-3, 4) ** 2
    weights = np.exp(-squares / (2 * (max(block.psf_mm, 1e-3) / pixel) ** 2))
    blurred = float(squares @ weights / weights.sum()) * pixel**2
    return max(0.3 * pixel, float(np.sqrt(20 * max(block.psf_mm**2 - blurred, 0))))


def smeared(block: Block, value: Callable[[PatientPoints], np.ndarray], lower: Vector, upper: Vector,
            margin: float = 0.0, blurred: bool = True) -> Floats:
    """Mean of a function over each voxel, then the scan's blur; zero outside the box from `lower` to `upper` (mm).

    The function may give several values a point, along a first axis.
    """
    reach = margin + max(block.grid.spacing)
    box = block.points.box(np.subtract(lower, reach), np.add(upper, reach))
    counts = [max(1, int(np.ceil(mm / SAMPLE_MM - 1e-6))) for mm in reversed(block.grid.spacing)]
    near = box or (slice(1),) * 3
    part = np.zeros((), np.float32)
    for sample in np.ndindex(*counts):
        shift = [(number + 0.5) / count - 0.5 for number, count in zip(sample, counts)]
        points = block.points if not any(shift) else block.points_shifted(shift)
        part = part + value(points[near])
    result = np.zeros((*part.shape[:-3], *block.hu.shape), np.float32)
    if box is not None:
        result[..., box[0], box[1], box[2]] = part / np.float32(np.prod(counts))
    return blurred_like_scan(block, result) if blurred else result


def soft_step(distance: Floats, width_mm: float) -> Floats:
    """1 inside, 0 outside, a smooth step of this width over the surface."""
    t = np.clip(np.float32(0.5) - distance / np.float32(max(width_mm, 1e-3)), 0, 1)
    return t * t * (3 - 2 * t)


def blurred_like_scan(block: Block, values: Floats) -> Floats:
    """Apply the scan's in-plane point spread; the slices' own thickness is already in the samples."""
    sigma = [block.psf_mm / mm for mm in block.grid.spacing[1::-1]]
    return ndimage.gaussian_filter(values, sigma, axes=(-2, -1), mode="nearest", truncate=3.0)


def replace(block: Block, cover: Floats, target: Look, noise: Floats | float = 0.0) -> None:
    """Put a tissue of its own HU in place of what is there: fluid, fat, gas, blood, solid masses.

    Parameters
    ----------
    cover : numpy.ndarray
        0 to 1.
    target : float or numpy.ndarray
        HU without noise.
    noise : numpy.ndarray
        The scan's own noise, from `Scene.noise`.
    """
    cover = _known(block, cover)
    block.hu += cover * (target + noise - block.hu)
    _remember(block, cover, np.broadcast_to(np.asarray(target, np.float32), cover.shape))


def add(block: Block, cover: Floats, difference: Look, tissue: float, vessels_kept: float = 1.0,
        noise: Floats | None = None) -> None:
    """Shift the HU of what is there: it keeps its noise, its texture and, as far as `vessels_kept` says, its vessels.

    Parameters
    ----------
    cover : numpy.ndarray
        0 to 1.
    difference : float or numpy.ndarray
        HU that come on top.
    tissue : float
        Median HU of the organ: the noise-free value that the shift is measured from.
    vessels_kept : float
        0: what stands out 25 HU and more above the tissue is brought down to it.
    noise : numpy.ndarray
        The scan's own noise; after a push, it makes up for what moving the voxels smoothed away.
    """
    cover = _known(block, cover)
    if vessels_kept < 1:
        sigma = [VESSEL_MM / mm for mm in reversed(block.grid.spacing)]
        smooth = ndimage.gaussian_filter(block.hu, sigma, mode="nearest")
        block.hu -= cover * np.float32(1 - vessels_kept) * np.maximum(smooth - np.float32(tissue + VESSEL_HU), 0)
    core = cover > 0.9
    if core.any():
        # The organ is not the same everywhere; what the lesion takes in is brought to the organ's median.
        block.hu -= cover * np.float32(np.clip(np.median(block.hu[core]) - tissue, -MOST_LOCAL_HU, MOST_LOCAL_HU))
    if noise is not None:
        block.hu += cover * _lacking(block, core, noise) * noise
    block.hu += cover * difference
    _remember(block, cover, np.broadcast_to(np.asarray(tissue + difference, np.float32), cover.shape))


def _lacking(block: Block, core: Mask, noise: Floats) -> np.float32:
    """How much of fresh noise brings that of a core to the scan's; independent noises add in squares."""
    if np.count_nonzero(core) < FEWEST_VOXELS:
        return np.float32(0)
    box = extent(core)
    here, usual = (residual_sd(array[box], core[box], block.grid.spacing) for array in (block.hu, noise))
    return np.float32(np.sqrt(max(0.0, 1 - (here / max(usual, 1e-3)) ** 2)))


def _known(block: Block, cover: Floats) -> Floats:
    """No voxel of unknown organ is edited."""
    return np.where(block.labels == UNKNOWN, np.float32(0), cover) if (block.labels == UNKNOWN).any() else cover


def _remember(block: Block, cover: Floats, target: Floats) -> None:
    """Lay this lesion over those painted before."""
    painted = cover > 0
    share = cover[painted] / np.maximum(block.cover[painted], cover[painted])
    block.wanted[painted] += share * (target[painted] - block.wanted[painted])
    np.maximum(block.cover, cover, out=block.cover)


def relabel(block: Block, cover: Floats, label: int, over: tuple[int, ...] = (0,)) -> None:
    """Give the voxels that lie at least half in a lesion a label, where they have one of the labels `over`."""
    block.labels[(cover >= 0.5) & np.isin(block.labels, over)] = label
