"""FlareSeg on a CUDA GPU: are its labels those of the CPU's exact path, how fast is it, how much memory does it take?

One command, below ten minutes; a Markdown table goes to a file. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from measuring import load_average, machine, machine_lines, markdown_table, run_child, usable_cores

#: Above these the GPU computes something else than the CPU; rounding stays below.
MOST_LOGIT_DIFFERENCE, SURE_MARGIN = 1e-2, 0.5
SEED = 2021


@dataclass(frozen=True)
class Size:
    """How much is computed: the paper's network on whole slices, or a toy that any CPU runs in seconds."""

    features: tuple[int, ...]
    grid: tuple[int, int]
    slices: int
    rate_slices: int
    spacing: tuple[float, float, float]
    batches: tuple[int, ...]


FULL = Size((32, 64, 128, 256, 480, 480, 480, 480), (512, 512), 93, 96, (0.8, 0.8, 2.5), (1, 2, 4, 8))
TOY = Size((4, 6, 8), (64, 64), 6, 4, (6.4, 6.4, 20.0), (1, 2))


def build(size: Size):
    """The network with random weights, and a synthetic CT."""
    import torch
    from FlareSegLib.networks.unet2d import UNet2D, UNet2DSpec
    from FlareSegLib.phantom.phantom import make_phantom

    torch.manual_seed(SEED)
    network = UNet2D(UNet2DSpec(features=size.features)).eval().requires_grad_(False)
    return network, make_phantom(SEED, (*size.grid[::-1], size.slices), size.spacing).ct


def devices(name: str):
    """The exact way and the fast one on the device that is asked for."""
    from FlareSegLib.inference.device import Device, choose_device

    if name == "cpu":  # the GPU's way, on the CPU
        return Device("cpu", "float32", True, 2, 2, "CPU"), Device("cpu", "bfloat16", False, 1, 2, "CPU")
    return choose_device(name, exact=True), choose_device(name)


def correctness(network, ct, size: Size, name: str) -> tuple[list[list[str]], bool]:
    """Compare with the CPU's exact path, on the slices as they are and resampled; rows, and whether all is well."""
    import numpy as np
    import torch
    from FlareSegLib.inference.gpu import gpu_labeller
    from FlareSegLib.inference.network_form import shape_for_device
    from FlareSegLib.inference.predictor import SliceTask
    from FlareSegLib.preprocessing.inplane import InPlanePlan, from_grid, plan_inplane, to_grid
    from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION

    plans = {"as they are": InPlanePlan(*[size.grid] * 3),
             "resampled": plan_inplane(size.grid, (1.0, 1.0), (1.6, 1.6), size.grid, network.spec.divisor)}
    rng = np.random.default_rng(SEED)
    stack = ct.array[len(ct.array) // 2][None].astype(np.float32) + rng.normal(0, 30, (2, *size.grid))
    stack = stack.astype(np.float32)
    rows, well = [], True
    for title, plan in plans.items():
        task = SliceTask(lambda index: stack[index][None], plan, FLARE21_NORMALISATION)
        with torch.inference_mode():
            inputs = torch.from_numpy(FLARE21_NORMALISATION.apply(
                to_grid(torch.from_numpy(stack)[:, None], plan).numpy()))
            exact = from_grid(network(inputs), plan)
        best = exact.topk(2, dim=1).values
        expected, sure = exact.max(1).indices.numpy(), ((best[:, 0] - best[:, 1]) > SURE_MARGIN).numpy()
        for device in devices(name):
            label = gpu_labeller(network, device, task, print)
            labels = np.concatenate([label((index,)) for index in range(len(stack))])
            with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=not device.exact):
                logits = shape_for_device(network, device)(inputs[:1].to(device.name, device.dtype))
            difference = (from_grid(logits.float().cpu(), plan) - exact[:1]).abs().max().item()
            wrong = int((labels != expected)[sure].sum())
            fine = wrong == 0 and (difference < MOST_LOGIT_DIFFERENCE or not device.exact)
            well = well and fine
            rows.append([title, device.precision + (" (exact)" if device.exact else ""), f"{difference:.2g}",
                         f"{(labels != expected).mean():.4%}", f"{wrong} of {int(sure.sum())}",
                         "yes" if fine else "**no**"])
    return rows, well


def rates(network, ct, size: Size, name: str) -> list[list[str]]:
    """Slices a second by batch size, recorded as a graph and not, with the peak of the GPU's memory."""
    import numpy as np
    import torch
    from FlareSegLib.inference import gpu
    from FlareSegLib.inference.predictor import SliceTask
    from FlareSegLib.preprocessing.inplane import InPlanePlan
    from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION

    slices = ct.array.astype(np.float32)
    task = SliceTask(lambda index: slices[index % len(slices)][None], InPlanePlan(*[size.grid] * 3),
                     FLARE21_NORMALISATION)
    fast, on_gpu, rows = devices(name)[1], name != "cpu", []
    for batch in size.batches if on_gpu else (1,):
        for way in ("graph", "kernel by kernel") if on_gpu else ("CPU",):
            device = replace(fast, batch=batch)
            if on_gpu:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            label = gpu.gpu_labeller(network, device, task, print) if way != "kernel by kernel" \
                else _without_graph(network, device, task)
            label(tuple(range(batch)))
            started = time.perf_counter()
            for first in range(0, size.rate_slices, batch):
                label(tuple(range(first, first + batch)))
            rate = size.rate_slices / (time.perf_counter() - started)
            memory = f"{torch.cuda.max_memory_reserved() / 1e9:.2f}" if on_gpu else "-"
            rows.append([str(batch), way, f"{rate:.1f}", memory])
            del label
    return rows


def _without_graph(network, device, task):
    """The same labeller with its kernels started one by one."""
    from FlareSegLib.inference import gpu

    captured = gpu._captured
    gpu._captured = lambda work, device, shape, note: lambda hu: work(hu.to(device.name, non_blocking=True))
    try:
        return gpu.gpu_labeller(network, device, task)
    finally:
        gpu._captured = captured


def prepare_files(network, ct, size: Size, folder: Path) -> None:
    """A CT file, a bundle and nnU-Net's weights for the children."""
    from FlareSegLib.models.bundle import write_bundle
    from FlareSegLib.organs import FLARE_ORGANS
    from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION
    from FlareSegLib.volumes.sitk_bridge import sitk_from_volume
    from SimpleITK import WriteImage

    WriteImage(sitk_from_volume(ct), str(folder / "ct.nii.gz"), useCompression=True)
    write_bundle(folder / "model", network, name="random", version="0", title="Random weights", organs=FLARE_ORGANS,
                 working_spacing=None, grid=size.grid, normalisation=FLARE21_NORMALISATION, training={},
                 licence="none", intended_use="timing")


def from_file_to_file(folder: Path, model: str, name: str) -> None:
    """The child: one job, as `flareseg segment` runs it; its figures go to FOLDER/job.json."""
    from FlareSegLib.jobs.job import SegmentJob, run_job

    result = run_job(SegmentJob(str(folder / "ct.nii.gz"), (str(folder / "organs.seg.nrrd"),), model=model,
                                device=name, overwrite=True)).segmentation
    (folder / "job.json").write_text(json.dumps({"seconds": result.seconds, "slices": result.slices_run,
                                                 "notes": list(result.notes), "precision": result.precision}))


def nnunet_seconds(folder: Path) -> None:
    """The child: nnU-Net's predictor without mirroring, isotropic as in the paper, on the GPU, volume in memory."""
    from FlareSegLib.models.bundle import load_network, read_bundle
    from FlareSegLib.volumes.reading import read_volume
    from nnunet_reference import Reference, build_network, copy_weights

    ct, network = read_volume(folder / "ct.nii.gz"), build_network()
    copy_weights(load_network(read_bundle(folder / "model")), network)
    reference = Reference(network, [ct.spacing[0]] * 3, tuple(ct.array.shape[1:]), device="cuda")
    reference.predict(ct.array[:8], ct.spacing[::-1])  # cuDNN's and the driver's first steps are not counted
    before, started = reference.slices_run, time.perf_counter()
    reference.predict(ct.array, ct.spacing[::-1])
    (folder / "job.json").write_text(json.dumps({"seconds": time.perf_counter() - started, "precision": "autocast",
                                                 "slices": reference.slices_run - before, "notes": []}))


def whole_jobs(folder: Path, name: str, with_nnunet: bool) -> list[list[str]]:
    """From file to file, each in a process of its own."""
    script, rows = Path(__file__).resolve(), []
    works = {"FlareSeg, this network": ["--job", str(folder / "model")],
             "FlareSeg, shipped model": ["--job", "default"]}
    if with_nnunet:
        works["nnU-Net's predictor, isotropic (segmentation alone)"] = ["--nnunet"]
    for title, words in works.items():
        cost = run_child(script, [*words, "--folder", str(folder), "--device", name], usable_cores())
        found = json.loads((folder / "job.json").read_text())
        rows.append([title, found["precision"], str(found["slices"]), f"{found['seconds']:.2f}", f"{cost.seconds:.2f}",
                     f"{cost.peak_gb:.2f}", " ".join(found["notes"]) or "-"])
    return rows


def report(options: argparse.Namespace) -> tuple[str, bool]:
    """Do everything; return the Markdown and whether the labels are right."""
    import torch

    size = TOY if options.toy else FULL
    about, load = machine(("torch", "nnunetv2")), load_average()
    if options.device != "cpu":
        about |= {"GPU": torch.cuda.get_device_name(0), "CUDA": torch.version.cuda}
    network, ct = build(size)
    checked, well = correctness(network, ct, size, options.device)
    measured = rates(network, ct, size, options.device)
    with tempfile.TemporaryDirectory(prefix="flareseg-gpu-") as name:
        prepare_files(network, ct, size, Path(name))
        with_nnunet = options.device != "cpu" and about["nnunetv2"] != "not installed"
        jobs = whole_jobs(Path(name), options.device, with_nnunet)
    return "\n\n".join([
        f"Volume {' x '.join(map(str, ct.size))}, {'a toy' if options.toy else 'the paper'}'s network, random weights; "
        f"device {options.device}.", machine_lines(about, usable_cores(), load),
        "Against the CPU's exact path (a random network has many near ties; sure: the best logit leads by "
        f"{SURE_MARGIN}):", markdown_table(["slices", "precision", "largest logit difference", "voxels that differ",
                                            "sure ones that differ", "well"], checked),
        markdown_table(["batch", "kernels", "slices/s", "GPU memory GB"], measured),
        markdown_table(["from file to file", "precision", "slices run", "segmentation s", "whole process s",
                        "peak RSS GB", "notes"], jobs)]) + "\n", well


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("gpu.md"), help="the table's file (default %(default)s)")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="cpu: to try the script itself")
    parser.add_argument("--toy", action="store_true", help="a tiny network and volume")
    parser.add_argument("--job", help=argparse.SUPPRESS)  # the children
    parser.add_argument("--nnunet", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main() -> None:
    options = arguments()
    if options.nnunet:
        return nnunet_seconds(options.folder)
    if options.job:
        return from_file_to_file(options.folder, options.job, options.device)
    text, well = report(options)
    options.out.write_text(text, encoding="utf-8")
    print(text)
    if not well:
        sys.exit("gpu_check.py: the GPU's labels are not the CPU's")


if __name__ == "__main__":
    main()
