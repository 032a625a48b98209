"""Dice of the starter model on patients it was not trained on.

``python -m FlareSegLib.evaluation.leave_one_out DATA RUNS --json accuracy.json`` segments every CT of each patient
with the network trained without that patient (``RUNS/without_PATIENT.pt``), through the same code that
`flareseg segment` runs, and compares on the CT's own grid. Silver labels (the output of a published model) and
manual ones are kept apart, and so are the paper's method and the result of ``--keep-largest``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from ..inference.device import choose_device
from ..inference.postprocess import keep_largest_pieces
from ..inference.segment import label_axial
from ..networks.unet2d import UNet2D
from ..organs import FLARE_ORGANS
from ..training.cases import read_case_list
from ..training.starter import STARTER_NETWORK, starter_bundle
from ..volumes.orientation import from_axial, to_axial
from ..volumes.reading import read_label_map, read_volume
from .agreement import dice

#: Fields of a row that hold Dice values, and what a table calls them.
KINDS = {"silver": "silver", "silver_keep_largest": "silver, islands removed", "manual": "manual"}


def read_checkpoint(path: Path) -> tuple[UNet2D, int]:
    """Return the averaged network of a training checkpoint and the steps it was trained for."""
    state = torch.load(path, weights_only=True)
    network = UNet2D(STARTER_NETWORK)
    network.load_state_dict(state["average"])
    return network.eval(), state["step"]


def evaluate_case(entry: dict, data: Path, network: UNet2D) -> dict:
    """Return one row: the case, its slice spacing and the Dice of each organ, each kind of reference apart."""
    folder = data / entry["name"]
    ct = read_volume(folder / "ct.nii.gz")
    axial, order = to_axial(ct)
    labels, _ = label_axial(axial, starter_bundle(), network, choose_device("auto"))
    labels = from_axial(labels, order)
    silver = read_label_map(folder / entry["labels"]).array
    known = [organ for organ in FLARE_ORGANS
             if organ.label not in entry.get("unlabelled", ()) and (silver == organ.label).any()]
    pieces = keep_largest_pieces(labels, FLARE_ORGANS)
    row = {"case": entry["name"], "patient": entry["patient"], "contrast": entry["contrast"],
           "slice_spacing_mm": round(axial.spacing[2], 2),
           "silver": {organ.name: round(dice(labels, silver, organ.label), 4) for organ in known},
           "silver_keep_largest": {organ.name: round(dice(pieces, silver, organ.label), 4) for organ in known}}
    if "manual_liver" in entry:
        manual = (read_label_map(folder / entry["manual_liver"]).array > 0).astype("uint8")
        row["manual"] = {"liver": round(dice(labels == 1, manual, 1), 4)}
    return row


def format_rows(rows: list[dict]) -> str:
    """Return the rows as a Markdown table."""
    names = [organ.name for organ in FLARE_ORGANS]
    lines = ["| CT (left out) | contrast | slices | training | reference | " + " | ".join(names) + " |",
             "|---" * (5 + len(names)) + "|"]
    for row in rows:
        for kind in KINDS:
            if kind in row:
                values = " | ".join(f"{row[kind][name]:.3f}" if name in row[kind] else "–" for name in names)
                contrast = "yes" if row["contrast"] else "no"
                lines.append(f"| {row['case']} | {contrast} | {row['slice_spacing_mm']:g} mm | {row['training']} "
                             f"| {KINDS[kind]} | {values} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the cases that starter_cases.json lists")
    parser.add_argument("runs", type=Path, help="folder with without_PATIENT.pt")
    parser.add_argument("--note", default="", help="added to each row's number of training steps, for instance its recipe")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    options = parser.parse_args(arguments)
    rows = []
    for entry in read_case_list():
        checkpoint = options.runs / f"without_{entry['patient']}.pt"
        if not checkpoint.exists():
            print(f"{entry['name']}: no {checkpoint.name}, not evaluated")
            continue
        network, steps = read_checkpoint(checkpoint)
        rows.append({**evaluate_case(entry, options.data, network), "training": f"{steps} steps{options.note}"})
        print(rows[-1], flush=True)
    print(format_rows(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
