"""Choosing where and how the network runs, with the reason in words."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import torch

from ..errors import FlareSegError

DEVICES = ("auto", "cpu", "cuda", "mps")
#: Four slices of the paper's network take some 400 MB of activations in 16 bits: the target is 1 GB in all.
GPU_BATCH = 4
#: While one batch is on the GPU the next one is read.
GPU_STREAMS = 2
#: Compute capability from which NVIDIA GPUs multiply in these formats natively (Ampere, Volta).
BFLOAT16_SINCE, FLOAT16_SINCE = (8, 0), (7, 0)
#: Each stream holds one slice's activations (about 300 MB in float32 for the paper's network).
MOST_STREAMS = 8


@dataclass(frozen=True)
class Device:
    """Where the network runs.

    Attributes
    ----------
    name : str
        torch's device name: "cpu", "cuda:0" or "mps".
    precision : str
        "float32", "bfloat16" or "float16".
    exact : bool
        Reference path: the network as it was trained, no faster kernels that round differently.
    batch : int
        Slices in one forward pass (1 on the CPU, where more only fall out of the cache).
    streams : int
        Batches that are worked on at the same time; on the CPU one a core, each on one thread.
    reason : str
        For the user, in a sentence or two.
    runtime : str
        "torch" or "openvino": what runs the network (`runtime.choose_runtime`).
    """

    name: str
    precision: str
    exact: bool
    batch: int
    streams: int
    reason: str
    runtime: str = "torch"

    @property
    def dtype(self) -> torch.dtype:
        """The network's number format."""
        return getattr(torch, self.precision)


def choose_device(requested: str = "auto", exact: bool = False) -> Device:
    """Return the device to use.

    Parameters
    ----------
    requested : str
        "auto" takes CUDA, then MPS, then the CPU; a name insists.
    exact : bool
        float32 throughout, the reference path.

    Raises
    ------
    FlareSegError
        "bad_option" for an unknown name, "device_unavailable" where the machine lacks the device.
    """
    if requested not in DEVICES:
        raise FlareSegError("bad_option", f"Unknown device {requested}; choose from {', '.join(DEVICES)}.")
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if requested == "auto":
        requested = next(name for name in ("cuda", "mps", "cpu") if available[name])
    if not available[requested]:
        raise FlareSegError("device_unavailable", f"This machine offers no {requested} device to PyTorch; "
                                                  f"use --device auto, or install a PyTorch build that supports it.")
    return {"cuda": _cuda, "mps": _mps, "cpu": cpu_device}[requested](exact)


def cpu_device(exact: bool = False) -> Device:
    """Return the CPU: one slice a core, bfloat16 where the processor multiplies it natively."""
    cores = torch.get_num_threads()
    streams = max(1, min(cores, MOST_STREAMS))
    if exact:
        return Device("cpu", "float32", True, 1, streams, f"CPU, {at_a_time(streams)}, float32 (exact).")
    if _cpu_multiplies_bfloat16():
        return Device("cpu", "bfloat16", False, 1, streams,
                      f"CPU, {at_a_time(streams)}, bfloat16, which this processor supports natively.")
    return Device("cpu", "float32", False, 1, streams,
                  f"CPU, {at_a_time(streams)}, float32: this processor has no native bfloat16.")


def one_window_at_a_time(device: Device) -> Device:
    """Return the device for a 3D network: a window is work for all cores, and takes the memory of many slices."""
    return replace(device, batch=1, streams=1)


def at_a_time(slices: int) -> str:
    """In words how many slices are worked on together."""
    return "one slice at a time" if slices == 1 else f"{slices} slices at a time"


def _cuda(exact: bool) -> Device:
    name, capability = torch.cuda.get_device_name(0), torch.cuda.get_device_capability(0)
    native = ("bfloat16" if capability >= BFLOAT16_SINCE else "float16" if capability >= FLOAT16_SINCE else "float32")
    precision = "float32" if exact else native
    return Device("cuda:0", precision, exact, GPU_BATCH, GPU_STREAMS,
                  f"GPU {name}, {precision}{' (exact)' if exact else ''}.")


def _mps(exact: bool) -> Device:
    return Device("mps", "float32", exact, GPU_BATCH, 1, "Apple GPU, float32.")


def _cpu_multiplies_bfloat16() -> bool:
    """True with AVX-512 BF16 or AMX; FLARESEG_BFLOAT16=0 or 1 overrides."""
    override = os.environ.get("FLARESEG_BFLOAT16")
    if override in ("0", "1"):
        return override == "1"
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
