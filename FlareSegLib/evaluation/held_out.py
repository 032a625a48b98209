"""CTs of patients whom a network has not seen: which network that is, what it finds, how that fits the labels."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from ..errors import FlareSegError
from ..inference.device import choose_device
from ..inference.segment import label_axial
from ..networks.unet2d import UNet2D
from ..organs import FLARE_ORGANS
from ..results.measurements import measure
from ..results.plausibility import doubts
from ..training.cases import CaseEntry, read_case_list
from ..training.loop import read_state
from ..training.starter import STARTER_NETWORK, starter_bundle
from ..volumes.orientation import from_axial, to_axial
from ..volumes.volume import Volume
from .agreement import IGNORE
from .result_rows import Agreement
from .rules import FLARE21
from .scoring import score_organ

#: What is found so far from the reference, and on the other side of the body, is on the wrong side.
FAR_MM = 30.0
#: On which side of the body's middle an organ lies, for those that lie on one (the patient's own sides).
SIDES = {"liver": "right", "spleen": "left"}
BODY_HU = -400.0
NODE_MM = 4.0


def read_checkpoint(path: Path) -> tuple[UNet2D, int]:
    """Return the averaged network of a training checkpoint and the steps it was trained for.

    Raises
    ------
    FlareSegError
        As `read_state` and `averaged_network`.
    """
    state = read_state(path)
    return averaged_network(state, path), state["step"]


def averaged_network(state: dict[str, Any], checkpoint: Path) -> UNet2D:
    """Return the averaged network of what `read_state` has read from a checkpoint.

    Raises
    ------
    FlareSegError
        "bad_training_data" where it is of another network than the starter model's.
    """
    network = UNet2D(STARTER_NETWORK)
    try:
        network.load_state_dict(state["average"])
    except RuntimeError as error:
        raise FlareSegError("bad_training_data", f"{checkpoint} is of another network than the starter "
                                                 "model's.") from error
    return network.eval()


def checkpoint_without(runs: Path, patient: str) -> Path | None:
    """The checkpoint of the network trained without a patient; None where there is none.

    It is called ``without_PATIENT.pt``, or, of one trained without several, ``without_PATIENT+PATIENT.pt``.
    """
    for path in sorted(runs.glob("without_*.pt")):
        if patient in path.stem.removeprefix("without_").split("+"):
            return path
    return None


def unseen_cases(runs: Path, names: Sequence[str] | None = None) -> Iterator[tuple[CaseEntry, UNet2D, int]]:
    """Yield each entry of the case list with a network that has not seen its patient, and that network's steps.

    Entries without such a network are told of on the terminal and passed over.

    Parameters
    ----------
    runs : Path
        Folder of `checkpoint_without`.
    names : sequence of str, optional
        Only these CTs.
    """
    for entry in read_case_list():
        if names and entry["name"] not in names:
            continue
        checkpoint = checkpoint_without(runs, entry["patient"])
        if checkpoint is None:
            print(f"{entry['name']}: no without_{entry['patient']}.pt, not evaluated")
            continue
        yield entry, *read_checkpoint(checkpoint)


def find_labels(ct: Volume, network: UNet2D) -> Volume:
    """What the network finds, through the code that `flareseg segment` runs, on the CT's own grid."""
    axial, order = to_axial(ct)
    labels, _ = label_axial(axial, starter_bundle(), network, choose_device("auto"))
    return ct.with_array(np.ascontiguousarray(from_axial(labels, order)))


def known_organs(reference: Volume, unlabelled: Collection[int] = ()) -> tuple[str, ...]:
    """Organs that a reference holds, but for labels that were not drawn."""
    return tuple(organ.name for organ in FLARE_ORGANS
                 if organ.label not in unlabelled and (reference.array == organ.label).any())


def agreement(found: Volume, reference: Volume, organs: tuple[str, ...]) -> Agreement:
    """Return "dice" and "nsd" by organ, as FLARE21 scores them: the surface distance with a tolerance of 1 mm.

    Where part of the reference is not annotated the surface is open, and there is no surface distance.
    """
    labels = {organ.name: (organ.label,) for organ in FLARE_ORGANS}
    scores = [score_organ("", name, found, reference, labels[name], labels[name], FLARE21) for name in organs]
    return {"dice": {score.organ: round(score.dice, 4) for score in scores},
            "nsd": {score.organ: round(score.nsd, 4) for score in scores if score.nsd is not None}}


def warned(ct: Volume, found: Volume) -> dict[str, list[str]]:
    """Kinds of the plausibility warnings that a user would read, by organ; organs without any are left out."""
    kinds = doubts(measure(ct, found, FLARE_ORGANS), ct)
    return {organ: list(sentences) for organ, sentences in kinds.items() if sentences}


def wrong_side_ml(ct: Volume, found: Volume, reference: Volume) -> dict[str, float]:
    """Millilitres of liver and spleen on the other side of the body's middle and far from the reference (`FAR_MM`).

    A left lobe may well reach over the middle; it is near the reference then. The middle halves the body's area.
    Everything is looked at on nodes some 4 mm apart in plane.
    """
    axial = [to_axial(volume)[0] for volume in (ct, found, reference)]
    spacing = axial[0].spacing
    steps = (1, *(max(1, round(NODE_MM / mm)) for mm in spacing[1::-1]))
    nodes = tuple(slice(step // 2, None, step) for step in steps)
    body, labels, truth = (volume.array[nodes] for volume in axial)
    columns = np.cumsum(np.count_nonzero(body > BODY_HU, axis=(0, 1)))
    middle = int(np.searchsorted(columns, columns[-1] / 2))
    left = np.arange(labels.shape[2]) > middle
    node_ml = ct.voxel_ml * float(np.prod(steps))
    sampling = [mm * step for mm, step in zip(spacing[::-1], steps)]
    wrong = {}
    for organ in FLARE_ORGANS:
        if organ.name in SIDES:
            other = left if SIDES[organ.name] == "right" else ~left
            stray = (labels == organ.label) & (truth != IGNORE) & other
            if stray.any() and (truth == organ.label).any():
                stray &= ndimage.distance_transform_edt(truth != organ.label, sampling) > FAR_MM
            wrong[organ.name] = round(int(np.count_nonzero(stray)) * node_ml, 1)
    return wrong
