"""Which prediction belongs to which reference, and whether the two can be compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import FlareSegError
from ..volumes.dicom_seg import (DicomSeg, check_frame_of_reference, grid_of, is_dicom_seg, label_map_on,
                                 read_dicom_seg)
from ..volumes.reading import IMAGE_IO, read_label_map
from ..volumes.volume import Volume
from .agreement import IGNORE
from .rules import LABEL_SCHEMES

#: Endings that are no part of a case's name; the longer ones first. nnU-Net and FLARE call images CASE_0000.
ENDINGS = (".seg.nrrd", *sorted(IMAGE_IO, key=len, reverse=True), ".dcm")
CHANNEL = "_0000"
Scheme = dict[str, tuple[int, ...]]

#: Largest distance between the corners of two grids that count as one, in voxels.
GRID_TOLERANCE = 0.1
FAULTS_SHOWN = 20
LABELS_SHOWN = 10


@dataclass(frozen=True)
class Pair:
    """A case: its name, the file with the prediction and the one with the reference."""

    case: str
    prediction: Path
    reference: Path


def find_pairs(prediction: str | Path, reference: str | Path,
               skip_unpaired: bool = False) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    """Match two folders by file name (or two files), ascending by case.

    Parameters
    ----------
    prediction, reference : str or Path
        Two folders of label maps or DICOM SEGs, or two files.
    skip_unpaired : bool
        Leave out what has no counterpart instead of refusing.

    Returns
    -------
    pairs : tuple of Pair
    left_out : tuple of str
        One sentence a file without a counterpart; empty unless `skip_unpaired`.

    Raises
    ------
    FlareSegError
        "not_found"; "bad_evaluation_data" with one line a fault.
    """
    prediction, reference = Path(prediction), Path(reference)
    for path in (prediction, reference):
        if not path.exists():
            raise FlareSegError("not_found", f"{path} does not exist; check the path.")
    if prediction.is_dir() != reference.is_dir():
        raise FlareSegError("bad_evaluation_data", "One path is a folder, the other a file; give two of a kind.")
    if prediction.is_file():
        return (Pair(case_name(reference), prediction, reference),), ()
    predicted, known = files_by_case(prediction), files_by_case(reference)
    faults = [f"{case}: no prediction in {prediction}" for case in sorted(known.keys() - predicted.keys())]
    faults += [f"{case}: no reference in {reference}" for case in sorted(predicted.keys() - known.keys())]
    if faults and not skip_unpaired:
        raise listed_faults(faults, "Not every file has a counterpart (--skip-unpaired leaves them out)")
    pairs = tuple(Pair(case, predicted[case], known[case]) for case in sorted(predicted.keys() & known.keys()))
    if not pairs:
        raise FlareSegError("bad_evaluation_data", f"{prediction} and {reference} have no case in common; files of "
                                                   "one case must have the same name.")
    return pairs, tuple(faults)


def case_name(path: Path) -> str:
    """The file's name without its ending and without nnU-Net's channel number.

    Examples
    --------
    >>> case_name(Path("train_000_0000.nii.gz")), case_name(Path("train_000.seg.nrrd"))
    ('train_000', 'train_000')
    """
    ending = next((ending for ending in ENDINGS if path.name.lower().endswith(ending)), "")
    return path.name[:len(path.name) - len(ending)].removesuffix(CHANNEL)


def read_pair(pair: Pair, prediction_scheme: Scheme, reference_scheme: Scheme) -> tuple[Volume, Volume]:
    """Read both label maps and find out whether they can be compared.

    Parameters
    ----------
    prediction_scheme, reference_scheme : dict
        Label values of each organ (`rules.label_scheme`); other values are faults, but for 255 (not annotated) in
        the reference and any value where the scheme is a list of the user's own. A DICOM SEG names its organs: they
        get the scheme's values, and other segments are left out.

    Raises
    ------
    FlareSegError
        As `read_label_map`, `read_dicom_seg` and `label_map_on`; "bad_evaluation_data" for different grids and unknown
        label values.
    """
    try:
        prediction, reference = _read_both(pair, prediction_scheme, reference_scheme)
    except FlareSegError as error:
        raise FlareSegError(error.code, f"{pair.case}: {error}") from error
    difference = grid_difference(prediction, reference)
    if difference:
        raise FlareSegError("bad_evaluation_data", f"{pair.case}: prediction and reference differ in {difference}; "
                                                   "both must lie on the grid of one CT.")
    for name, volume, scheme, allowed in (("prediction", prediction, prediction_scheme, ()),
                                          ("reference", reference, reference_scheme, (IGNORE,))):
        strange = _strange_labels(volume.array, scheme, allowed)
        if strange:
            more = len(strange) - LABELS_SHOWN
            shown = ", ".join(map(str, strange[:LABELS_SHOWN])) + (f" and {more} more" if more > 0 else "")
            raise FlareSegError("bad_evaluation_data", f"{pair.case}: the {name} holds label {shown}, "
                                f"which means nothing here; {'give no CT, or ' if more > 0 else ''}name the label "
                                f"values with --{name}-labels.")
    return prediction, reference


def _read_both(pair: Pair, prediction_scheme: Scheme, reference_scheme: Scheme) -> tuple[Volume, Volume]:
    """A DICOM SEG lies on the grid of the other one; two lie on the least grid that holds both."""
    one, other = (read_dicom_seg(path) if is_dicom_seg(path) else read_label_map(path)
                  for path in (pair.prediction, pair.reference))
    if isinstance(one, Volume):
        grid = one
    elif isinstance(other, Volume):
        grid = other
    else:
        check_frame_of_reference(one, other.frame_of_reference)
        grid = grid_of(one, other)
    return _on_grid(one, grid, prediction_scheme), _on_grid(other, grid, reference_scheme)


def _on_grid(read: Volume | DicomSeg, grid: Volume, scheme: Scheme) -> Volume:
    if isinstance(read, Volume):
        return read
    return label_map_on(grid, read, {number: scheme[organ.name][0] for number, organ in read.organs.items()
                                     if organ.name in scheme})


def grid_difference(one: Volume, other: Volume) -> str:
    """Say in what two grids differ; an empty text where they are one."""
    if one.size != other.size:
        return f"size ({_times(one.size)} and {_times(other.size)} voxels)"
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(one.size) - 1)
    apart = np.linalg.norm(one.index_to_physical(corners) - other.index_to_physical(corners), axis=-1).max()
    if apart <= GRID_TOLERANCE * min(other.spacing):
        return ""
    if not np.allclose(one.spacing, other.spacing, rtol=1e-3):
        return f"spacing ({_times(one.spacing)} and {_times(other.spacing)} mm)"
    return "origin or direction"


def listed_faults(faults: list[str], heading: str) -> FlareSegError:
    """One error for many faults, a line each."""
    more = [f"… and {len(faults) - FAULTS_SHOWN} more"] if len(faults) > FAULTS_SHOWN else []
    return FlareSegError("bad_evaluation_data", "\n  ".join([f"{heading}:", *faults[:FAULTS_SHOWN], *more]))


def files_by_case(folder: Path) -> dict[str, Path]:
    """Return the image files of a folder by the name of their case.

    Raises
    ------
    FlareSegError
        "bad_evaluation_data" where two files are one case.
    """
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file() or not path.name.lower().endswith(ENDINGS):
            continue
        case = case_name(path)
        if case in files:
            raise FlareSegError("bad_evaluation_data", f"{files[case].name} and {path.name} in {folder} are the same "
                                                       "case; keep one of them.")
        files[case] = path
    return files


def _strange_labels(array: np.ndarray, scheme: Scheme, allowed: tuple[int, ...]) -> list[int]:
    if scheme not in LABEL_SCHEMES.values():
        return []
    known = {label for labels in scheme.values() for label in labels} | {0, *allowed}
    return [label for label in _values(array) if label not in known]


def _values(array: np.ndarray) -> list[int]:
    if array.dtype == np.uint8:
        return np.flatnonzero(np.bincount(array.ravel(), minlength=256)).tolist()
    return np.unique(array).tolist()


def _times(numbers: Iterable[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)
