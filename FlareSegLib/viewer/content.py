"""Everything that the page is made of, in memory: nothing else can be asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TypedDict

import numpy as np

from ..errors import FlareSegError
from ..evaluation.surface import bounding_box
from ..organs import Organ
from ..results.measurements import OrganMeasurement, measure, organ_boxes
from ..results.plausibility import plausibility_warnings
from ..results.views import WINDOW_LEVEL, WINDOW_WIDTH, most_telling_plane
from ..volumes.volume import Volume
from .case import ViewedCase
from .nifti import nifti_bytes, ras_affine

#: Name on the server (the empty one is the page itself), file in `page/`, media type.
FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "view.css": ("view.css", "text/css; charset=utf-8"),
    "view.js": ("view.js", "text/javascript; charset=utf-8"),
    "niivue.umd.js": ("niivue/niivue.umd.js", "text/javascript; charset=utf-8"),
}


@dataclass(frozen=True)
class Resource:
    """A media type and the bytes that are sent."""

    kind: str
    body: bytes


class OrganFacts(TypedDict):
    """An organ: 0 to 255 for red, green and blue; without volume there is neither mean HU nor a place inside."""

    name: str
    label: int
    colour: list[int]
    volume_ml: float
    mean_hu: float | None
    place: list[float] | None


class Facts(TypedDict):
    """What the page's script must know: the organs, where to look first, the grey window, warnings.

    Places are patient coordinates as NIfTI has them (RAS, mm).
    """

    organs: list[OrganFacts]
    place: list[float]
    window: list[float]
    warnings: list[str]


def page_resources(case: ViewedCase) -> dict[str, Resource]:
    """Return the page, its script and style, NiiVue, the case's images and its facts, by name.

    The images are not compressed: on loopback that takes longer than sending them (320 x 320 x 100 voxels: 0.4 s of
    processor time at gzip's fastest level, 0.002 s without).

    Raises
    ------
    FlareSegError
        "missing_package" where the page's files were not installed (FlareSeg's folder in 3D Slicer has none).
    """
    return _files() | {
        "ct.nii": Resource("application/octet-stream", nifti_bytes(case.ct)),
        "labels.nii": Resource("application/octet-stream", nifti_bytes(case.label_map)),
        "organs.nii": Resource("application/octet-stream", nifti_bytes(organ_block(case.label_map))),
        "facts.json": Resource("application/json", json.dumps(facts(case), allow_nan=False).encode()),
    }


def organ_block(label_map: Volume) -> Volume:
    """The box around all labels, with a rim of background, for 3D: shorter rays, and the organs in the middle."""
    box = bounding_box(label_map.array > 0)
    assert box is not None, "a ViewedCase has labels"
    corner = label_map.index_to_physical([extent.start - 1 for extent in reversed(box)])
    return replace(label_map, array=np.pad(label_map.array[box], 1), origin=tuple(corner.tolist()))


def facts(case: ViewedCase) -> Facts:
    """Measure what the page tells and shows."""
    measurements = measure(case.ct, case.label_map, case.organs)
    boxes = organ_boxes(case.label_map.array, case.organs)
    middle = [most_telling_plane(case.label_map.array, case.organs, axis) for axis in range(3)]
    return {
        "organs": [_organ(organ, measured, box, case.label_map)
                   for organ, measured, box in zip(case.organs, measurements, boxes)],
        "place": _ras(case.ct, middle),
        "window": [WINDOW_LEVEL - WINDOW_WIDTH / 2, WINDOW_LEVEL + WINDOW_WIDTH / 2],
        "warnings": [*case.warnings, *plausibility_warnings(measurements, case.ct)],
    }


def _files() -> dict[str, Resource]:
    folder = files(__package__) / "page"
    try:
        return {name: Resource(kind, folder.joinpath(file).read_bytes()) for name, (file, kind) in FILES.items()}
    except FileNotFoundError as error:
        raise FlareSegError("missing_package", "The page's files are not part of this installation; install FlareSeg "
                                               "with pip.") from error


def _organ(organ: Organ, measured: OrganMeasurement, box: tuple[slice, ...] | None,
           label_map: Volume) -> OrganFacts:
    return {"name": organ.name, "label": organ.label, "colour": list(organ.colour), "volume_ml": measured.volume_ml,
            "mean_hu": measured.mean_hu,
            "place": None if box is None else _ras(label_map, _inside(label_map.array, organ.label, box))}


def _inside(labels: np.ndarray, label: int, box: tuple[slice, ...]) -> list[int]:
    """Index (k, j, i) of the organ's voxel that is nearest to its centre of mass, along the array's axes."""
    indices = np.argwhere(labels[box] == label)
    nearest = indices[np.argmin(((indices - indices.mean(axis=0)) ** 2).sum(axis=1))]
    return [int(at + extent.start) for at, extent in zip(nearest, box)]


def _ras(volume: Volume, index_kji: Sequence[float]) -> list[float]:
    return (ras_affine(volume) @ (*index_kji[::-1], 1)).tolist()
