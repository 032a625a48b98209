"""Training cases in memory: axial slices and labels at the model's in-plane spacing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, Protocol, TypedDict

import numpy as np
import torch

from ..arrays import Hu
from ..preprocessing.inplane import InPlanePlan, labels_to_grid, plan_inplane, to_grid
from ..volumes.orientation import to_axial
from ..volumes.reading import read_label_map, read_volume
from ..volumes.volume import Volume

IGNORE = 255
STARTER_CASES = Path(__file__).with_name("starter_cases.json")


class CaseEntry(TypedDict):
    """An entry of a case list (starter_cases.json); files lie in the folder of its name.

    "kind" says where the labels are from; a "manual_liver" replaces that of "labels"; "unlabelled" are values that were
    not drawn; "partial" are those drawn in part (`synthesis.beyond`); "weight" is 1 unless it is given.
    """

    name: str
    patient: str
    labels: str
    kind: str
    contrast: bool
    source: str
    licence: str
    weight: NotRequired[float]
    manual_liver: NotRequired[str]
    unlabelled: NotRequired[list[int]]
    partial: NotRequired[list[int]]


class Slices(Protocol):
    """What is indexed like an array of slices in memory, which may lie on a disk."""

    def __len__(self) -> int:
        """How many slices there are."""

    def __getitem__(self, place: int | slice) -> np.ndarray:
        """A slice, or several."""


@dataclass(frozen=True)
class TrainingCase:
    """One CT with labels, resampled in plane, its own slices along z.

    Attributes
    ----------
    name, patient : str
        Cases of one patient stay on one side of any split.
    image : numpy.ndarray
        HU, int16, (slices, rows, columns), inferior to superior; or what is indexed like it.
    labels : numpy.ndarray
        uint8, same shape; 255 is ignored by the loss.
    unlabelled : tuple of int
        Label values that were not drawn: their voxels may be background.
    weight : float
        How often the case is drawn, relative to the others.
    known : mapping or None
        Label value to the slices that hold it, where that need not be looked for.
    slice_spacing : float
        From one slice to the next, mm.
    """

    name: str
    patient: str
    image: Slices
    labels: Slices
    unlabelled: tuple[int, ...] = ()
    weight: float = 1.0
    known: Mapping[int, tuple[int, ...]] | None = None
    slice_spacing: float = 1.0

    def slices_with(self, label: int) -> np.ndarray:
        """Indices of the slices that hold a label."""
        if self.known is not None:
            return np.array(self.known.get(label, ()), int)
        return np.array([k for k in range(len(self.labels)) if (self.labels[k] == label).any()], int)


def read_case_list(path: Path = STARTER_CASES) -> list[CaseEntry]:
    """Return the entries of a case list (see starter_cases.json)."""
    return json.loads(Path(path).read_text(encoding="utf-8"))["cases"]


def case_patients() -> tuple[str, ...]:
    """Return the patients of the starter's case list: those who can be left out."""
    return tuple(dict.fromkeys(entry["patient"] for entry in read_case_list()))


def read_case_labels(entry: CaseEntry, root: Path) -> Volume:
    """Return an entry's labels on its CT's grid; a manual liver replaces the silver one."""
    labels = read_label_map(root / entry["name"] / entry["labels"])
    if "manual_liver" not in entry:
        return labels
    manual = read_label_map(root / entry["name"] / entry["manual_liver"]).array > 0
    array = np.where(labels.array == 1, 0, labels.array)
    return labels.with_array(np.where(manual, 1, array).astype(np.uint8))


def load_case(entry: CaseEntry, root: Path, spacing: float) -> TrainingCase:
    """Read a CT and its labels and resample both in plane to `spacing` (mm)."""
    image, _ = to_axial(read_volume(root / entry["name"] / "ct.nii.gz"))
    labels, _ = to_axial(read_case_labels(entry, root))
    plan = plan_inplane(image.array.shape[1:], image.spacing[1::-1], (spacing, spacing), (1, 1), 1)
    return TrainingCase(
        entry["name"], entry["patient"],
        np.stack([_resample_image(s, plan) for s in image.array]),
        np.stack([labels_to_grid(s, plan) for s in labels.array]),
        tuple(entry.get("unlabelled", ())), entry.get("weight", 1.0), slice_spacing=image.spacing[2],
    )


def _resample_image(pixels: np.ndarray, plan: InPlanePlan) -> Hu:
    slices = torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32))[None, None]
    return to_grid(slices, plan)[0, 0].round().clamp(-1024, 3071).to(torch.int16).numpy()
