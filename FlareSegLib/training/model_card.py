"""The model card of a starter bundle: every number in it comes from the files that the measuring scripts wrote."""

from __future__ import annotations

import textwrap

from ..evaluation.conditions import condition_table, disease_table, stability_sentence, storage_sentence
from ..evaluation.held_out import FAR_MM
from ..evaluation.leave_one_out import LEAST_PATIENTS, format_rows, format_summaries, summaries
from ..evaluation.result_rows import AccuracyRow, ConditionRow
from ..evaluation.warning_calibration import calibration, format_calibration
from ..models.bundle import ModelBundle
from ..networks.spec import UNet2DSpec
from .provenance import TrainingData, UsedSource

#: Lowest Dice that a card does not call a failure.
FAILURE = 0.8
WIDTH = 120

CARD = """# {title}

Version {version}. {intended_use}

**Licence.** {licence}

## What it is

A 2D U-Net: {parameters:,} parameters, whole axial slices at {spacing:g} mm on a grid of {rows} x {columns} or larger.
{seen}It finds liver, kidneys (one label), spleen and pancreas. Nothing is cropped and nothing is cleaned up afterwards.

## What it was trained on

{steps} steps of {samples} slices{averaged}: {cases}. {begun}
"Silver" labels are the output of a published model that people looked at and judged good; they are **not** ground
truth.

| source | terms | labels | in so many cases |
|---|---|---|---|
{sources}

Synthetic cases have a drawn image over the organs of a label map; transferred cases have a real CT's image, warped onto
them. Diseases are simulated in {diseases} cases. In {ignored} cases labels of the pancreas are known to be partial:
what an earlier version found in one piece with them and they call background is ignored there.

## How well it agrees with the labels

Each row is a CT of a patient whom the network of that row was **not** trained on (leave one patient out). {unseen}
Which version is shipped was decided with these figures at hand, so they may be a little too good.

Dice / normalised surface distance (NSD, tolerance 1 mm) on the CT's own grid. Against silver labels they say how well
the two models agree, no more. "Islands removed" is what `--keep-largest` makes of the labels. No NSD is given where
part of a reference is not annotated.

{accuracy}

Means over patients, a patient's CTs averaged first, with bootstrap intervals over patients where there are {least} or
more. Over so few patients an interval is rough, and rather too narrow than too wide.

{means}
{conditions}
## Whether the warnings tell

How often a plausibility warning comes with a bad result, and with a good one, over {results} results above{of_what}.
"Any doubt" is every warning but that an organ reaches the scan's edge; the Dice of a whole scan is the mean of its
organs'. Results of one CT are not independent.

{warnings}

## Known failures

{failures}

It has seen {patients} patients. A CT unlike theirs (children, transplants, large tumours, after surgery) may be
segmented badly. Look at every result. Not a medical device.
"""

CONDITIONS = """
## How far that lasts

The same unseen CTs ({cts}) under other conditions, with networks of {steps} steps; the changes are simulated, so they
tell whether a result lasts and nothing of scanners. The mean change is against the same CTs as they are. "On the wrong
side" is what lies on the other side of the body's middle and more than {far:g} mm from the reference, of the worst CT.
{stability} {storage}

Dice:

{dice}

NSD:

{nsd}

{diseases}
"""

DISEASES = """Simulated diseases: the organ that is concerned, against the healthy case of the same CT; labels by each
disease's own rule. An organ that was taken away counts 1 if nothing of it is found, else 0.

"""


def card_text(bundle: ModelBundle, parameters: int, conditions: list[ConditionRow],
              attribution: str | None = None) -> str:
    """Return the card (Markdown).

    Parameters
    ----------
    bundle : ModelBundle
        With the "training" of `export_starter.provenance`.
    conditions : list of dict
        Rows of `evaluation.conditions`, of the same networks as the bundle's accuracy; may be empty.
    attribution : str or None
        Of ``failures.png`` beside the card; None where there is no picture.
    """
    training = bundle.training
    protocol = training["protocol"]
    data: TrainingData = training["data"]
    rows: list[AccuracyRow] = training["accuracy"]["rows"]
    assert bundle.working_spacing is not None, "a starter model has one"
    card = CARD.format(
        title=bundle.title, version=bundle.version, intended_use=bundle.intended_use, licence=bundle.licence,
        parameters=parameters, spacing=bundle.working_spacing[0], rows=bundle.grid[0], columns=bundle.grid[1],
        steps=protocol["steps"], averaged=_averaged(protocol["averaged_steps"]),
        samples=protocol["batch"] * protocol["batches_per_step"],
        begun=_begun(data),
        cases=", ".join(f"{count} {kind} cases" for kind, count in data["cases"].items()),
        sources="\n".join(_source(each) for each in (*data["cts"], *data["labels"])),
        seen=_seen(bundle), diseases=data["with_diseases"], ignored=data["with_ignored"],
        unseen=_unseen(data, rows, protocol["steps"]), accuracy=format_rows(rows), least=LEAST_PATIENTS,
        means=format_summaries(summaries(rows)), conditions=_conditions(conditions),
        results=sum("warnings" in row for row in (*rows, *conditions)),
        of_what=", those under other conditions included" if conditions else "",
        warnings=format_calibration(calibration([*rows, *conditions]), ("any doubt",)),
        failures=_failures(rows, attribution), patients=len(data["cts"]))
    return "\n\n".join(map(_wrapped, card.split("\n\n"))).rstrip("\n") + "\n"


def _wrapped(paragraph: str) -> str:
    """A paragraph of words alone at the width of a page; tables, lists and headings as they are."""
    text = paragraph.strip("\n")
    return text if text.startswith(("#", "|", "*", "!")) and not text.startswith("**") else textwrap.fill(text, WIDTH)


def _averaged(steps: list[int]) -> str:
    if not steps:
        return ""
    return f" (the weights are the mean of those after {', '.join(map(str, steps[:-1]))} and {steps[-1]} steps)"


def _begun(data: TrainingData) -> str:
    """What came before, where the training went on from a model."""
    if "begun_with" not in data:
        return ""
    return (f"The first {data['steps_before']} steps are those of {data['begun_with']}; what it was trained on is "
            "counted here, too.")


def _seen(bundle: ModelBundle) -> str:
    """Which slices the network sees of a CT to label one; nothing where it is that one alone."""
    network, spacing = bundle.network, bundle.working_spacing
    if not isinstance(network, UNet2DSpec) or network.in_channels == 1 or spacing is None:
        return ""
    apart = network.slice_step * spacing[0]
    return (f"It sees each slice with {network.in_channels - 1} neighbours, {apart:g} mm from one to the next, and "
            "labels the middle one. ")


def _unseen(data: TrainingData, rows: list[AccuracyRow], steps: int) -> str:
    if not any(row["training"].startswith(f"{steps} steps") for row in rows):
        return "None of these networks is the shipped one, which was trained for other steps."
    trained_on = {each["name"] for each in data["cts"]}
    unseen = dict.fromkeys(row["patient"] for row in rows if row["patient"] not in trained_on)
    if unseen:
        return f"The shipped network has not seen {', '.join(unseen)} either, but all others."
    return "The shipped network was trained on all of these patients; none is left here that it has not seen."


def _source(each: UsedSource) -> str:
    return f"| {each['source']} | {each['licence']} | {each.get('labels', 'label maps alone')} | {each['cases']} |"


def _conditions(rows: list[ConditionRow]) -> str:
    if not rows:
        return ""
    return CONDITIONS.format(cts=", ".join(dict.fromkeys(row["case"] for row in rows)), far=FAR_MM,
                             steps=" and ".join(f"{steps:,}" for steps in sorted({row["steps"] for row in rows})),
                             stability=stability_sentence(rows), storage=storage_sentence(rows),
                             dice=condition_table(rows), nsd=condition_table(rows, "nsd"),
                             diseases=_diseases(rows))


def _diseases(rows: list[ConditionRow]) -> str:
    if not any(row["group"] == "disease" for row in rows):
        return "Simulated diseases were not looked at."
    return DISEASES + disease_table(rows)


def _failures(rows: list[AccuracyRow], attribution: str | None) -> str:
    bad = [(row["dice"][organ], organ, row["case"]) for row in rows if row["reference"] == "silver"
           for organ in row["dice"] if row["dice"][organ] < FAILURE]
    listed = "\n".join(f"* {organ} of {case}: Dice {dice:.3f}" for dice, organ, case in sorted(bad)) or "* None there."
    text = f"Of the unseen CTs above, as they are, a Dice below {FAILURE:g}:\n\n{listed}"
    if attribution:
        text += ("\n\nEach organ's worst result of the CTs that may be shown:\n\n![Worst results](failures.png)\n\n"
                 + attribution)
    return text
