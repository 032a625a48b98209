"""Turn a training checkpoint into the shipped bundle with its model card.

``python -m FlareSegLib.training.export_starter CHECKPOINT FOLDER --accuracy accuracy.json``, where accuracy.json is what
`FlareSegLib.evaluation.leave_one_out` wrote. No figure of the card comes from anywhere else.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path

import torch

from ..evaluation.leave_one_out import format_rows, read_checkpoint
from ..models.bundle import ModelBundle, write_bundle
from .cases import read_case_list
from .starter import starter_bundle

CARD = """# {title}

Version {version}. {intended_use}

**Licence.** {licence}

## What it is

The 2D U-Net of FlareSeg in a light form: {parameters:,} parameters, whole axial slices at {spacing:g} mm on a grid of
{rows} x {columns} or larger. It finds liver, kidneys (one label), spleen and pancreas. Nothing is cropped and nothing is
cleaned up afterwards.

## What it was trained on

{steps} steps of {samples} slices on {cases} CTs of {patients} patients. "Silver" labels are the output of a published
model that people looked at and judged good; they are **not** ground truth.

| CT | source | terms | labels |
|---|---|---|---|
{sources}

## What was measured

Each row is a CT of a patient whom the network of that row was **not** trained on (leave one patient out). The
shipped network was trained on all patients, {steps} steps, and has no unseen patient left here. Dice on the CT's own
grid. Dice against silver labels says how well the two models agree, no more. "Islands removed" is what
`--keep-largest` makes of the labels. CTs of one patient (hcctace009) are not independent. Rows with only a number of
steps are of the shipped network's own recipe; the later recipes were prompted by the kidneys of ircad01 (far brighter
than all others) and do not make a better network on the whole.

{table}

## What it cannot do

* It has seen {patients} patients. A CT unlike theirs (other contrast phase, children, transplants, large tumours, after
  surgery) may be segmented badly. Look at every result.
* Pancreas is weak.
* CTs without contrast medium are served worse than portal-venous ones.
* It knows nothing of disease: cysts, tumours and collections may be left out of an organ or taken for one.
* Not a medical device.
"""


def provenance(settings: dict, rows: list[dict]) -> dict:
    """Return what `model.json` says of training and accuracy."""
    keys = ("name", "patient", "source", "licence", "kind", "contrast")
    return {
        "protocol": settings,
        "cases": [{key: entry[key] for key in keys} for entry in read_case_list()],
        "label_note": "Silver labels are the output of a published model, looked at and judged good; not ground truth.",
        "accuracy": {"method": "leave one patient out; Dice on the CT's own grid", "rows": rows},
    }


def card_text(bundle: ModelBundle, parameters: int) -> str:
    """Return the model card (Markdown) of a starter bundle."""
    training = bundle.training
    protocol, cases = training["protocol"], training["cases"]
    return CARD.format(
        title=bundle.title, version=bundle.version, intended_use=bundle.intended_use, licence=bundle.licence,
        parameters=parameters, spacing=bundle.working_spacing[0], rows=bundle.grid[0], columns=bundle.grid[1],
        steps=protocol["steps"], samples=protocol["batch"] * protocol["batches_per_step"], cases=len(cases),
        patients=len({case["patient"] for case in cases}),
        sources="\n".join(f"| {c['name']} | {c['source']} | {c['licence']} | {c['kind']} |" for c in cases),
        table=format_rows(training["accuracy"]["rows"]),
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path, help="the bundle; must not exist")
    parser.add_argument("--accuracy", type=Path, required=True, nargs="+", help="one or more; their rows are joined")
    options = parser.parse_args(arguments)
    settings = torch.load(options.checkpoint, weights_only=True)["settings"]
    rows = [row for file in options.accuracy for row in json.loads(file.read_text(encoding="utf-8"))]
    network, _ = read_checkpoint(options.checkpoint)
    planned = starter_bundle(training=provenance(settings, rows))
    described = {f.name: getattr(planned, f.name) for f in fields(planned) if f.name not in ("folder", "network", "weights_sha256")}
    bundle = write_bundle(options.folder, network, precision="float16", **described)
    parameters = sum(p.numel() for p in network.parameters())
    (options.folder / "README.md").write_text(card_text(bundle, parameters), encoding="utf-8")
    print(f"{options.folder}: {bundle.name} {bundle.version}, {parameters:,} parameters")


if __name__ == "__main__":
    main()
