"""A picture of what a network does worst, of CTs whose licence allows it.

Pictures of a CT are derived works: they are made of those alone whose licence allows such, with attribution.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..errors import FlareSegError
from ..organs import FLARE_ORGANS
from ..training.cases import CaseEntry, read_case_labels, read_case_list
from ..training.provenance import allows_derived_works
from ..volumes.orientation import to_axial
from ..volumes.reading import read_volume
from .case_pictures import CaseImages, worst_organs_figure
from .held_out import checkpoint_without, find_labels, read_checkpoint
from .result_rows import AccuracyRow


def worst_rows(rows: list[AccuracyRow]) -> dict[str, AccuracyRow]:
    """The row with the lowest Dice of each organ against silver labels, of the CTs that may be shown."""
    shown = {entry["name"] for entry in read_case_list() if allows_derived_works(entry["licence"])}
    found: dict[str, AccuracyRow] = {}
    for row in rows:
        if row["reference"] == "silver" and row["case"] in shown:
            for organ, dice in row["dice"].items():
                if organ not in found or dice < found[organ]["dice"][organ]:
                    found[organ] = row
    return found


def failure_picture(rows: list[AccuracyRow], data: Path, runs: Path) -> tuple[Figure, str] | None:
    """Return the picture of each organ's worst result, and the attribution; None where nothing may be shown.

    Parameters
    ----------
    rows : list of dict
        Of `leave_one_out`.
    data, runs : Path
        As `leave_one_out` has them.

    Raises
    ------
    FlareSegError
        "not_found" where a network or a CT is missing.
    """
    worst = worst_rows(rows)
    if not worst:
        return None
    entries = {entry["name"]: entry for entry in read_case_list()}
    images = {name: _images(entries[name], data, runs) for name in sorted({row["case"] for row in worst.values()})}
    columns = [(organ, images[worst[organ.name]["case"]], worst[organ.name]["dice"][organ.name])
               for organ in FLARE_ORGANS if organ.name in worst]
    sources = dict.fromkeys(f"{entries[name]['source']} ({entries[name]['licence']})" for name in images)
    return worst_organs_figure(columns, FLARE_ORGANS), f"CTs: {', '.join(sources)}; outlines added."


def _images(entry: CaseEntry, data: Path, runs: Path) -> CaseImages:
    checkpoint = checkpoint_without(runs, entry["patient"])
    if checkpoint is None:
        raise FlareSegError("not_found", f"{runs} has no without_{entry['patient']}.pt; give the folder of the "
                                         "networks that the rows are from.")
    network, _ = read_checkpoint(checkpoint)
    ct, _ = to_axial(read_volume(data / entry["name"] / "ct.nii.gz"))
    labels, _ = to_axial(read_case_labels(entry, data))
    known = np.where(labels.array == 255, 0, labels.array).astype(np.uint8)
    return CaseImages(entry["name"], ct, find_labels(ct, network), labels.with_array(known))
