"""OpenVINO's graph gives PyTorch's labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from FlareSegLib.inference import predictor
from FlareSegLib.inference.device import cpu_device
from FlareSegLib.inference.segment import label_axial
from FlareSegLib.networks.unet2d import UNet2D, UNet2DSpec
from FlareSegLib.preprocessing.inplane import InPlanePlan, from_grid

pytest.importorskip("openvino", reason="OpenVINO is not installed (pip install flareseg[openvino])")
from FlareSegLib.inference.openvino_runtime import openvino_labeller

FLOAT32 = replace(cpu_device(), precision="float32", runtime="openvino", streams=2)
PLANS = {"as it is": InPlanePlan((64, 32), (64, 32), (64, 32)), "in air": InPlanePlan((50, 21), (50, 21), (64, 32)),
         "shrunk": InPlanePlan((90, 70), (60, 31), (64, 32)), "enlarged": InPlanePlan((20, 12), (64, 32), (64, 32))}


def unet(**changes) -> UNet2D:
    torch.manual_seed(0)
    network = UNet2D(UNet2DSpec(**({"features": (8, 12, 16)} | changes))).eval().requires_grad_(False)
    for parameter in network.parameters():  # zeros and ones of a fresh network would hide what is left out
        parameter.add_(torch.randn_like(parameter) * 0.1)
    return network


def grid_slices(plan: InPlanePlan, slices: int = 1) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((slices, *plan.grid)).astype(np.float32)


def sure_labels(network, plan, grid, margin):
    """PyTorch's labels, and where the best logit leads the next by more than a margin."""
    logits = from_grid(network(torch.from_numpy(grid)[None]), plan)[0]
    best = logits.topk(2, dim=0).values
    return logits.max(0).indices.numpy(), (best[0] - best[1]).numpy() > margin


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("changes", [{}, {"head_bias": True, "up_bias": True, "classes": 3}, {"in_channels": 3}],
                         ids=["v1", "v2", "with neighbours"])
@pytest.mark.parametrize("precision, margin", [("float32", 1e-4), ("bfloat16", 0.25)])
def test_labels_are_pytorch_s(plan, changes, precision, margin):
    network = unet(**changes)
    grid = grid_slices(plan, network.spec.in_channels)
    labels = openvino_labeller(network, replace(FLOAT32, precision=precision), plan)(grid)
    expected, sure = sure_labels(network, plan, grid, margin)
    assert labels.shape == plan.slice_shape and labels.dtype == np.uint8
    assert sure.mean() > 0.4 and len(np.unique(expected[sure])) > 1, "the test needs labels that are sure"
    assert np.array_equal(labels[sure], expected[sure])


def test_of_equal_logits_the_first_wins():
    network = unet()
    network.heads[0].weight.zero_()
    plan = PLANS["as it is"]
    assert not openvino_labeller(network, FLOAT32, plan)(grid_slices(plan)).any()


def test_a_volume_gets_pytorch_s_labels(bundle, network, ct):
    torch_labels, runs = label_axial(ct, bundle, network, replace(FLOAT32, runtime="torch"))
    labels, openvino_runs = label_axial(ct, bundle, network, FLOAT32)
    assert len(np.unique(labels)) > 2 and runs == openvino_runs
    assert (labels == torch_labels).mean() > 0.9999


def test_the_network_is_not_changed(bundle, network, ct):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    label_axial(ct, bundle, network, FLOAT32)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_where_openvino_fails_pytorch_takes_over(monkeypatch, bundle, network, ct):
    def fails(*_):
        raise RuntimeError("Exception from src/core.cpp:1:\nno such kernel")

    expected, _ = label_axial(ct, bundle, network, replace(FLOAT32, runtime="torch"))
    monkeypatch.setattr(predictor, "openvino_labeller", fails)
    notes = []
    labels, _ = label_axial(ct, bundle, network, FLOAT32, note=notes.append)
    assert np.array_equal(labels, expected)
    assert len(notes) == 1 and "PyTorch" in notes[0] and "no such kernel" not in notes[0]


def test_when_memory_runs_out_it_goes_on_with_one_slice_at_a_time(monkeypatch, bundle, network, ct):
    real, tried = predictor.openvino_labeller, []

    def hungry(network, device, plan):
        tried.append(device.streams)
        if device.streams > 1:
            raise RuntimeError("std::bad_alloc")
        return real(network, device, plan)

    monkeypatch.setattr(predictor, "openvino_labeller", hungry)
    notes = []
    labels, _ = label_axial(ct, bundle, network, FLOAT32, note=notes.append)
    assert tried == [2, 1] and labels.any()
    assert "one slice at a time" in notes[0]
