"""The paper's network, exactly, and lighter ones of the same class."""

import pytest
import torch

from FlareSegLib.networks.unet2d import PAPER_NETWORK, UNet2D, UNet2DSpec


def test_table_2_parameters():
    with torch.device("meta"):
        network = UNet2D(PAPER_NETWORK)
    assert sum(p.numel() for p in network.parameters()) == 41_268_192


def test_section_2_eight_resolutions_from_512_to_4():
    assert PAPER_NETWORK.divisor == 128 and 512 // PAPER_NETWORK.divisor == 4
    assert PAPER_NETWORK.features == (32, 64, 128, 256, 480, 480, 480, 480) and PAPER_NETWORK.classes == 5


def test_table_3_he_initialisation():
    """Standard deviation sqrt(2 / ((1 + 0.01^2) fan-in)), nnU-Net's for leaky ReLU with slope 0.01."""
    torch.manual_seed(0)
    weight = UNet2D(UNet2DSpec(features=(64, 64))).encoder[0][1].conv.weight
    assert weight.std().item() == pytest.approx((2 / (1.0001 * 64 * 9)) ** 0.5, rel=0.02)
    assert abs(weight.mean().item()) < 0.002


def test_section_2_two_convolutions_a_resolution_with_instance_norm_and_leaky_relu():
    with torch.device("meta"):
        network = UNet2D(PAPER_NETWORK)
    for stage in (*network.encoder, *network.decoder):
        assert len(stage) == 2
        for block in stage:
            assert [type(layer).__name__ for layer in block] == ["Conv2d", "InstanceNorm2d", "LeakyReLU"]
            assert block.norm.affine and block.norm.eps == 1e-5 and block.act.negative_slope == 0.01


@pytest.mark.parametrize("features", [(4, 6), (4, 6, 8), (2, 4, 8, 8, 8)])
def test_logits_have_the_slices_shape_at_every_level(features):
    spec = UNet2DSpec(features=features, classes=3)
    network = UNet2D(spec).eval()
    side = 2 * spec.divisor
    with torch.inference_mode():
        levels = network.forward_levels(torch.randn(2, 1, side, side))
        single = network(torch.randn(2, 1, side, side))
    assert [tuple(level.shape) for level in levels] == [(2, 3, side // 2**k, side // 2**k)
                                                        for k in range(len(features) - 1)]
    assert single.shape == levels[0].shape


def test_forward_is_the_finest_level():
    network = UNet2D(UNet2DSpec(features=(4, 6, 8))).eval()
    slices = torch.randn(1, 1, 16, 16)
    with torch.inference_mode():
        assert torch.equal(network(slices), network.forward_levels(slices)[0])


def test_slices_do_not_see_each_other():
    network = UNet2D(UNet2DSpec(features=(4, 6, 8))).eval()
    slices = torch.randn(3, 1, 16, 16)
    with torch.inference_mode():
        together = network(slices)
        alone = torch.cat([network(one[None]) for one in slices])
    assert torch.allclose(together, alone, atol=1e-5)


def test_biases_start_at_zero():
    network = UNet2D(UNet2DSpec(features=(4, 6), head_bias=True, up_bias=True))
    biases = [p for name, p in network.named_parameters() if name.endswith("bias") and "norm" not in name]
    assert biases and all((bias == 0).all() for bias in biases)
