"""The faster forms of the network compute the same thing."""

import pytest
import torch

from FlareSegLib.inference.device import Device
from FlareSegLib.inference.network_form import OneSliceNorm, shape_for_device
from FlareSegLib.networks.unet2d import UNet2D, UNet2DSpec


@pytest.fixture(scope="module")
def wide():
    torch.manual_seed(0)
    return UNet2D(UNet2DSpec(features=(8, 16, 32, 32))).eval()


def logits(network, x):
    with torch.inference_mode():
        return network(x).float()


def form(network, precision, exact):
    return shape_for_device(network, Device("cpu", precision, exact, 1, 1, "test"))


def test_exact_is_the_plain_network(wide):
    x = torch.randn(1, 1, 64, 64)
    assert torch.equal(logits(form(wide, "float32", True), x), logits(wide, x))


def test_fast_float32_differs_by_rounding_only(wide):
    x = torch.randn(1, 1, 64, 64)
    assert (logits(form(wide, "float32", False), x) - logits(wide, x)).abs().max() < 1e-3


def test_bfloat16_keeps_nearly_every_label(wide):
    x = torch.randn(1, 1, 64, 64)
    fast = logits(form(wide, "bfloat16", False), x.bfloat16())
    plain = logits(wide, x)
    margin = plain.topk(2, dim=1).values
    sure = (margin[:, 0] - margin[:, 1]) > 0.2
    assert sure.float().mean() > 0.5
    assert (fast.argmax(1) == plain.argmax(1))[sure].float().mean() > 0.999


def test_the_original_is_not_changed(wide):
    before = {name: value.clone() for name, value in wide.state_dict().items()}
    form(wide, "bfloat16", False)
    assert all(torch.equal(before[name], value) for name, value in wide.state_dict().items())
    assert not any(isinstance(module, OneSliceNorm) for module in wide.modules())
