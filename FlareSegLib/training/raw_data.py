"""Labelled CTs as their users have them: nnU-Net's raw folders (v1, Medical Segmentation Decathlon, v2) and FLARE21's.

Nothing is read here but names; `training.raw_checks` reads the images.

* nnU-Net v2: ``imagesTr/CASE_0000.ENDING``, ``labelsTr/CASE.ENDING``, ``dataset.json`` with ``file_ending`` and
  ``labels`` {name: value}.
* nnU-Net v1 and the Decathlon: ``imagesTr``, ``labelsTr`` (images with or without ``_0000``), ``dataset.json`` with
  ``labels`` {value: name} and the pairs in ``training``.
* FLARE21: ``TrainingImg/train_000_0000.nii.gz`` with ``TrainingMask/train_000.nii.gz``, no ``dataset.json``; also
  ``train_images`` with ``train_mask``, as its users rename them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import FlareSegError
from ..organs import FLARE_ORGANS, Organ, organs_of
from ..volumes.reading import IMAGE_IO, image_ending

CHANNEL = "_0000"
FOLDERS = (("imagesTr", "labelsTr"), ("TrainingImg", "TrainingMask"), ("train_images", "train_mask"))


@dataclass(frozen=True)
class RawCase:
    """A CT and its labels, two files.

    Attributes
    ----------
    name : str
        File name without channel and ending.
    image, labels : Path
        The files.
    """

    name: str
    image: Path
    labels: Path


@dataclass(frozen=True)
class RawDataset:
    """The training cases of one folder.

    Attributes
    ----------
    folder : Path
        Where it lies.
    layout : str
        "nnU-Net v2", "nnU-Net v1" or "FLARE21".
    organs : tuple of Organ
        What the labels 1, 2, … stand for.
    cases : tuple of RawCase
        By name.
    faults : tuple of str
        One line a CT without labels or labels without a CT.
    """

    folder: Path
    layout: str
    organs: tuple[Organ, ...]
    cases: tuple[RawCase, ...]
    faults: tuple[str, ...] = ()


def find_raw_dataset(folder: str | Path) -> RawDataset:
    """Return the training cases that lie in a folder.

    Raises
    ------
    FlareSegError
        "not_found" where there is no such folder or none of the known layouts in it, "bad_training_data" for a
        ``dataset.json`` that cannot be understood and a data set without a single pair.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FlareSegError("not_found", f"{folder} is no folder; give the data set's folder.")
    for images, labels in FOLDERS:
        if (folder / images).is_dir() and (folder / labels).is_dir():
            layout, organs = _describe(folder)
            cases, faults = _pair(folder / images, folder / labels)
            if not cases:
                raise FlareSegError("bad_training_data", f"{folder} holds no CT with labels; expected "
                                                         f"{images}/CASE{CHANNEL}.nii.gz and {labels}/CASE.nii.gz.")
            return RawDataset(folder, layout, organs, cases, faults)
    expected = "; ".join(f"{images} and {labels}" for images, labels in FOLDERS)
    raise FlareSegError("not_found", f"{folder} is no data set that can be trained on; expected two folders in it: "
                                     f"{expected}.")


def _describe(folder: Path) -> tuple[str, tuple[Organ, ...]]:
    """The layout and the organs that dataset.json tells; FLARE's where there is none."""
    path = folder / "dataset.json"
    if not path.exists():
        return "FLARE21", FLARE_ORGANS
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        labels = description["labels"]
        second = "channel_names" in description or "file_ending" in description
        values = ({int(value): str(name) for name, value in labels.items()} if second
                  else {int(value): str(name) for value, name in labels.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FlareSegError("bad_training_data", f"{path} is not as nnU-Net v1 or v2 want it (labels are missing or "
                                                 "are no whole numbers); mend it.") from error
    values.pop(0, None)
    if sorted(values) != list(range(1, len(values) + 1)) or not values:
        raise FlareSegError("bad_training_data", f"The labels of {path} are {', '.join(map(str, sorted(values)))}; "
                                                 "number them 1, 2, 3, … without a gap.")
    return ("nnU-Net v2" if second else "nnU-Net v1"), organs_of(values)


def _pair(images: Path, labels: Path) -> tuple[tuple[RawCase, ...], tuple[str, ...]]:
    """Cases that have both files, and a line for each that lacks one."""
    label_files = _volumes(labels)
    image_files = {_without_channel(name, label_files): path for name, path in _volumes(images).items()}
    cases = tuple(RawCase(name, image_files[name], label_files[name]) for name in sorted(image_files)
                  if name in label_files)
    faults = [f"{image_files[name].name}: there are no labels {labels.name}/{name}.nii.gz for it."
              for name in sorted(set(image_files) - set(label_files))]
    faults += [f"{label_files[name].name}: there is no CT {images.name}/{name}{CHANNEL}.nii.gz for these labels."
               for name in sorted(set(label_files) - set(image_files))]
    return cases, tuple(faults)


def _volumes(folder: Path) -> dict[str, Path]:
    """Image files of a folder by name without ending; hidden ones (macOS leaves ``._`` files) are none."""
    files = {}
    for path in sorted(folder.iterdir()):
        ending = image_ending(path)
        if ending in IMAGE_IO and not path.name.startswith("."):
            files[path.name[:-len(ending)]] = path
    return files


def _without_channel(name: str, labels: dict[str, Path]) -> str:
    """The case's name: the Decathlon's images have no channel number, nnU-Net's have."""
    return name.removesuffix(CHANNEL) if name not in labels else name
