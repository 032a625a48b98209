"""Whole bodies that organs are put into: real CTs with labels, the ICRP phantoms, our own phantom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from ...arrays import Floats, Labels, Mask
from ...disease.case import UNKNOWN, Grid
from ...errors import FlareSegError
from ...phantom.phantom import make_phantom
from ...volumes.orientation import to_axial
from ...volumes.reading import read_label_map, read_volume
from ...volumes.volume import IDENTITY, Volume
from ..cases import read_case_labels, read_case_list
from .label_maps import SPACING_MM, linear, resampled_mask
from .tissues import LANDMARKS, Tissue, Tissues, split_kidneys

#: A host's CT is kept at this in-plane spacing, mm (coarser ones as they are), its slices as they are.
CT_MM = 1.0
#: A host of fewer millimetres along z shows too little of a body.
SHORTEST_MM = 150.0
#: A spine, ribs and pelvis; smaller bright pieces are vessels or bowel.
SMALLEST_BONE_ML, SMALLEST_LUNG_ML = 2.0, 40.0
#: Bright and this even, it is blood, not bone: SD over some 6 mm, HU.
EVEN_HU = 30.0
#: Upper ends of soft tissue's classes, HU.
FLUID_HU, MUSCLE_HU, WALL_HU = 26.0, 78.0, 135.0
MARROW_HU = 90.0


@dataclass(frozen=True)
class Host:
    """A whole body.

    Attributes
    ----------
    name, patient : str
    tissues : numpy.ndarray
        uint8 `Tissue`, (k, j, i), on `grid`.
    grid : Grid
        About `SPACING_MM` along all axes, axis-aligned.
    ct : Volume or None
        HU int16, axial, its origin in the same millimetres as `grid`; None for a body without an image.
    labels : numpy.ndarray or None
        uint8, FLARE21's labels on the CT's grid, 255 unknown.
    unlabelled : tuple of int
        FLARE21's labels that were not drawn.
    cut : tuple of int
        Organs that the scan does not show whole.
    """

    name: str
    patient: str
    tissues: Tissues
    grid: Grid
    ct: Volume | None = None
    labels: Labels | None = None
    unlabelled: tuple[int, ...] = ()
    cut: tuple[int, ...] = ()


@lru_cache(maxsize=4)
def read_host(data: Path, name: str) -> Host:
    """Read a host: ``ct/ircad01``, ``icrp110/AF`` or ``phantom/3``.

    Raises
    ------
    FlareSegError
        "not_found" for another name, and what reading its files raises.
    """
    kind, _, rest = name.partition("/")
    if kind == "ct":
        return _ct_host(data / "ct", rest)
    if kind == "icrp110" and rest in ("AF", "AM"):
        return _icrp_host(data / "labels" / kind, rest)
    if kind == "phantom" and rest.isdigit():
        return _phantom_host(int(rest))
    raise FlareSegError("not_found", f"There is no host {name}; choose ct/CASE, icrp110/AF, icrp110/AM or "
                                     "phantom/NUMBER.")


def find_hosts(data: Path, without: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Names of the hosts that a data folder has, but for some patients'; short scans are none."""
    names = [f"ct/{entry['name']}" for entry in read_case_list()
             if entry["patient"] not in without and (data / "ct" / entry["name"] / "ct.nii.gz").is_file()]
    names = [name for name in names if _length_mm(data / name / "ct.nii.gz") >= SHORTEST_MM]
    return (*names, *(f"icrp110/{sex}" for sex in ("AF", "AM")
                      if (data / "labels" / "icrp110" / f"icrp110_{sex}_organs.nii.gz").is_file()))


def _length_mm(path: Path) -> float:
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    return reader.GetSize()[2] * reader.GetSpacing()[2]


def _ct_host(folder: Path, name: str) -> Host:
    entry = next((entry for entry in read_case_list() if entry["name"] == name), None)
    if entry is None:
        raise FlareSegError("not_found", f"There is no CT {name} in the list of training cases.")
    ct, _ = to_axial(read_volume(folder / name / "ct.nii.gz"))
    labels, _ = to_axial(read_case_labels(entry, folder))
    return host_from_ct(name, entry["patient"], ct, labels.array, tuple(entry.get("unlabelled", ())))


def host_from_ct(name: str, patient: str, ct: Volume, labels: np.ndarray, unlabelled: tuple[int, ...] = ()) -> Host:
    """Make a host of an axial CT and FLARE21's labels on its grid; fat, muscle, bone and gas are told by their HU."""
    columns = [max(1, round(n * mm / max(mm, CT_MM))) for n, mm in zip(ct.size, ct.spacing[:2])]
    spacing = (ct.size[0] * ct.spacing[0] / columns[0], ct.size[1] * ct.spacing[1] / columns[1], ct.spacing[2])
    hu = _in_plane(np.asarray(ct.array, np.float32), (columns[1], columns[0]))
    near = [np.minimum(((np.arange(n) + 0.5) * m / n).astype(int), m - 1)
            for n, m in zip(hu.shape[1:], labels.shape[1:])]
    labels = np.ascontiguousarray(labels[:, near[0]][:, :, near[1]], np.uint8)
    image = Volume(np.clip(np.rint(hu), -1024, 3071).astype(np.int16), spacing, (0.0, 0.0, 0.0), IDENTITY)
    organs = split_kidneys(np.where(labels == UNKNOWN, 0, labels))
    shape = tuple(max(1, round(n * mm / SPACING_MM)) for n, mm in zip(hu.shape, reversed(spacing)))
    fine = hu
    for axis, n in enumerate(shape):
        fine = linear(fine, (np.arange(n) + 0.5) * hu.shape[axis] / n - 0.5, axis)
    tissues = tissues_of_hu(fine)
    best = np.full(shape, 0.5, np.float32)
    for value in np.unique(organs[organs > 0]):
        cover = resampled_mask(organs == value, spacing[::-1], shape)
        tissues[cover > best] = value
        best = np.maximum(best, cover)
    # Of what nobody knows nothing is told: it may be an organ.
    tissues[resampled_mask(labels == UNKNOWN, spacing[::-1], shape) > 0.5] = Tissue.FAT
    cut = tuple(int(value) for value in LANDMARKS if (organs[[0, -1]] == value).any())
    return Host(name, patient, tissues, _grid(shape, spacing, hu.shape), image, labels, unlabelled, cut)


def _grid(shape: tuple[int, ...], spacing: tuple[float, ...], stored: tuple[int, ...]) -> Grid:
    """The tissue grid's, whose outer borders are those of the CT with origin 0."""
    x, y, z = (n * mm / m for n, mm, m in zip(reversed(stored), spacing, reversed(shape)))
    origin = tuple((fine - mm) / 2 for fine, mm in zip((x, y, z), spacing))
    return Grid(shape, (x, y, z), origin, IDENTITY)


def _in_plane(hu: Floats, shape: tuple[int, int]) -> Floats:
    """Resample slices as at inference: shrinking averages."""
    import torch
    import torch.nn.functional as F

    if hu.shape[1:] == shape:
        return hu
    slices = torch.from_numpy(np.ascontiguousarray(hu))[:, None]
    return torch.cat([F.interpolate(one[None], shape, mode="bilinear", antialias=True)[0] for one in slices]).numpy()


def tissues_of_hu(hu: Floats) -> Tissues:
    """Tell fat, muscle, bone, lung, gas and what is outside by their HU.

    Parameters
    ----------
    hu : numpy.ndarray
        float32 (k, j, i), voxels of `SPACING_MM`, axial.

    Returns
    -------
    numpy.ndarray
        uint8 `Tissue`.
    """
    smooth = ndimage.gaussian_filter(hu, 0.8)
    body = body_mask(smooth)
    tissues = np.full(hu.shape, Tissue.FAT, np.uint8)
    for lowest, tissue in ((-30.0, Tissue.FLUID), (FLUID_HU, Tissue.MUSCLE), (MUSCLE_HU, Tissue.BOWEL_WALL),
                           (WALL_HU, Tissue.BLOOD)):
        tissues[smooth > lowest] = tissue
    dark = (smooth < -250) & body
    lung = _larger_than(dark, SMALLEST_LUNG_ML) & _larger_than((smooth < -500) & (smooth > -960) & body,
                                                               SMALLEST_LUNG_ML)
    lung = ndimage.binary_dilation(lung, iterations=2) & dark
    tissues[dark] = Tissue.GAS
    tissues[lung] = Tissue.LUNG
    bright = smooth > WALL_HU
    mean, square = (ndimage.uniform_filter(values, 3) for values in (hu, hu * hu))
    even = np.sqrt(np.maximum(square - mean * mean, 0)) < EVEN_HU
    core = ndimage.binary_opening(bright & even & (smooth < 450), iterations=1)
    bone = _larger_than(bright & ~ndimage.binary_dilation(core, iterations=2), SMALLEST_BONE_ML)
    hard = bone & (smooth > 280)
    # A vertebra's marrow is as even as blood, but bone surrounds it; so it does the cord, which is darker.
    around = np.stack([ndimage.binary_fill_holes(plane) for plane in ndimage.binary_closing(bone, iterations=2)])
    tissues[bone | (around & (smooth > MARROW_HU))] = Tissue.MARROW
    tissues[hard] = Tissue.CORTICAL_BONE
    tissues[body & ~ndimage.binary_erosion(body) & ~dark] = Tissue.SKIN
    tissues[~body] = Tissue.OUTSIDE
    return tissues


def body_mask(hu: Floats) -> Mask:
    """The body without table and clothes: the largest piece of tissue, its gas and lungs filled slice by slice."""
    tissue = ndimage.binary_opening(hu > -250, iterations=2)
    parts, count = ndimage.label(tissue)
    if count > 1:
        tissue = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    tissue = ndimage.binary_dilation(tissue, iterations=1) & (hu > -400)
    return np.stack([ndimage.binary_fill_holes(plane) for plane in tissue])


def _larger_than(mask: Mask, ml: float) -> Mask:
    parts, _ = ndimage.label(mask)
    large = np.bincount(parts.ravel()) * SPACING_MM**3 / 1000 >= ml
    large[0] = False
    return large[parts]


#: ICRP 110's organ numbers, the same for both sexes (ICRP Publication 110, annex A); all others become fat.
_ICRP = {
    Tissue.SKIN: (123, 125), Tissue.MUSCLE: (107, 109, 115, 126, 131, 132, 135, 136, 137, 139),
    Tissue.FAT: (62, 64, 117),
    Tissue.CORTICAL_BONE: (22, 24, 28, 41, 43, 45, 47, 49, 51, 53, 55),
    Tissue.MARROW: (23, 25, 29, 42, 44, 46, 48, 50, 52, 54, 56), Tissue.CARTILAGE: (58,), Tissue.LUNG: (97, 99),
    Tissue.BLOOD: (10, 12, 96, 98), Tissue.HEART: (87, 88),
    Tissue.BOWEL_WALL: (63, 65, 74, 76, 78, 80, 82, 84, 86, 103, 111, 112),
    Tissue.CONTENT: (75, 77, 79, 81, 83, 85), Tissue.GAS: (7, 8, 140), Tissue.STOMACH: (72, 73),
    Tissue.GALLBLADDER: (70, 71), Tissue.LIVER: (95,), Tissue.LEFT_KIDNEY: (89, 90), Tissue.RIGHT_KIDNEY: (92, 93),
    Tissue.FLUID: (91, 94), Tissue.SPLEEN: (127,), Tissue.PANCREAS: (113,), Tissue.OESOPHAGUS: (110,),
    Tissue.ADRENAL: (1, 2), Tissue.BLADDER: (138,),
}
_ICRP_ARMS = (11, *range(13, 24), 59, 108, 118, 124)
_ICRP_LUMBAR_SPINE, _ICRP_LIVER = 51, 95
#: Of the phantom so much is kept above the liver and below the lumbar spine, mm: from the shoulders to the thighs.
_ABOVE_MM, _BELOW_MM = 200.0, 240.0


def _icrp_host(folder: Path, sex: str) -> Host:
    axial, _ = to_axial(read_label_map(folder / f"icrp110_{sex}_organs.nii.gz"))
    ids, step = np.asarray(axial.array), axial.spacing[2]
    first = np.flatnonzero((ids == _ICRP_LUMBAR_SPINE).any(axis=(1, 2)))[0] - int(_BELOW_MM / step)
    last = np.flatnonzero((ids == _ICRP_LIVER).any(axis=(1, 2)))[-1] + int(_ABOVE_MM / step)
    ids = ids[max(first, 0):last]
    table = np.full(256, Tissue.FAT, np.uint8)
    table[[0, *_ICRP_ARMS]] = Tissue.OUTSIDE
    for tissue, numbers in _ICRP.items():
        table[list(numbers)] = tissue
    coarse = table[ids]
    shape = tuple(max(1, round(n * mm / SPACING_MM)) for n, mm in zip(coarse.shape, reversed(axial.spacing)))
    tissues, best = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
    for value in np.unique(coarse):
        cover = resampled_mask(coarse == value, axial.spacing[::-1], shape)
        tissues[cover > best] = value
        np.maximum(best, cover, out=best)
    return Host(f"icrp110_{sex}", f"icrp110_{sex}", tissues, _grid(shape, axial.spacing, coarse.shape))


def _phantom_host(seed: int) -> Host:
    phantom = make_phantom(seed, (230, 170, 130), (1.7, 1.7, 2.0))
    return host_from_ct(f"phantom_{seed}", f"phantom_{seed}", phantom.ct, phantom.label_map.array)
