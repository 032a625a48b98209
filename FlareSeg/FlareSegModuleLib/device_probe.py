"""Which device and runtime a run will use, and why; asked in another process, as importing torch takes seconds."""

from __future__ import annotations

import json

from slicer.i18n import tr as _

from .python_process import run_library

SECONDS = 120.0
PROGRAM = """
import json, sys, torch
from FlareSegLib.inference.device import choose_device
from FlareSegLib.inference.runtime import choose_runtime
from FlareSegLib.models.store import find_bundle
requested, exact, model = json.loads(sys.argv[1])
device = choose_runtime(choose_device(requested, exact), find_bundle(model).network)
gpu = device.name.startswith("cuda")
print(json.dumps({"name": device.name, "reason": device.reason, "torch": torch.__version__,
                  "cuda_build": torch.version.cuda, "free_bytes": torch.cuda.mem_get_info()[0] if gpu else None}))
"""


def probe_device(requested: str, exact: bool, model: str, command: tuple[str, ...],
                 environment: dict[str, str]) -> dict:
    """Ask what would run this model (name or folder); call it in a thread.

    Returns
    -------
    dict
        ``name``, ``reason``, ``torch`` (version), ``cuda_build`` (None for a build without CUDA), ``free_bytes``.

    Raises
    ------
    FlareSegError
        Where the device or the model is not there, or torch does not start.
    """
    words = ["-c", PROGRAM, json.dumps([requested, exact, model])]
    return json.loads(run_library(words, command, environment, SECONDS))


def device_text(found: dict, requested: str) -> str:
    """Return the line for the panel."""
    if found["free_bytes"] is not None:
        return _("{device} {memory:.1f} GB of its memory are free.").format(device=found["reason"],
                                                                          memory=found["free_bytes"] / 2**30)
    if found["name"] == "cpu" and requested == "auto":
        return _("{device} {why}").format(device=found["reason"], why=_why_no_gpu(found))
    return found["reason"]


def _why_no_gpu(found: dict) -> str:
    if found["cuda_build"]:
        return _("PyTorch finds no NVIDIA GPU on this computer, or its driver is too old.")
    return _("No GPU: this PyTorch ({version}) is a build without NVIDIA support; where there is an NVIDIA GPU, "
             "reinstall PyTorch with the PyTorch Utils module.").format(version=found["torch"])
