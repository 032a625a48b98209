"""Organ label maps without images: read, brought to one grid, named as tissues."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from ...arrays import Doubles, Floats, Mask
from ...disease.case import Grid, Vector
from ...volumes.orientation import to_axial
from ...volumes.reading import read_label_map
from ...volumes.volume import IDENTITY, Volume
from .tissues import Tissue, Tissues

#: Grid of label maps and hosts, mm.
SPACING_MM = 2.0
#: Around the organs, mm.
MARGIN_MM = 20.0

BTCV = {1: Tissue.SPLEEN, 2: Tissue.RIGHT_KIDNEY, 3: Tissue.LEFT_KIDNEY, 4: Tissue.GALLBLADDER, 5: Tissue.LIVER,
        6: Tissue.STOMACH, 7: Tissue.AORTA, 8: Tissue.PANCREAS}
AMOS = {1: Tissue.SPLEEN, 2: Tissue.RIGHT_KIDNEY, 3: Tissue.LEFT_KIDNEY, 4: Tissue.GALLBLADDER, 5: Tissue.OESOPHAGUS,
        6: Tissue.LIVER, 7: Tissue.STOMACH, 8: Tissue.AORTA, 9: Tissue.VENA_CAVA, 10: Tissue.PANCREAS,
        11: Tissue.ADRENAL, 12: Tissue.ADRENAL, 13: Tissue.DUODENUM, 14: Tissue.BLADDER}
ATLAS = {"liver": Tissue.LIVER, "kidney_right": Tissue.RIGHT_KIDNEY, "kidney_left": Tissue.LEFT_KIDNEY,
         "spleen": Tissue.SPLEEN, "stomach": Tissue.STOMACH, "gall_bladder": Tissue.GALLBLADDER,
         "aorta": Tissue.AORTA, "postcava": Tissue.VENA_CAVA, "pancreas": Tissue.PANCREAS}


@dataclass(frozen=True)
class OrganMap:
    """The organs of one anatomy.

    Attributes
    ----------
    name : str
    tissues : numpy.ndarray
        uint8 `Tissue` values of organs, 0 elsewhere; (k, j, i), axial.
    grid : Grid
        About `SPACING_MM` along all axes, axis-aligned; its origin means nothing.
    cut : tuple of int
        Organs that reach the first or last slice of their scan and go on beyond it.
    """

    name: str
    tissues: Tissues
    grid: Grid
    cut: tuple[int, ...] = ()


def find_label_maps(data: Path) -> tuple[str, ...]:
    """Names of the multi-organ label maps under the data folder's ``labels``: ``btcv30/label0001`` and so on."""
    folder = data / "labels"
    names = [f"btcv30/{path.name.removesuffix('.nii.gz')}" for path in sorted(folder.glob("btcv30/*.nii.gz"))]
    names += ["amos0013/amos_0013"] if (folder / "amos0013" / "amos_0013.nii.gz").is_file() else []
    return (*names, *(["atlas1"] if (folder / "atlas1" / "liver.nii.gz").is_file() else []))


@lru_cache(maxsize=40)
def read_organ_map(data: Path, name: str) -> OrganMap:
    """Read one of `find_label_maps`.

    Raises
    ------
    FlareSegError
        "not_found", "unreadable" and what else reading a label map raises.
    """
    folder = data / "labels"
    if name == "atlas1":
        masks = {tissue: read_label_map(folder / name / f"{organ}.nii.gz") for organ, tissue in ATLAS.items()}
        volume = next(iter(masks.values()))
        array = np.zeros(volume.array.shape, np.uint8)
        for tissue, mask in masks.items():
            array[mask.array > 0] = tissue
    else:
        volume, values = read_label_map(folder / f"{name}.nii.gz"), AMOS if name.startswith("amos") else BTCV
        table = np.zeros(256, np.uint8)
        for value, tissue in values.items():
            table[value] = tissue
        array = table[volume.array.astype(np.uint8)]
    return organ_map(name, to_axial(volume.with_array(array))[0])


def organ_map(name: str, axial: Volume) -> OrganMap:
    """Bring tissues on an axial grid of any spacing to `SPACING_MM`, cut to the organs and a margin around them."""
    tissues = np.asarray(axial.array)
    present = [int(value) for value in np.unique(tissues) if value]
    cut = tuple(value for value in present if (tissues[0] == value).any() or (tissues[-1] == value).any())
    box = ndimage.find_objects((tissues > 0).astype(np.uint8))[0]
    step = np.array(axial.spacing[::-1])
    last = np.array(tissues.shape)
    margin = np.ceil(MARGIN_MM / step).astype(int)
    first = np.maximum([part.start for part in box] - margin, 0)
    last = np.minimum([part.stop for part in box] + margin, last)
    part = tissues[tuple(slice(a, b) for a, b in zip(first, last))]
    shape = tuple(round(n * mm / SPACING_MM) for n, mm in zip(part.shape, step))
    found, best = np.zeros(shape, np.uint8), np.full(shape, 0.5, np.float32)
    for value in present:
        cover = resampled_mask(part == value, step, shape)
        larger = cover > best
        found[larger], best[larger] = value, cover[larger]
    spacing = tuple(n * mm / m for n, mm, m in zip(reversed(part.shape), axial.spacing, reversed(shape)))
    grid = Grid(shape, spacing, (0.0, 0.0, 0.0), IDENTITY)
    return OrganMap(name, found, grid, cut)


def resampled_mask(mask: Mask, spacing_kji: Vector, shape: tuple[int, ...]) -> Floats:
    """How much of each voxel of `SPACING_MM` a mask covers, float32: steps between thick slices become slopes."""
    result = np.zeros(shape, np.float32)
    if not mask.any():
        return result
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    scale = np.array(shape) / mask.shape
    cover: Mask | Floats = mask
    place = []
    for axis, (part, s, n) in enumerate(zip(box, scale, shape)):
        first, last = max(0, int(part.start * s) - 4), min(n, int(np.ceil(part.stop * s)) + 4)
        cover = linear(cover, (np.arange(first, last) + 0.5) / s - 0.5, axis)
        place.append(slice(first, last))
    sigma = [0.45 * max(mm, SPACING_MM) / SPACING_MM for mm in spacing_kji]
    result[tuple(place)] = ndimage.gaussian_filter(cover, sigma)
    return result


def linear(array: np.ndarray, at: Doubles, axis: int) -> Floats:
    """Values between an array's own along one axis, float32; beyond its ends the last ones."""
    at = np.clip(at, 0, array.shape[axis] - 1)
    below = np.floor(at).astype(int)
    above = np.minimum(below + 1, array.shape[axis] - 1)
    part = (at - below).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(array.ndim)])
    return (1 - part) * array.take(below, axis) + part * array.take(above, axis)


def transplanted(recipient: OrganMap, tissue: Tissue, donor: Mask, growth: float = 1.0) -> OrganMap:
    """Give an anatomy another one's organ, of about the size and at the place of its own.

    Parameters
    ----------
    donor : numpy.ndarray
        bool (k, j, i) on voxels of `SPACING_MM`, axial: the organ alone.
    growth : float
        Volume of the new organ over that of the old one.

    Returns
    -------
    OrganMap
        The new organ takes what is not another organ's; the recipient itself where its organ, or the donor, is missing.
    """
    own = recipient.tissues == tissue
    if not own.any() or not donor.any() or tissue in recipient.cut:
        return recipient
    factor = float(np.clip((growth * own.sum() / donor.sum()) ** (1 / 3), 0.6, 1.6))
    place, centre = (np.array(ndimage.center_of_mass(mask)) for mask in (own, donor))
    extent = np.ceil(np.array(donor.shape) * factor / 2).astype(int) + 2
    first = np.maximum(np.floor(place).astype(int) - extent, 0)
    last = np.minimum(np.ceil(place).astype(int) + extent + 1, own.shape)
    axes = [(np.arange(a, b) - p) / factor + c for a, b, p, c in zip(first, last, place, centre)]
    soft = ndimage.gaussian_filter(donor.astype(np.float32), 0.7)
    points = np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)
    new = ndimage.map_coordinates(soft, points, order=1, mode="constant") > 0.5
    tissues = np.where(own, 0, recipient.tissues)
    part = tissues[tuple(slice(a, b) for a, b in zip(first, last))]
    part[new & (part == 0)] = tissue
    if np.count_nonzero(tissues == tissue) < 0.3 * growth * own.sum():
        return recipient
    return replace(recipient, tissues=tissues)


#: Folder, tissue; kidneys come in pairs and are told apart by side.
DONORS = {"msd_liver": Tissue.LIVER, "msd_pancreas": Tissue.PANCREAS, "kits": Tissue.RIGHT_KIDNEY}
#: MSD livers 28 to 47 carry a spacing that is not theirs.
UNUSABLE = frozenset(f"liver_{number}" for number in range(28, 48))


def find_donors(data: Path) -> dict[str, tuple[str, ...]]:
    """Names of the single-organ label maps by folder."""
    found = {folder: tuple(path.name.removesuffix(".nii.gz")
                           for path in sorted((data / "labels" / folder).glob("*.nii.gz"))) for folder in DONORS}
    return {folder: tuple(name for name in names if name not in UNUSABLE) for folder, names in found.items() if names}


@lru_cache(maxsize=16)
def read_donor(data: Path, folder: str, name: str) -> dict[Tissue, Mask]:
    """Read a donor's organ, tumours included: tissue to bool mask on voxels of `SPACING_MM`."""
    axial, _ = to_axial(read_label_map(data / "labels" / folder / f"{name}.nii.gz"))
    mask = np.ascontiguousarray(axial.array > 0)
    if folder != "kits":
        return {DONORS[folder]: _compact(mask, axial.spacing)}
    columns = np.flatnonzero(mask.any(axis=(0, 1)))
    middle = (columns[0] + columns[-1]) // 2
    right, left = mask.copy(), mask
    right[..., middle:], left[..., :middle] = False, False
    return {side: _largest(_compact(part, axial.spacing))
            for side, part in ((Tissue.RIGHT_KIDNEY, right), (Tissue.LEFT_KIDNEY, left)) if part.any()}


def _largest(mask: Mask) -> Mask:
    parts, count = ndimage.label(mask)
    return mask if count < 2 else parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))


def _compact(mask: Mask, spacing: tuple[float, ...]) -> Mask:
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    part = np.pad(mask[box], 1)
    step = np.array(spacing[::-1])
    shape = tuple(max(1, round(n * mm / SPACING_MM)) for n, mm in zip(part.shape, step))
    return resampled_mask(part, step, shape) > 0.5
