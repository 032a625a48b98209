"""The published numbers, and the same counts from torch itself."""

import subprocess
import sys

import pytest
import torch
from FlareSegLib.networks.complexity import paper_flops, parameter_count, slice_macs
from FlareSegLib.networks.unet2d import PAPER_NETWORK, UNet2D, UNet2DSpec
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

V2_FEATURES = (32, 64, 128, 256, 512, 512, 512, 512)

specs = st.builds(
    UNet2DSpec,
    features=st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple),
    in_channels=st.integers(1, 3),
    classes=st.integers(2, 4),
    head_bias=st.booleans(),
    up_bias=st.booleans(),
)


def test_table_2_parameters_and_flops():
    assert parameter_count() == 41_268_192
    assert paper_flops() == 61_307_143_168
    assert round(slice_macs() / 1e9, 2) == 57.83


@pytest.mark.parametrize("spec, heads, expected", [
    (PAPER_NETWORK, None, 41_268_192),
    (UNet2DSpec(head_bias=True), None, 41_268_192 + 35),
    (PAPER_NETWORK, 5, 41_263_392),  # the heads that the loss uses
    (PAPER_NETWORK, 1, 41_258_752),  # inference
    (UNet2DSpec(head_bias=True, up_bias=True), None, 41_270_147),  # PlainConvUNet with these widths
    (UNet2DSpec(V2_FEATURES, head_bias=True, up_bias=True), None, 46_330_627),
])
def test_parameters_of_the_variants(spec, heads, expected):
    assert parameter_count(spec, heads) == expected


def test_parts_of_the_published_count():
    """Convolutions, heads and normalisations as they were counted one by one (see the module's description)."""
    convs = 55_364_124_672
    heads = 81_868_800
    assert slice_macs(heads=0) == convs + 2_423_586_816
    assert slice_macs(heads=None) - slice_macs(heads=0) == heads
    assert paper_flops() == convs + heads + 5 * 65_510_400 + 5_533_597_696


@given(specs)
def test_parameters_are_torchs(spec):
    assert parameter_count(spec) == sum(p.numel() for p in UNet2D(spec).parameters())


@settings(max_examples=10)
@given(specs, st.integers(2, 3), st.integers(2, 4))
def test_counts_are_those_of_a_forward_pass(spec, rows, columns):
    shape = rows * spec.divisor, columns * spec.divisor
    macs, flops = _counts_of_a_forward_pass(spec, *shape)
    assert slice_macs(spec, *shape, heads=None) == macs
    assert paper_flops(spec, *shape) == flops


def _counts_of_a_forward_pass(spec, rows, columns):
    counts = {"macs": 0, "flops": 0}

    def count(module, inputs, output):
        if isinstance(module, nn.ConvTranspose2d):
            counts["macs"] += inputs[0].numel() * module.weight[0].numel()
            counts["flops"] += output.numel() * module.out_channels * 4
        elif isinstance(module, nn.Conv2d):
            counts["macs"] += output.numel() * module.weight[0].numel()
            counts["flops"] += output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.InstanceNorm2d):
            counts["flops"] += 5 * output.numel()

    network = UNet2D(spec)
    for module in network.modules():
        module.register_forward_hook(count)
    with torch.no_grad():
        network.forward_levels(torch.zeros(1, spec.in_channels, rows, columns))
    return counts["macs"], counts["flops"]


@pytest.mark.parametrize("rows, columns", [(500, 512), (0, 512), (512, -512)])
def test_an_impossible_grid_is_refused(rows, columns):
    with pytest.raises(ValueError, match="multiples of 128"):
        slice_macs(PAPER_NETWORK, rows, columns)


def test_counting_needs_no_torch():
    code = "import sys, FlareSegLib.networks.complexity; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
