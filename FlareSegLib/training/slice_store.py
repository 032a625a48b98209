"""Training slices on disk: z-isotropified, chunked by slice, compressed and memory-mapped.

A store is a folder with three files a case: ``CASE.image.b2nd`` (int16 HU, or uint8 codes in a packed store),
``CASE.labels.b2nd`` (uint8) and ``CASE.case.json`` (`CaseRecord`), plus ``store.json`` (`StoreDescription`). One slice
is one chunk of a Blosc2 array, so that drawing a slice reads that slice alone, and a data set of any size is trained on
in bounded memory. A case is written under a temporary name and then renamed: a store that was interrupted goes on
where it was.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays import Floats, Labels
from ..errors import FlareSegError
from .fingerprint import EMPTY_HISTOGRAM, HIGHEST_HU, LOWEST_HU, Fingerprint, HuHistogram, fingerprint
from .json_files import write_json

if TYPE_CHECKING:
    import blosc2

FORMAT = 1
STORE_FILE = "store.json"
RECORD_ENDING = ".case.json"


@dataclass(frozen=True)
class HuCode:
    """How HU are stored: ``HU = first + step * code``; the code's type is uint8, or int16 with first 0 and step 1."""

    kind: str = "int16"
    first: float = 0.0
    step: float = 1.0

    def encode(self, hu: np.ndarray) -> np.ndarray:
        """HU (any shape) to codes; what the type cannot hold becomes the nearest it can."""
        limits = np.iinfo(self.kind)
        return np.clip(np.rint((hu - self.first) / self.step), limits.min, limits.max).astype(self.kind)

    def decode(self, codes: np.ndarray) -> Floats:
        """Codes to HU, float32."""
        return codes.astype(np.float32) * np.float32(self.step) + np.float32(self.first)


@dataclass(frozen=True)
class StoreDescription:
    """What holds for all cases of a store.

    Attributes
    ----------
    organs : tuple of (label, name)
        What the labels stand for.
    working_spacing : float or None
        In-plane spacing in mm, of the isotropic slices too; None: each CT's own, as in the paper.
    hu : HuCode
        How HU are stored.
    """

    organs: tuple[tuple[int, str], ...]
    working_spacing: float | None
    hu: HuCode = HuCode()


@dataclass(frozen=True)
class CaseRecord:
    """What is known of a case without opening its arrays.

    Attributes
    ----------
    name : str
        The case's name.
    spacing : tuple of float
        Axial (i, j, k), mm, before isotropification.
    stored_slices, slices : int
        Before and after isotropification.
    slices_with : dict
        Label value to the ascending isotropic slices that hold it.
    foreground : HuHistogram
        HU under any label, before isotropification.
    sources : tuple
        (size, modification time in ns) of both files: a changed file is stored anew.
    """

    name: str
    spacing: tuple[float, float, float]
    stored_slices: int
    slices: int
    slices_with: dict[int, tuple[int, ...]]
    foreground: HuHistogram
    sources: tuple[tuple[int, int], ...] = ()


class StoredCase:
    """One case of a store; its arrays are opened at the first read, in the process that reads."""

    def __init__(self, folder: Path, record: CaseRecord, hu: HuCode) -> None:
        self.record = record
        self._folder, self._hu = folder, hu

    def slice(self, index: int) -> tuple[Floats, Labels]:
        """Return one isotropic slice: HU (rows, columns) float32, and labels uint8."""
        return self._hu.decode(self._image[index]), self._labels[index]

    @cached_property
    def _image(self) -> blosc2.NDArray:
        return open_array(self._folder / f"{self.record.name}.image.b2nd")

    @cached_property
    def _labels(self) -> blosc2.NDArray:
        return open_array(self._folder / f"{self.record.name}.labels.b2nd")

    def __getstate__(self) -> dict[str, Any]:  # for worker processes: they open the files themselves
        return {"record": self.record, "_folder": self._folder, "_hu": self._hu}


@dataclass(frozen=True)
class SliceStore:
    """An opened store."""

    folder: Path
    description: StoreDescription
    cases: tuple[StoredCase, ...]

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of the cases, as they were before isotropification.

        Raises
        ------
        FlareSegError
            "bad_training_data" where no voxel carries a label.
        """
        records = [case.record for case in self.cases]
        foreground = sum((record.foreground for record in records), EMPTY_HISTOGRAM)
        try:
            return fingerprint([record.spacing for record in records], [record.stored_slices for record in records],
                               foreground)
        except ValueError as error:
            raise FlareSegError("bad_training_data", "The data set's labels cover not a single voxel.") from error


def open_store(folder: str | Path, names: tuple[str, ...] | None = None) -> SliceStore:
    """Open a store, all of it or some cases.

    Raises
    ------
    FlareSegError
        "not_found" where there is none, "bad_training_data" for one that cannot be understood.
    """
    folder = Path(folder)
    if not (folder / STORE_FILE).is_file():
        raise FlareSegError("not_found", f"{folder} holds no slice store ({STORE_FILE} is missing).")
    try:
        description = _read_description(folder)
        files = (sorted(folder.glob(f"*{RECORD_ENDING}")) if names is None
                 else [folder / f"{name}{RECORD_ENDING}" for name in names])
        records = [_read_record(file) for file in files if not file.name.startswith(".")]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FlareSegError("bad_training_data", f"The slice store {folder} is damaged or of another version; remove "
                                                 "it and let it be made again.") from error
    return SliceStore(folder, description, tuple(StoredCase(folder, record, description.hu) for record in records))


def write_case(folder: Path, record: CaseRecord, slices: Iterable[tuple[np.ndarray, Labels]],
               hu: HuCode) -> None:
    """Write a case's (HU, labels) slices, and then its record with the `slices_with` that were found.

    The record comes last: where it is, the rest is complete.
    """
    blosc2 = _packing()
    paths = [folder / f"{record.name}.{part}.b2nd" for part in ("image", "labels")]
    partial = [path.with_name(f".{os.getpid()}.{path.name}") for path in paths]
    found: dict[int, list[int]] = {}
    arrays = None
    try:
        for index, (image, labels) in enumerate(slices):
            if arrays is None:
                packed = blosc2.CParams(codec=blosc2.Codec.LZ4, clevel=5, nthreads=1)
                arrays = [blosc2.empty((record.slices, *image.shape), dtype=kind, chunks=(1, *image.shape),
                                       urlpath=str(path), mode="w", cparams=packed)
                          for path, kind in zip(partial, (hu.kind, "uint8"))]
            arrays[0][index], arrays[1][index] = hu.encode(image), labels
            for value in np.unique(labels).tolist():
                found.setdefault(value, []).append(index)
        for temporary, path in zip(partial, paths):
            os.replace(temporary, path)
        _write_record(folder, replace(record, slices_with={value: tuple(places) for value, places in found.items()}))
    finally:
        for path in partial:
            path.unlink(missing_ok=True)


def claim_store(folder: Path, description: StoreDescription) -> None:
    """Make a folder a store of these settings, or refuse one of others.

    Raises
    ------
    FlareSegError
        "output_exists"; "missing_package", before anything is written.
    """
    _packing()
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / STORE_FILE).exists():
        try:
            same = _read_description(folder) == description
        except (OSError, ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise FlareSegError("output_exists", f"{folder} holds a slice store of other labels or another spacing; "
                                                 "choose another folder or remove it.")
    elif any(folder.iterdir()):
        raise FlareSegError("output_exists", f"{folder} is not empty and no slice store; choose another folder.")
    else:
        write_json(folder / STORE_FILE, {"format": FORMAT, **asdict(description)})


def stored_sources(folder: Path, name: str) -> tuple[tuple[int, int], ...] | None:
    """Return the `CaseRecord.sources` of a complete case; None where it is not there."""
    try:
        return _read_record(folder / f"{name}{RECORD_ENDING}").sources
    except (OSError, ValueError, KeyError, TypeError):
        return None


def open_array(path: Path) -> blosc2.NDArray:
    """Open an array of a case, read from disk when it is indexed.

    Raises
    ------
    FlareSegError
        "bad_training_data" for a damaged one, "missing_package".
    """
    blosc2 = _packing()
    try:
        # One thread: a worker that is forked after a read would wait for ever for threads that it did not inherit.
        return blosc2.open(str(path), mode="r", mmap_mode="r", dparams=blosc2.DParams(nthreads=1))
    except (OSError, RuntimeError) as error:
        raise FlareSegError("bad_training_data", f"{path} is damaged; remove the case's files and let it be made "
                                                 "again.") from error


def _packing() -> ModuleType:
    """The library that packs slices."""
    try:
        import blosc2
    except ImportError as error:
        raise FlareSegError("missing_package", "Training sets need blosc2; install it with: "
                                               'pip install -c constraints.txt -e ".[train]".') from error
    return blosc2


def _read_description(folder: Path) -> StoreDescription:
    data = json.loads((folder / STORE_FILE).read_text(encoding="utf-8"))
    if data["format"] != FORMAT:
        raise ValueError("another format")
    return StoreDescription(tuple((label, name) for label, name in data["organs"]), data["working_spacing"],
                            HuCode(**data["hu"]))


def _read_record(path: Path) -> CaseRecord:
    data = json.loads(path.read_text(encoding="utf-8"))
    counts = [0] * (HIGHEST_HU - LOWEST_HU + 1)
    for hu, count in data.pop("foreground").items():
        counts[int(hu) - LOWEST_HU] = count
    return CaseRecord(
        name=data["name"], spacing=tuple(data["spacing"]), stored_slices=data["stored_slices"],
        slices=data["slices"], foreground=HuHistogram(tuple(counts)),
        slices_with={int(label): tuple(slices) for label, slices in data["slices_with"].items()},
        sources=tuple(tuple(source) for source in data["sources"]))


def _write_record(folder: Path, record: CaseRecord) -> None:
    """Of the histogram only what occurs: a few hundred of four thousand values."""
    counts = {LOWEST_HU + i: count for i, count in enumerate(record.foreground.counts) if count}
    write_json(folder / f"{record.name}{RECORD_ENDING}", {**asdict(record), "foreground": counts})
