"""One variant of the benchmark, in this process: `variants.py NAME FOLDER`; predictor.py starts it.

"prepare" makes what all share (the CT, and one set of weights in both forms) and checks that both networks are the
same; each of the others reads it from FOLDER and writes FOLDER/NAME.json and the labels, FOLDER/NAME.npy.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

SIDE = 512
SPACING = (0.8, 0.8, 2.5)
SEED = 2021
#: Above this the two networks are not the same; rounding alone stays far below.
LARGEST_LOGIT_DIFFERENCE = 1e-4
CHECKED_SLICES = 3  # the least that passes for a volume
TIMED_SLICES = 4  # of a stream, for the rate inside the network

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
    runtime : str
        What ran the network.
    """

    seconds: float
    slices: int
    precision: str
    threads: int
    runtime: str = "torch"


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


def flareseg(array: np.ndarray, folder: Path, model: str | None = None,
             **options) -> tuple[np.ndarray, Outcome]:
    """FlareSeg as its Python API runs it; `model` None: the paper's network with random weights."""
    import torch
    from FlareSegLib.inference.segment import segment
    from FlareSegLib.models.bundle import read_bundle
    from FlareSegLib.models.store import find_bundle
    from FlareSegLib.volumes.volume import Volume

    ct, bundle = Volume(array, SPACING), read_bundle(folder / BUNDLE) if model is None else find_bundle(model)
    started = time.perf_counter()
    result = segment(ct, bundle, device="cpu", **options)
    seconds = time.perf_counter() - started
    return result.label_map.array, Outcome(seconds, result.slices_run, result.precision, torch.get_num_threads(),
                                           result.runtime)


def network_gflops(array: np.ndarray, folder: Path, model: str | None = None, exact: bool = False,
                   runtime: str = "auto") -> float:
    """10^9 operations a second inside the network: slices of its own grid, from the end of the first to the last."""
    from FlareSegLib.inference.device import cpu_device
    from FlareSegLib.inference.predictor import SliceTask, predict_slices
    from FlareSegLib.inference.runtime import choose_runtime
    from FlareSegLib.models.bundle import load_network, read_bundle
    from FlareSegLib.models.store import find_bundle
    from FlareSegLib.networks.complexity import slice_macs
    from FlareSegLib.preprocessing.inplane import InPlanePlan

    bundle = read_bundle(folder / BUNDLE) if model is None else find_bundle(model)
    device = choose_runtime(cpu_device(exact), bundle.network, runtime)
    rows, columns = bundle.grid
    slice_ = array[len(array) // 2, :rows, :columns].astype(np.float32)
    task = SliceTask(lambda index: slice_[None], InPlanePlan(*[bundle.grid] * 3), bundle.normalisation)
    warm, timed = 2 * device.streams, TIMED_SLICES * device.streams
    labels = predict_slices(load_network(bundle), device, task, tuple(range(warm + timed)))
    for done, _ in enumerate(labels, start=1):
        if done == warm:
            started = time.perf_counter()
    return 2e-9 * slice_macs(bundle.network, rows, columns) * timed / (time.perf_counter() - started)


def nnunet(array: np.ndarray, folder: Path, isotropic: bool = False,
           mirroring: bool = False) -> tuple[np.ndarray, Outcome]:
    """nnU-Net's predictor, isotropic as in the paper or on the slices as they are."""
    import torch
    from nnunet_reference import Reference

    spacing = [SPACING[0]] * 3 if isotropic else [SPACING[1], SPACING[0]]
    reference = Reference.from_file(folder / NNUNET_WEIGHTS, spacing, (SIDE, SIDE), mirroring)
    started = time.perf_counter()
    labels = reference.predict(array, SPACING[::-1])
    seconds = time.perf_counter() - started
    return labels, Outcome(seconds, reference.slices_run, "float32", torch.get_num_threads())


VARIANTS = {
    "flareseg": flareseg,
    "flareseg-torch": partial(flareseg, runtime="torch"),
    "flareseg-exact": partial(flareseg, exact=True),
    "flareseg-lite": partial(flareseg, model="default"),
    "flareseg-lite-fast": partial(flareseg, model="default", fast=True),
    "nnunet-isotropic": partial(nnunet, isotropic=True),
    "nnunet-native": nnunet,
    "nnunet-native-mirrored": partial(nnunet, mirroring=True),
}


#: Their rate inside the network is measured apart, so that it counts neither as time nor as memory.
RATED = {
    "flareseg": network_gflops,
    "flareseg-torch": partial(network_gflops, runtime="torch"),
    "flareseg-exact": partial(network_gflops, exact=True),
    "flareseg-lite": partial(network_gflops, model="default"),
}


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main(name: str, folder: Path, slices: int | None = None) -> None:
    """Run one variant, "prepare" with its number of slices, or "rate-" and a variant's name."""
    if name == "prepare":
        return prepare(folder, slices)
    array = np.load(folder / CT_FILE)
    if name.startswith("rate-"):
        return _write_json(folder / f"{name}.json", RATED[name.removeprefix("rate-")](array, folder))
    labels, outcome = VARIANTS[name](array, folder)
    np.save(folder / f"{name}.npy", labels.astype(np.uint8, copy=False))
    _write_json(folder / f"{name}.json", asdict(outcome))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
