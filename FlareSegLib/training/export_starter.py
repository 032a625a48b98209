"""Turn a training checkpoint into the shipped bundle with its model card.

``python -m FlareSegLib.training.export_starter CHECKPOINT FOLDER --synthesis STORE … --accuracy accuracy.json
--conditions conditions.json [--pictures DATA RUNS]``, where the JSON files are those of
`FlareSegLib.evaluation.leave_one_out` and `FlareSegLib.evaluation.conditions`. Every figure of the card comes from
them, from the checkpoint and from the training sets; the licence follows from what was trained on.
"""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import FlareSegError
from ..evaluation.held_out import averaged_network
from ..evaluation.result_rows import AccuracyRow, ConditionRow, read_rows
from ..models.bundle import PRECISIONS, read_bundle, write_bundle
from .cases import case_patients
from .loop import read_state
from .model_card import card_text
from .provenance import TrainingData, begun_with, licence_sentence, training_data
from .starter import VERSION, add_case_options, starter_bundle

NAME, TITLE = "flareseg-lite", "FlareSeg lite (2.7 million parameters at 1.6 mm)"
PICTURE = "failures.png"


def provenance(settings: dict[str, Any], data: TrainingData, rows: list[AccuracyRow]) -> dict[str, Any]:
    """Return what `model.json` says of training and accuracy; `data` is from `training_data`."""
    return {
        "protocol": settings,
        "data": data,
        "label_note": "Silver labels are the output of a published model, looked at and judged good; not ground truth.",
        "accuracy": {"method": "leave one patient out; Dice and NSD (1 mm) on the CT's own grid", "rows": rows},
    }


def export(checkpoint: Path, folder: Path, data: TrainingData, rows: list[AccuracyRow],
           conditions: list[ConditionRow], name: str = NAME, version: str = VERSION, precision: str = "float16",
           pictures: tuple[Path, Path] | None = None) -> Path:
    """Write the bundle and its card, and return the card.

    Parameters
    ----------
    data : dict
        From `training_data`, or from `provenance.begun_with`.
    rows, conditions : list of dict
        Of `leave_one_out` and of `conditions`.
    pictures : tuple of Path or None
        The CTs' folder and that of the networks that have not seen them: show what went wrong.

    Raises
    ------
    FlareSegError
        "output_exists", "output_unwritable"; "bad_training_data" where the checkpoint was trained on other data than
        `data`; as `failure_picture`. Before anything is written.
    """
    state = read_state(checkpoint)
    _check(checkpoint, state, data, name, version)
    network = averaged_network(state, checkpoint)
    protocol = {**state["settings"], "steps": state["step"], "averaged_steps": state.get("averaged_steps", [])}
    planned = starter_bundle(training=provenance(protocol, data, rows))
    described = {f.name: getattr(planned, f.name) for f in fields(planned)
                 if f.name not in ("folder", "network", "weights_sha256")}
    described |= {"name": name, "version": version, "title": TITLE, "licence": licence_sentence(data)}
    shown = None
    if pictures is not None:
        from ..evaluation.failures import failure_picture

        shown = failure_picture(rows, *pictures)
    bundle = write_bundle(folder, network, precision=precision, **described)
    if shown is not None:
        shown[0].savefig(folder / PICTURE, dpi=100)
    parameters = sum(p.numel() for p in network.parameters())
    card = folder / "README.md"
    card.write_text(card_text(bundle, parameters, conditions, shown and shown[1]), encoding="utf-8")
    return card


def _check(checkpoint: Path, state: dict[str, Any], data: TrainingData, name: str, version: str) -> None:
    """Refuse to say of a checkpoint that it was trained on data that it was not trained on."""
    begun, before = state["settings"].get("begin", 0), data.get("begun_with")
    if begun and before is None:
        raise FlareSegError("bad_training_data", f"The first {begun} steps of {checkpoint} are another model's; tell "
                                                 "with --begun-with which one, for what it was trained on counts.")
    if before is not None and begun != data["steps_before"]:
        raise FlareSegError("bad_training_data", f"{before} was trained for {data['steps_before']} steps, but "
                                                 f"{checkpoint} went on from {begun}.")
    if before == f"{name} {version}":
        raise FlareSegError("bad_option", f"{before} is what the training went on from; give another --version.")
    unnamed = set(state.get("patients", ())).intersection(case_patients()) - {each["name"] for each in data["cts"]}
    if unnamed:
        raise FlareSegError("bad_training_data", f"{checkpoint} was trained on {', '.join(sorted(unnamed))}, too; give "
                                                 "the --leave-out and --synthesis that it was trained with.")


def main(arguments: list[str] | None = None) -> None:
    """Run this script; without `arguments`, with those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path, help="the bundle; must not exist")
    parser.add_argument("--synthesis", type=Path, nargs="+", required=True, metavar="STORE",
                        help="what it was trained on")
    parser.add_argument("--begun-with", type=Path, metavar="BUNDLE", help="what the training went on from")
    add_case_options(parser)
    parser.add_argument("--accuracy", type=Path, required=True, nargs="+", help="one or more; their rows are joined")
    parser.add_argument("--conditions", type=Path, nargs="*", default=[])
    parser.add_argument("--pictures", type=Path, nargs=2, metavar=("DATA", "RUNS"), help="show the worst results")
    parser.add_argument("--name", default=NAME)
    parser.add_argument("--version", default=VERSION)
    parser.add_argument("--precision", default="float16", choices=PRECISIONS, help="of the stored weights")
    options = parser.parse_args(arguments)
    try:
        data = training_data(options.synthesis, frozenset(options.leave_out), tuple(options.kinds),
                             frozenset(options.without))
        if options.begun_with is not None:
            data = begun_with(read_bundle(options.begun_with), data)
        card = export(options.checkpoint, options.folder, data, read_rows(options.accuracy),
                      read_rows(options.conditions), options.name, options.version, options.precision,
                      None if options.pictures is None else tuple(options.pictures))
    except FlareSegError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(f"{options.folder}: {options.name} {options.version}; read {card}")


if __name__ == "__main__":
    main()
