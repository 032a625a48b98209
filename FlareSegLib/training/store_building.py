"""From a raw data set to a slice store: axial, z-isotropified, and in plane at the working spacing if there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..arrays import Floats, Labels
from ..errors import FlareSegError
from ..preprocessing.inplane import labels_to_grid, plan_inplane, to_grid
from ..preprocessing.isotropic import isotropic_slice, plan_z
from ..volumes.orientation import to_axial
from ..volumes.reading import read_label_map, read_volume
from ..volumes.volume import Volume
from .fingerprint import histogram
from .raw_data import RawCase, RawDataset
from .slice_store import CaseRecord, SliceStore, StoreDescription, claim_store, open_store, stored_sources, write_case


def build_store(dataset: RawDataset, folder: str | Path, working_spacing: float | None = None,
                progress: Callable[[int, int], None] = lambda done, total: None) -> SliceStore:
    """Store the cases of a (checked) data set, and return the opened store. Cases that are there already stay.

    Parameters
    ----------
    working_spacing : float, optional
        Resample in plane to this spacing (mm) as well; by default slices keep their own pixels.

    Raises
    ------
    FlareSegError
        "output_exists" where the folder holds a store of other settings, "output_unwritable".
    """
    folder = Path(folder)
    description = StoreDescription(tuple((organ.label, organ.name) for organ in dataset.organs), working_spacing)
    try:
        claim_store(folder, description)
        for done, case in enumerate(dataset.cases):
            progress(done, len(dataset.cases))
            if stored_sources(folder, case.name) != _sources(case):
                _store_case(folder, case, description)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"{folder} cannot be written ({error.strerror}); choose another "
                                                 "place or make room there.") from error
    progress(len(dataset.cases), len(dataset.cases))
    return open_store(folder, tuple(case.name for case in dataset.cases))


def isotropify(image: Volume, labels: Volume, working_spacing: float | None) -> Iterator[tuple[Floats, Labels]]:
    """Yield (HU float32, labels uint8) of each isotropic slice of an axial CT, in plane at the working spacing.

    Labels come from the stored slice that is nearest along z.
    """
    row_spacing = working_spacing or image.spacing[1]
    z = plan_z(len(image.array), image.spacing[2], row_spacing)
    stored = np.minimum(np.floor((np.arange(z.isotropic) + 0.5) * z.stored / z.isotropic).astype(int), z.stored - 1)
    for index in range(z.isotropic):
        hu, label = isotropic_slice(image.array, z, index), labels.array[stored[index]]
        if working_spacing is not None:
            hu, label = _to_spacing(hu, label, image.spacing[1::-1], working_spacing)
        yield hu, np.ascontiguousarray(label)


def _store_case(folder: Path, case: RawCase, description: StoreDescription) -> None:
    image, _ = to_axial(read_volume(case.image))
    labels, _ = to_axial(read_label_map(case.labels))
    labels = labels.with_array(labels.array.astype(np.uint8))
    z = plan_z(len(image.array), image.spacing[2], description.working_spacing or image.spacing[1])
    record = CaseRecord(case.name, image.spacing, z.stored, z.isotropic, {},
                        histogram(image.array[labels.array > 0]), _sources(case))
    write_case(folder, record, isotropify(image, labels, description.working_spacing), description.hu)


def _to_spacing(hu: Floats, label: Labels, spacing: tuple[float, float],
                working_spacing: float) -> tuple[Floats, Labels]:
    """Resample a slice and its labels in plane."""
    import torch

    plan = plan_inplane(hu.shape, spacing, (working_spacing, working_spacing), (1, 1), 1)
    return to_grid(torch.from_numpy(hu)[None, None], plan)[0, 0].numpy(), labels_to_grid(label, plan)


def _sources(case: RawCase) -> tuple[tuple[int, int], ...]:
    stats = [path.stat() for path in (case.image, case.labels)]
    return tuple((stat.st_size, stat.st_mtime_ns) for stat in stats)
