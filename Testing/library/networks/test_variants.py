"""The networks that the paper compared its own with: attention U-Net and 3D U-Net."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from FlareSegLib.networks.attention import AttentionGate
from FlareSegLib.networks.build import build_network
from FlareSegLib.networks.complexity import parameter_count, slice_macs
from FlareSegLib.networks.spec import PAPER_NETWORK, AttentionUNet2DSpec, UNet2DSpec, UNet3DSpec

WIDTHS = st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple)
VARIANTS = [AttentionUNet2DSpec((4, 6, 8, 8), classes=3), UNet3DSpec((4, 6, 8, 8), classes=3, slices=8, z_halvings=2)]


def gate(features, gating):
    """Parameters of a gate by the formula: W_x, W_g with b_g, psi with b_psi; compared in half of the features."""
    width = features // 2
    return features * width + gating * width + width + width + 1


def test_parameters_of_the_attention_unet_are_the_papers_and_its_gates():
    widths = PAPER_NETWORK.features
    gates = sum(gate(widths[level], widths[level + 1]) for level in range(1, 7))
    assert gates == 6_209 + 24_705 + 94_465 + 3 * 230_881 == 818_022
    assert parameter_count(AttentionUNet2DSpec()) == 41_268_192 + gates


@pytest.mark.parametrize("halvings", [3, 5])
def test_parameters_of_the_3d_unet_are_nnunets(halvings):
    """With nnU-Net v2's biases those of its PlainConvUNet; without them less by as many."""
    unet = pytest.importorskip("dynamic_network_architectures.architectures.unet")
    spec = UNet3DSpec(z_halvings=halvings, head_bias=True, up_bias=True)
    levels = len(spec.features)
    with torch.device("meta"):
        theirs = unet.PlainConvUNet(
            1, levels, list(spec.features), torch.nn.Conv3d, [[3, 3, 3]] * levels, list(map(list, spec.strides)),
            [2] * levels, 5, [2] * (levels - 1), conv_bias=True, norm_op=torch.nn.InstanceNorm3d,
            norm_op_kwargs={"eps": 1e-5, "affine": True}, deep_supervision=True)
    assert parameter_count(spec) == sum(parameter.numel() for parameter in theirs.parameters())
    assert parameter_count(spec) - parameter_count(UNet3DSpec(z_halvings=halvings)) == 5 * 5 + sum(spec.features[:-1])


@settings(max_examples=20)
@given(WIDTHS, st.booleans(), st.booleans(), st.data())
def test_counted_parameters_are_torchs(features, head_bias, up_bias, data):
    halvings = data.draw(st.integers(0, len(features) - 1))
    for spec in (AttentionUNet2DSpec(features, 1, 3, head_bias, up_bias),
                 UNet3DSpec(features, 1, 3, head_bias, up_bias, slices=8, z_halvings=halvings)):
        assert parameter_count(spec) == sum(parameter.numel() for parameter in build_network(spec).parameters())


@pytest.mark.parametrize("spec", VARIANTS, ids=lambda spec: spec.kind)
def test_counted_operations_are_those_of_a_forward_pass(spec):
    counted = []

    def count(module, inputs, output):
        many = inputs[0] if isinstance(module, (torch.nn.ConvTranspose2d, torch.nn.ConvTranspose3d)) else output
        counted.append(many.numel() * module.weight[0].numel())

    network, side = build_network(spec), 2 * spec.divisor
    for module in network.modules():
        if hasattr(module, "kernel_size"):
            module.register_forward_hook(count)
    network.forward_levels(torch.zeros(1, 1, *([spec.window] if spec.window else []), side, side))
    assert slice_macs(spec, side, side, heads=None) == sum(counted)


@pytest.mark.parametrize("spec", VARIANTS, ids=lambda spec: spec.kind)
def test_logits_have_the_inputs_shape_and_coarser_levels_the_strides(spec):
    network = build_network(spec).eval()
    shape = (spec.window, 32, 48) if spec.window else (32, 48)
    with torch.inference_mode():
        levels = network.forward_levels(torch.randn(2, 1, *shape))
        assert torch.equal(network(torch.ones(1, 1, *shape)), network.forward_levels(torch.ones(1, 1, *shape))[0])
    for level, stride in zip(levels, spec.strides):
        shape = tuple(side // step for side, step in zip(shape, stride))
        assert tuple(level.shape) == (2, 3, *shape)


def test_windows_of_the_3d_unet():
    assert UNet3DSpec().strides == ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2), (1, 2, 2))
    assert UNet3DSpec().window == 32 and UNet3DSpec().divisor == 32
    assert UNet2DSpec().window is None and AttentionUNet2DSpec() != UNet2DSpec()


def test_gates_begin_open_and_the_finest_skip_connection_has_none():
    spec = AttentionUNet2DSpec((4, 6, 8, 8))
    network = build_network(spec)
    assert len(network.gates) == 2
    coefficients = network.gates[0].coefficients(torch.randn(1, 6, 16, 16), torch.randn(1, 8, 8, 8))
    assert coefficients.shape == (1, 1, 16, 16) and torch.allclose(coefficients, torch.tensor(0.9526), atol=1e-4)


def test_a_gate_computes_oktays_formula():
    torch.manual_seed(0)
    one = AttentionGate(4, 6, 2).double()
    torch.nn.init.normal_(one.psi.weight)
    torch.nn.init.normal_(one.from_gating.bias)
    features, gating = torch.randn(1, 4, 2, 2, dtype=torch.float64), torch.randn(1, 6, 1, 1, dtype=torch.float64)
    x, g = features[0, :, 0, 0], gating[0, :, 0, 0]  # of a 2x2 field the gate looks at the first pixel
    compared = torch.relu(one.from_features.weight[:, :, 0, 0] @ x + one.from_gating.weight[:, :, 0, 0] @ g
                          + one.from_gating.bias)
    alpha = torch.sigmoid(one.psi.weight[0, :, 0, 0] @ compared + one.psi.bias)
    assert torch.allclose(one(features, gating), features * alpha)


def test_gates_learn_to_close():
    """Where a gate's features only disturb, descent closes it there and not elsewhere."""
    torch.manual_seed(0)
    one = AttentionGate(2, 2, 2)
    features, gating = torch.ones(1, 2, 16, 16), torch.zeros(1, 2, 8, 8)
    gating[:, :, :4] = 1
    optimiser = torch.optim.Adam(one.parameters(), lr=0.2)
    for _ in range(50):
        loss = (one(features, gating)[..., :6, :]**2).mean() + ((one(features, gating)[..., 10:, :] - 1)**2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found = one.coefficients(features, gating)[0, 0]
    assert found[:4].max() < 0.2 and found[12:].min() > 0.8
