"""Running slices through the network: bounded batches, smaller ones when memory runs out, then the CPU."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from ..errors import FlareSegError
from ..networks.unet import UNet
from ..preprocessing.inplane import InPlanePlan, from_grid, to_grid
from ..preprocessing.normalisation import Normalisation
from .device import Device, at_a_time, cpu_device
from .gpu import gpu_labeller
from .network_form import shape_for_device
from .openvino_runtime import openvino_labeller

#: From the indices of a batch to its labels, uint8.
Labeller = Callable[[tuple[int, ...]], np.ndarray]


@dataclass(frozen=True)
class SliceTask:
    """What is done to each slice.

    Attributes
    ----------
    read : callable
        ``read(index)`` returns what the network sees to label one slice or window: (channels, rows, columns), for a 3D
        network (channels, slices, rows, columns), float32 HU.
    plan : InPlanePlan
        In-plane grid.
    normalisation : Normalisation
        Applied after resampling.
    """

    read: Callable[[int], np.ndarray]
    plan: InPlanePlan
    normalisation: Normalisation


def predict_slices(network: UNet, device: Device, task: SliceTask, indices: tuple[int, ...],
                   note: Callable[[str], None] = lambda sentence: None
                   ) -> Generator[tuple[int, np.ndarray], None, None]:
    """Yield (index, labels) for every slice or window asked for, in any order; labels are uint8, of its shape.

    When memory runs out the batch is halved, then the number of simultaneous slices, then the CPU takes over; where
    OpenVINO fails PyTorch takes over. `note` hears of it in one sentence.

    Raises
    ------
    FlareSegError
        "out_of_memory" when not even one slice fits on the CPU.
    """
    waiting = list(indices)
    while waiting:
        try:
            for index, labels in _run(_labeller(network, device, task, note), device, tuple(waiting)):
                waiting.remove(index)
                yield index, labels
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                if device.runtime == "torch":
                    raise
                device = replace(device, runtime="torch")
                note(f"OpenVINO failed ({_first_line(error)}); PyTorch runs the network.")
                continue
            if device.name.startswith("cuda"):
                torch.cuda.empty_cache()
            device, sentence = _with_less_memory(device)
            note(sentence)


def label_batch(network: UNet, device: Device, task: SliceTask, indices: tuple[int, ...]) -> np.ndarray:
    """Return the labels of a few slices, or windows, in one forward pass: uint8 (n, [slices,] rows, columns)."""
    stack = np.stack([task.read(index) for index in indices])
    inputs = torch.from_numpy(_network_input(stack, task)).to(device.name, device.dtype)
    # TF32 convolutions round float32 to 10 bits of mantissa: not in the reference path
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=not device.exact):
        logits = network(inputs).float()
        if logits.ndim == 5:
            logits = logits.transpose(1, 2).flatten(0, 1)
        # max, not argmax: over the class axis torch's argmax is thirty times slower on the CPU
        labels = from_grid(logits, task.plan).max(dim=1).indices.to(torch.uint8)
        return labels.reshape(len(stack), *stack.shape[2:]).cpu().numpy()


def _network_input(stack: np.ndarray, task: SliceTask) -> np.ndarray:
    """What `read` gives (n, channels, [slices,] rows, columns) on the network's grid and normalised, float32."""
    grid = to_grid(torch.from_numpy(stack).reshape(-1, 1, *stack.shape[-2:]), task.plan)  # it knows single slices only
    return task.normalisation.apply(grid.numpy()).reshape(*stack.shape[:-2], *task.plan.grid)


def _labeller(network: UNet, device: Device, task: SliceTask, note: Callable[[str], None]) -> Labeller:
    """What labels a batch of slices, given their indices: `label_batch`, OpenVINO one by one, or all of it on a GPU."""
    if device.name.startswith("cuda") and not network.spec.window:
        return gpu_labeller(network, device, task, note)
    if device.runtime == "torch":
        return partial(label_batch, shape_for_device(network, device), device, task)
    label = openvino_labeller(network, device, task.plan)
    return lambda indices: np.stack([label(_network_input(task.read(index)[None], task)[0]) for index in indices])


def _run(label: Labeller, device: Device, indices: tuple[int, ...]) -> Iterator[tuple[int, np.ndarray]]:
    batches = [indices[start:start + device.batch] for start in range(0, len(indices), device.batch)]
    # One intra-op thread a stream: a slice's activations stay in its core's cache, and the result does not
    # depend on the number of cores.
    threads = max(1, torch.get_num_threads() // device.streams)
    pool = ThreadPoolExecutor(device.streams, "slice", torch.set_num_threads, (threads,))
    try:
        running: dict[Future[np.ndarray], tuple[int, ...]] = {}
        while batches or running:
            while batches and len(running) < 2 * device.streams:
                batch = batches.pop(0)
                running[pool.submit(label, batch)] = batch
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield from zip(running.pop(future), future.result())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return any(words in text for words in ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc"))


def _first_line(error: Exception) -> str:
    """What is shown of a long message of a C++ library."""
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__


def _with_less_memory(device: Device) -> tuple[Device, str]:
    """Return the next smaller way to run, and the sentence that tells the user."""
    where = "GPU" if device.name != "cpu" else "main"
    if device.batch > 1:
        batch = device.batch // 2
        return replace(device, batch=batch), f"The {where} memory was too small; continuing with {at_a_time(batch)}."
    if device.name != "cpu":
        return cpu_device(device.exact), "One slice does not fit into the GPU memory; continuing on the CPU."
    if device.streams > 1:
        return replace(device, streams=1), "The main memory was too small; continuing with one slice at a time."
    raise FlareSegError("out_of_memory", "There is not enough memory for a single slice; close other programs "
                                         "or choose a lighter model.")
