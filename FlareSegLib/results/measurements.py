"""What can be measured of each organ: volume, density, edges of the scan that it reaches, separate pieces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..organs import Organ
from ..volumes.orientation import to_axial
from ..volumes.volume import Volume

#: Pieces below this size are not reported: an accessory spleen or the tip of a lobe is smaller.
LARGE_COMPONENT_ML = 5.0

#: Faces of an axial array (superior, posterior, left): the names of each axis' first and last plane.
FACES = (("inferior", "superior"), ("anterior", "posterior"), ("right", "left"))

WHOLE_NEIGHBOURHOOD = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class OrganMeasurement:
    """One organ of one label map.

    Attributes
    ----------
    name : str
        The organ's name.
    label : int
        Its value in the label map.
    voxels : int
        How many voxels have that value; 0 where the organ was not found.
    volume_ml : float
        Millilitres.
    mean_hu, sd_hu : float or None
        Mean and standard deviation over those voxels, HU; None where there are none.
    touches_edge : tuple of str
        Faces of the scan that the organ reaches, in patient terms: "inferior", "superior", "anterior",
        "posterior", "right", "left".
    components_ml : tuple of float
        Volumes of the separate pieces of at least `LARGE_COMPONENT_ML`, largest first; voxels that share a
        face, an edge or a corner are one piece.
    """

    name: str
    label: int
    voxels: int
    volume_ml: float
    mean_hu: float | None
    sd_hu: float | None
    touches_edge: tuple[str, ...]
    components_ml: tuple[float, ...]

    @property
    def found(self) -> bool:
        """True where the label map holds the organ."""
        return self.voxels > 0


def measure(ct: Volume, label_map: Volume, organs: tuple[Organ, ...]) -> tuple[OrganMeasurement, ...]:
    """Measure each organ, in the order of `organs`.

    Parameters
    ----------
    ct : Volume
        HU, array [k, j, i].
    label_map : Volume
        uint8, on the same grid.
    organs : tuple of Organ
        What the label values stand for.
    """
    if ct.array.shape != label_map.array.shape:
        raise ValueError(f"a CT of shape {ct.array.shape} with a label map of shape {label_map.array.shape}")
    hu = to_axial(ct)[0].array
    labels = to_axial(label_map)[0].array
    boxes = organ_boxes(labels, organs)
    return tuple(_measure_organ(organ, box, hu, labels, label_map.voxel_ml) for organ, box in zip(organs, boxes))


def organ_boxes(labels: np.ndarray, organs: tuple[Organ, ...]) -> list[tuple[slice, ...] | None]:
    """Bounding box of each organ as slices of `labels`; None where it is absent."""
    if not organs:
        return []
    found = ndimage.find_objects(labels, max_label=max(organ.label for organ in organs))
    return [found[organ.label - 1] for organ in organs]


def _measure_organ(organ: Organ, box: tuple[slice, ...] | None, hu: np.ndarray, labels: np.ndarray,
                   voxel_ml: float) -> OrganMeasurement:
    if box is None:
        return OrganMeasurement(organ.name, organ.label, 0, 0.0, None, None, (), ())
    mask = labels[box] == organ.label
    values = hu[box][mask].astype(np.float64)
    return OrganMeasurement(
        organ.name, organ.label, values.size, values.size * voxel_ml, float(values.mean()), float(values.std()),
        _touched_faces(box, labels.shape), _component_volumes(mask, voxel_ml))


def _touched_faces(box: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[str, ...]:
    touched = []
    for extent, size, (first, last) in zip(box, shape, FACES):
        if extent.start == 0:
            touched.append(first)
        if extent.stop == size:
            touched.append(last)
    return tuple(touched)


def _component_volumes(mask: np.ndarray, voxel_ml: float) -> tuple[float, ...]:
    pieces, _ = ndimage.label(mask, WHOLE_NEIGHBOURHOOD)
    volumes = np.bincount(pieces[mask])[1:] * voxel_ml
    return tuple(sorted((float(ml) for ml in volumes if ml >= LARGE_COMPONENT_ML), reverse=True))
