"""Labels of slices by OpenVINO: the graph compiled once, then a request for each thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch

from ..networks.unet import UNet
from ..preprocessing.inplane import InPlanePlan
from .device import Device
from .openvino_graph import label_graph
from .runtime import load_openvino

PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


def openvino_labeller(network: UNet, device: Device, plan: InPlanePlan) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from what the network sees, normalised, to the slice's labels, uint8 (rows, columns).

    It takes (channels, rows, columns) on the grid, float32, and may be called from `device.streams` threads at a time;
    each call uses one core.
    """
    openvino = load_openvino()
    compiled = openvino.Core().compile_model(label_graph(network, plan), "CPU", {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_PRECISION_HINT": PRECISIONS[device.precision],
        "NUM_STREAMS": device.streams,
        "INFERENCE_NUM_THREADS": max(device.streams, torch.get_num_threads()),
        "ENABLE_CPU_PINNING": False,  # two programs that pin their threads meet on the same cores
    })
    requests = threading.local()

    def label(grid: np.ndarray) -> np.ndarray:
        if not hasattr(requests, "own"):
            requests.own = compiled.create_infer_request()
        requests.own.infer({0: grid[None]}, share_inputs=True)
        return requests.own.get_output_tensor().data.copy()

    return label
