"""Labels of slices on a CUDA GPU: everything from HU to uint8 labels happens there, as one CUDA graph where that works.

Only HU go to the GPU and only labels come back, through pinned memory. A CUDA graph replays the kernels of one batch
without the cost of starting each (https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs).

Never run on a GPU so far (none was at hand): its tests run the same code on the CPU, without the graph.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..networks.unet import UNet
from ..preprocessing.inplane import from_grid, to_grid
from .device import Device
from .network_form import shape_for_device

if TYPE_CHECKING:
    from .predictor import SliceTask

Work = Callable[[torch.Tensor], torch.Tensor]

#: Passes before the capture, in which cuDNN and the allocator settle.
WARM_UP = 3


def gpu_labeller(network: UNet, device: Device, task: SliceTask,
                 note: Callable[[str], None] = lambda sentence: None) -> Callable[[tuple[int, ...]], np.ndarray]:
    """Return a function from a batch of slice indices to their labels, uint8 (n, rows, columns).

    It may be called from several threads: while one batch is on the GPU, the others are read.

    Parameters
    ----------
    network : UNet
        2D, with its weights.
    device : Device
        CUDA; or the CPU, where the same code runs without the graph.
    task : SliceTask
        What is done to each slice.
    note : callable
        Hears in a sentence when the kernels could not be captured and are started one by one instead.
    """
    shaped = shape_for_device(network, device)

    def work(hu: torch.Tensor) -> torch.Tensor:
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=not device.exact):
            return label_slices(shaped, device, task, hu)

    shape = (network.spec.in_channels, *task.plan.slice_shape)
    with torch.inference_mode():
        run = _captured(work, device, shape, note) if device.name.startswith("cuda") else work
    turn = threading.Lock()

    def label(indices: tuple[int, ...]) -> np.ndarray:
        hu = torch.from_numpy(np.stack([task.read(index) for index in indices]))
        if device.name.startswith("cuda"):
            hu = hu.pin_memory()
        with turn, torch.inference_mode():
            return run(hu).cpu().numpy()  # .cpu() waits for the GPU, without holding up other threads

    return label


def label_slices(network: UNet, device: Device, task: SliceTask, hu: torch.Tensor) -> torch.Tensor:
    """Return the labels (n, rows, columns), uint8, of slices in HU with what is seen of others, float32.

    Parameters
    ----------
    network : UNet
        In the device's form (`shape_for_device`).
    device : Device
        That of the network and the slices; its precision is the network's.
    task : SliceTask
        Grid and normalisation; it reads nothing here.
    hu : torch.Tensor
        What the network sees: (n, channels, rows, columns).
    """
    constants = task.normalisation
    grid = to_grid(hu.flatten(0, 1)[:, None], task.plan).reshape(*hu.shape[:2], *task.plan.grid)
    inputs = (grid.clamp(constants.lower, constants.upper) - constants.mean) / constants.sd
    if not device.exact:
        inputs = inputs.to(device.dtype, memory_format=torch.channels_last)
    return from_grid(network(inputs).float(), task.plan).max(dim=1).indices.to(torch.uint8)


def _captured(work: Work, device: Device, shape: tuple[int, ...], note: Callable[[str], None]) -> Work:
    """Return `work` for batches in pinned memory: as a graph over a whole batch, or kernel by kernel.

    `shape` is that of what the network sees of one slice: (channels, rows, columns).
    """
    still = torch.zeros((device.batch, *shape), device=device.name)
    try:
        graph, labels = _graph(work, still)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        note(f"The GPU's work could not be recorded ({type(error).__name__}); it is slower, the labels are the same.")
        return lambda hu: work(hu.to(device.name, non_blocking=True))

    def replay(hu: torch.Tensor) -> torch.Tensor:
        still[:len(hu)].copy_(hu, non_blocking=True)  # what a shorter last batch leaves of the one before is not read
        graph.replay()
        return labels[:len(hu)]

    return replay


def _graph(work: Work, still: torch.Tensor) -> tuple[torch.cuda.CUDAGraph, torch.Tensor]:
    """Record `work` on a tensor that stays where it is; return the graph and the tensor that it writes to."""
    aside = torch.cuda.Stream(still.device)
    aside.wait_stream(torch.cuda.current_stream(still.device))
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            work(still)
    torch.cuda.current_stream(still.device).wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        labels = work(still)
    return graph, labels
