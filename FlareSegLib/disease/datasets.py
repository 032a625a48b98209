"""Simulated cases as data sets that nnU-Net (v1, v2) and FLARE21's users know."""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FlareSegError
from ..organs import FLARE_ORGANS
from ..volumes.volume import Volume
from .sources import SourceCase

ENDING = ".nii.gz"
CHANNEL = "_0000"
FOLDS = 5
#: nnU-Net draws its own splits with this seed.
SPLIT_SEED = 12345


@dataclass(frozen=True)
class Layout:
    """Names of folders, files and of the description.

    Attributes
    ----------
    key : str
        "v2", "v1" or "flare".
    images, labels : str
        Folders.
    """

    key: str
    images: str
    labels: str


LAYOUTS = {"v2": Layout("v2", "imagesTr", "labelsTr"), "v1": Layout("v1", "imagesTr", "labelsTr"),
           "flare": Layout("flare", "TrainingImg", "TrainingMask")}


@dataclass(frozen=True)
class Item:
    """A case of the data set that is made.

    Attributes
    ----------
    name : str
        In the data set.
    source : SourceCase
        What it is made from.
    variant : int or None
        Number of the simulated variant; None: the original.
    """

    name: str
    source: SourceCase
    variant: int | None

    def image(self, out: Path, layout: Layout) -> Path:
        """Its CT."""
        return out / layout.images / f"{self.name}{CHANNEL}{ENDING}"

    def labels(self, out: Path, layout: Layout) -> Path:
        """Its label map."""
        return out / layout.labels / f"{self.name}{ENDING}"

    def recipe(self, out: Path) -> Path:
        """Its recipe; of a variant this file comes last, so that where it is, the rest is complete."""
        return out / "recipes" / f"{self.name}.json"

    def preview(self, out: Path) -> Path:
        """Its picture."""
        return out / "previews" / f"{self.name}.png"

    def is_complete(self, out: Path, layout: Layout) -> bool:
        """Whether all of its files are there."""
        return (self.labels(out, layout) if self.variant is None else self.recipe(out)).is_file()


def plan_items(sources: tuple[SourceCase, ...], variants: int, originals: bool, layout: Layout) -> tuple[Item, ...]:
    """Name everything that a batch will make, each case's original first.

    FLARE21 numbers its cases (train_000); the other layouts keep their names.

    Raises
    ------
    FlareSegError
        "bad_option" where a case is already called like a variant of another one.
    """
    wanted = [(source, variant) for source in sources for variant in (*([None] if originals else []), *range(variants))]
    items = tuple(Item(f"train_{number:03}" if layout.key == "flare" else _name(source, variant), source, variant)
                  for number, (source, variant) in enumerate(wanted))
    if len({item.name for item in items}) < len(items):
        raise FlareSegError("bad_option", "A case has the name of another one's simulated variant; rename it.")
    return items


def _name(source: SourceCase, variant: int | None) -> str:
    return source.name if variant is None else f"{source.name}_sim{variant:03}"


def write_nifti(volume: Volume, path: Path, note: str = "") -> None:
    """Write a volume; `note` (at most 79 letters) goes into the header's description.

    Raises
    ------
    FlareSegError
        "output_unwritable".
    """
    import SimpleITK as sitk

    from ..volumes.sitk_bridge import quiet_itk, sitk_from_volume

    image = sitk_from_volume(volume)
    if note:
        image.SetMetaData("ITK_FileNotes", note[:79])
    try:
        with quiet_itk():
            sitk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise FlareSegError("output_unwritable", f"Cannot write {path}; free some space or choose another "
                                                 "folder.") from error


def description(layout: Layout, items: Iterable[Item]) -> dict[str, Any] | None:
    """The data set's dataset.json; FLARE21's layout has none.

    Facts: nnU-Net's documentation (dataset_format.md of v2; v1 and the Medical Segmentation Decathlon list the pairs,
    without the channel number).
    """
    if layout.key == "flare":
        return None
    items = tuple(items)
    about = {"name": "FlareSeg simulated", "description": "CTs with simulated diseases and their originals. Synthetic: "
                                                          "for research only."}
    if layout.key == "v2":
        return {**about, "channel_names": {"0": "CT"},
                "labels": {"background": 0, **{organ.name: organ.label for organ in FLARE_ORGANS}},
                "numTraining": len(items), "file_ending": ENDING}
    return {**about, "tensorImageSize": "3D", "reference": "", "licence": "", "release": "0", "modality": {"0": "CT"},
            "labels": {"0": "background", **{str(organ.label): organ.name for organ in FLARE_ORGANS}},
            "numTraining": len(items), "numTest": 0, "test": [],
            "training": [{"image": f"./{layout.images}/{item.name}{ENDING}",
                          "label": f"./{layout.labels}/{item.name}{ENDING}"} for item in items]}


def splits(items: Iterable[Item], patients: Iterable[str]) -> list[dict[str, list[str]]] | None:
    """nnU-Net's splits_final.json: original and variants of one patient lie in one fold; None for a single patient."""
    items, patients = tuple(items), sorted(set(patients))
    if len(patients) < 2:
        return None
    order = np.random.default_rng(SPLIT_SEED).permutation(len(patients))
    folds = [{patients[number] for number in part} for part in np.array_split(order, min(FOLDS, len(patients)))]
    return [{"train": [item.name for item in items if item.source.patient not in fold],
             "val": [item.name for item in items if item.source.patient in fold]} for fold in folds]


def write_descriptions(out: Path, layout: Layout, items: Iterable[Item], patients: Iterable[str]) -> None:
    """Write dataset.json, splits_final.json, and cases.json: which case is made from which.

    nnU-Net v1 reads its splits from a pickled file, splits_final.pkl, which its layout gets, too.

    Parameters
    ----------
    items : iterable of Item
        The complete ones.
    patients : iterable of str
        All, so that folds stay as they are when a case that is missing comes later.
    """
    items = tuple(items)
    cases = [{"name": item.name, "case": item.source.name, "patient": item.source.patient, "variant": item.variant,
              "synthetic": item.variant is not None} for item in items]
    for name, document in (("dataset.json", description(layout, items)), ("splits_final.json", splits(items, patients)),
                           ("cases.json", cases)):
        if document is not None:
            write_json(out / name, document)
    folds = splits(items, patients) if layout.key == "v1" else None
    if folds is not None:
        _write_pickle(out / "splits_final.pkl", folds)


def _write_pickle(path: Path, folds: list[dict[str, list[str]]]) -> None:
    """Write splits as nnU-Net v1 does: ordered dictionaries of arrays of names."""
    from ..results.writing import atomic_path

    with atomic_path(path, overwrite=True) as partial:
        partial.write_bytes(pickle.dumps([OrderedDict((part, np.array(names)) for part, names in fold.items())
                                          for fold in folds]))


def write_json(path: Path, document: Any) -> None:
    """Write a JSON file whole or not at all.

    Raises
    ------
    FlareSegError
        "output_unwritable".
    """
    from ..results.writing import atomic_path

    with atomic_path(path, overwrite=True) as partial:
        partial.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
