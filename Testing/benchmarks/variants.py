"""One variant of the benchmark, in this process: `variants.py NAME FOLDER`; predictor.py starts it.

"prepare" makes what all share (the CT, and one set of weights in both forms) and checks that both networks are the
same; each of the others reads it from FOLDER and writes FOLDER/NAME.json and the labels, FOLDER/NAME.npy.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

SIDE = 512
SPACING = (0.8, 0.8, 2.5)
SEED = 2021
#: Above this the two networks are not the same; rounding alone stays far below.
LARGEST_LOGIT_DIFFERENCE = 1e-4
CHECKED_SLICES = 3  # the least that passes for a volume

CT_FILE, BUNDLE, NNUNET_WEIGHTS = "ct.npy", "model", "nnunet.pt"


@dataclass(frozen=True)
class Outcome:
    """What a variant says about its run.

    Attributes
    ----------
    seconds : float
        From the volume in memory to its label map. FlareSeg's includes its input check and reading the weights,
        nnU-Net's neither.
    slices : int
        Slices that went through the network.
    precision : str
        Number format of the network.
    threads : int
        torch's threads.
    """

    seconds: float
    slices: int
    precision: str
    threads: int


def prepare(folder: Path, slices: int) -> None:
    """Make the CT and the weights, and write FOLDER/prepare.json: how well both networks agree."""
    import torch
    from FlareSegLib.models.bundle import write_bundle
    from FlareSegLib.networks.spec import PAPER_NETWORK
    from FlareSegLib.networks.unet2d import UNet2D
    from FlareSegLib.organs import FLARE_ORGANS
    from FlareSegLib.phantom.phantom import make_phantom
    from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION
    from nnunet_reference import build_network, copy_weights

    array = make_phantom(SEED, (SIDE, SIDE, slices), SPACING).ct.array
    np.save(folder / CT_FILE, array)
    torch.manual_seed(SEED)
    network = UNet2D(PAPER_NETWORK).eval()
    # working_spacing None: the paper's way, isotropic at the CT's own in-plane spacing
    bundle = write_bundle(folder / BUNDLE, network, name="random", version="0", title="Random weights",
                          organs=FLARE_ORGANS, working_spacing=None, grid=(SIDE, SIDE),
                          normalisation=FLARE21_NORMALISATION, training={}, licence="none", intended_use="timing")
    reference = build_network()
    copy_weights(network, reference)
    torch.save(reference.state_dict(), folder / NNUNET_WEIGHTS)
    first = (slices - CHECKED_SLICES) // 2
    middle = slice(first, first + CHECKED_SLICES)
    _write_json(folder / "prepare.json", _check_same(array[middle], bundle, network, reference))


def _check_same(array: np.ndarray, bundle, network, reference) -> dict:
    """Compare logits, then labels of both whole methods on slices that neither has to resample."""
    import torch
    from FlareSegLib.inference.segment import segment
    from FlareSegLib.volumes.volume import Volume
    from nnunet_reference import Reference

    inputs = torch.from_numpy(bundle.normalisation.apply(array[:1, None].astype(np.float32)))
    with torch.inference_mode():
        difference = (network(inputs) - reference(inputs)).abs().max().item()
    if not difference <= LARGEST_LOGIT_DIFFERENCE:
        sys.exit(f"nnU-Net's network is not ours: logits differ by {difference}")
    spacing = (SPACING[0],) * 3  # as if isotropic
    ours = segment(Volume(array, spacing), bundle, device="cpu", exact=True).label_map.array
    theirs = Reference(reference, [spacing[1], spacing[0]], (SIDE, SIDE)).predict(array, spacing[::-1])
    return {"largest_logit_difference": difference, "equal_labels": float((ours == theirs).mean()),
            "classes": np.unique(ours).tolist()}


def flareseg(array: np.ndarray, folder: Path, exact: bool) -> tuple[np.ndarray, Outcome]:
    """FlareSeg as its Python API runs it."""
    import torch
    from FlareSegLib.inference.segment import segment
    from FlareSegLib.models.bundle import read_bundle
    from FlareSegLib.volumes.volume import Volume

    ct, bundle = Volume(array, SPACING), read_bundle(folder / BUNDLE)
    started = time.perf_counter()
    result = segment(ct, bundle, device="cpu", exact=exact)
    seconds = time.perf_counter() - started
    return result.label_map.array, Outcome(seconds, result.slices_run, result.precision, torch.get_num_threads())


def nnunet(array: np.ndarray, folder: Path, isotropic: bool) -> tuple[np.ndarray, Outcome]:
    """nnU-Net's predictor, isotropic as in the paper or on the slices as they are."""
    import torch
    from nnunet_reference import Reference

    spacing = [SPACING[0]] * 3 if isotropic else [SPACING[1], SPACING[0]]
    reference = Reference.from_file(folder / NNUNET_WEIGHTS, spacing, (SIDE, SIDE))
    started = time.perf_counter()
    labels = reference.predict(array, SPACING[::-1])
    seconds = time.perf_counter() - started
    return labels, Outcome(seconds, reference.slices_run, "float32", torch.get_num_threads())


VARIANTS = {
    "flareseg": lambda array, folder: flareseg(array, folder, exact=False),
    "flareseg-exact": lambda array, folder: flareseg(array, folder, exact=True),
    "nnunet-isotropic": lambda array, folder: nnunet(array, folder, isotropic=True),
    "nnunet-native": lambda array, folder: nnunet(array, folder, isotropic=False),
}


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main(name: str, folder: Path, slices: int | None = None) -> None:
    """Run one variant, or "prepare" with its number of slices."""
    if name == "prepare":
        return prepare(folder, slices)
    labels, outcome = VARIANTS[name](np.load(folder / CT_FILE), folder)
    np.save(folder / f"{name}.npy", labels.astype(np.uint8, copy=False))
    _write_json(folder / f"{name}.json", asdict(outcome))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
