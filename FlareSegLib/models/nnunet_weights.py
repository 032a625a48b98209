"""nnU-Net's names for the weights of its 2D U-Net, and the check that the imported network computes the same.

Names as nnU-Net v1's ``Generic_UNet`` (branch nnunetv1, generic_UNet.py) and v2's ``PlainConvUNet`` (package
dynamic_network_architectures, unet.py) register them: encoder levels count from the finest, decoder steps from
the coarsest.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ..errors import FlareSegError
from ..networks.spec import UNet2DSpec, UNetSpec
from ..networks.unet2d import LEAKY_SLOPE, NORM_EPS, UNet2D
from .description import check_network

Weights = dict[str, torch.Tensor]

#: v2 registers its convolutions twice, and the encoder once more inside the decoder.
V2_DUPLICATES = re.compile(r".*\.all_modules\.|decoder\.encoder\.")
WRAPPERS = re.compile(r"^(module\.|_orig_mod\.)+")  # of DataParallel and torch.compile


@dataclass(frozen=True)
class Naming:
    """Names of one generation of nnU-Net.

    Attributes
    ----------
    encoder_block, decoder_block : callable
        (level or step, convolution 0 or 1, number of levels) to the prefix of one convolution block.
    norm, up, head : str
        Name of the normalisation in a block; prefixes of the transposed convolutions and of the heads.
    levels : str
        Pattern of the names whose first group counts the encoder levels.
    """

    encoder_block: Callable[[int, int, int], str]
    decoder_block: Callable[[int, int, int], str]
    norm: str
    up: str
    head: str
    levels: str


def _v1_encoder_block(level: int, conv: int, levels: int) -> str:
    # The bottleneck is two stacks of one convolution, every other level one stack of two.
    stack = f"{conv}.blocks.0" if level == levels - 1 else f"blocks.{conv}"
    return f"conv_blocks_context.{level}.{stack}"


V1_NAMES = Naming(
    encoder_block=_v1_encoder_block,
    decoder_block=lambda step, conv, levels: f"conv_blocks_localization.{step}.{conv}.blocks.0",
    norm="instnorm", up="tu", head="seg_outputs", levels=r"conv_blocks_context\.(\d{1,2})\.",
)
V2_NAMES = Naming(
    encoder_block=lambda level, conv, levels: f"encoder.stages.{level}.0.convs.{conv}",
    decoder_block=lambda step, conv, levels: f"decoder.stages.{step}.convs.{conv}",
    norm="norm", up="decoder.transpconvs", head="decoder.seg_layers", levels=r"encoder\.stages\.(\d{1,2})\.",
)


def clean_weights(state: dict[Any, Any]) -> Weights:
    """Return a checkpoint's weights as float32, without wrappers' prefixes and v2's duplicates.

    Raises
    ------
    FlareSegError
        "model_invalid" where they are not tensors.
    """
    weights = {}
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor) or not _is_plain(tensor):
            raise FlareSegError("model_invalid", "The checkpoint's weights are not what nnU-Net writes; "
                                                 "get it again from its source.")
        name = WRAPPERS.sub("", name)
        if not V2_DUPLICATES.match(name):
            weights[name] = tensor
    return weights


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether it is a dense tensor of real numbers that are there (not sparse, quantised or on no device)."""
    return tensor.is_floating_point() and tensor.layout is torch.strided and not tensor.is_meta


def build_network(weights: Weights, naming: Naming) -> UNet2D:
    """Return the network that has these weights, in evaluation mode.

    Raises
    ------
    FlareSegError
        "model_unsupported" where they are those of another graph (3D, residual, other channels, ...).
    """
    spec = _spec(weights, naming)
    check_network(spec)
    with torch.device("meta"):
        network = UNet2D(spec)
    expected = {original: (ours, network.get_parameter(ours).shape)
                for ours, original in original_names(spec, naming).items()}
    wrong = sorted(name for name in expected.keys() | weights.keys()
                   if name not in weights or name not in expected or weights[name].shape != expected[name][1])
    if wrong:
        raise _other_graph(wrong[0])
    network.load_state_dict({ours: weights[original].float().clone() for original, (ours, _) in expected.items()},
                            assign=True)
    return network.eval()


def original_names(spec: UNet2DSpec, naming: Naming) -> dict[str, str]:
    """Map each of UNet2D's names to nnU-Net's."""
    levels = len(spec.features)
    names = {}

    def add_block(ours: str, original: str) -> None:
        for part, original_part in (("conv", "conv"), ("norm", naming.norm)):
            for value in ("weight", "bias"):
                names[f"{ours}.{part}.{value}"] = f"{original}.{original_part}.{value}"

    for level in range(levels):
        for conv in (0, 1):
            add_block(f"encoder.{level}.{conv}", naming.encoder_block(level, conv, levels))
    for level in range(levels - 1):
        step = levels - 2 - level
        for conv in (0, 1):
            add_block(f"decoder.{level}.{conv}", naming.decoder_block(step, conv, levels))
        for ours, original, bias in (("up", naming.up, spec.up_bias), ("heads", naming.head, spec.head_bias)):
            for value in ("weight", "bias") if bias else ("weight",):
                names[f"{ours}.{level}.{value}"] = f"{original}.{step}.{value}"
    return names


def _spec(weights: Weights, naming: Naming) -> UNet2DSpec:
    """What the shapes tell of the graph; `build_network` then checks every one of them."""
    levels = 1 + max((int(found[1]) for name in weights if (found := re.match(naming.levels, name))), default=-1)
    named = [weights.get(f"{naming.encoder_block(level, 0, levels)}.conv.weight") for level in range(levels)]
    firsts = [first for first in named if first is not None and first.ndim in (4, 5)]
    head = weights.get(f"{naming.head}.0.weight")
    if levels < 2 or len(firsts) < levels:
        raise _other_graph("the encoder")
    if head is None or head.ndim not in (4, 5):
        raise _other_graph(f"{naming.head}.0.weight")
    if firsts[0].ndim == 5:
        raise FlareSegError("model_unsupported", "This is a 3D nnU-Net model; FlareSeg runs 2D models only, "
                                                 "import the 2D configuration.")
    if firsts[0].shape[1] != 1:
        raise FlareSegError("model_unsupported", f"The model reads {firsts[0].shape[1]} channels; FlareSeg gives it "
                                                 "one, the CT.")
    return UNet2DSpec(
        features=tuple(first.shape[0] for first in firsts),
        in_channels=1,
        classes=head.shape[0],
        head_bias=f"{naming.head}.0.bias" in weights,
        up_bias=f"{naming.up}.0.bias" in weights,
    )


def _other_graph(name: str) -> FlareSegError:
    return FlareSegError("model_unsupported", "The model's network is not nnU-Net's plain 2D U-Net with two "
                                              f"convolutions a level (it differs at {name[:80]}).")


def noise_slices(spec: UNetSpec) -> torch.Tensor:
    """A slice of fixed noise in normalised units, (1, 1, rows, columns), of the smallest size that runs."""
    # Instance normalisation needs more than one pixel at the coarsest level.
    side = 2 * spec.divisor
    return torch.randn((1, spec.in_channels, side, side), generator=torch.Generator().manual_seed(21))


@torch.no_grad()
def logit_difference(network: UNet2D, original: Callable[[torch.Tensor], torch.Tensor]) -> float:
    """Largest absolute difference of the finest logits between the network and the original on `noise_slices`."""
    slices = noise_slices(network.spec)
    return float((network(slices) - original(slices)).abs().max())


def run_v1(weights: Weights, slices: torch.Tensor) -> torch.Tensor:
    """Compute Generic_UNet's finest logits from the original weights by their own names, without UNet2D.

    Parameters
    ----------
    weights : dict
        As `clean_weights` gives them.
    slices : torch.Tensor
        (n, 1, rows, columns).
    """
    weights = {name: tensor.float() for name, tensor in weights.items()}
    steps = sum(name.startswith("tu.") and name.endswith(".weight") for name in weights)

    def block(values: torch.Tensor, prefix: str, stride: int = 1) -> torch.Tensor:
        values = F.conv2d(values, weights[f"{prefix}.conv.weight"], weights[f"{prefix}.conv.bias"], stride, padding=1)
        values = F.instance_norm(values, weight=weights[f"{prefix}.instnorm.weight"],
                                 bias=weights[f"{prefix}.instnorm.bias"], eps=NORM_EPS)
        return F.leaky_relu(values, LEAKY_SLOPE)

    skips = []
    for depth in range(steps):
        slices = block(slices, f"conv_blocks_context.{depth}.blocks.0", stride=2 if depth else 1)
        slices = block(slices, f"conv_blocks_context.{depth}.blocks.1")
        skips.append(slices)
    slices = block(slices, f"conv_blocks_context.{steps}.0.blocks.0", stride=2)
    slices = block(slices, f"conv_blocks_context.{steps}.1.blocks.0")
    for step in range(steps):
        slices = F.conv_transpose2d(slices, weights[f"tu.{step}.weight"], weights.get(f"tu.{step}.bias"), stride=2)
        slices = torch.cat((slices, skips.pop()), dim=1)
        slices = block(slices, f"conv_blocks_localization.{step}.0.blocks.0")
        slices = block(slices, f"conv_blocks_localization.{step}.1.blocks.0")
    head = f"seg_outputs.{steps - 1}"
    return F.conv2d(slices, weights[f"{head}.weight"], weights.get(f"{head}.bias"))


def original_v2(spec: UNetSpec, state: Weights) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """The class that v2 itself trains, with the checkpoint's weights; None where its package is not installed."""
    try:
        from dynamic_network_architectures.architectures.unet import PlainConvUNet
    except ImportError:
        return None
    levels = len(spec.features)
    network = PlainConvUNet(
        input_channels=spec.in_channels, n_stages=levels, features_per_stage=list(spec.features),
        conv_op=torch.nn.Conv2d, kernel_sizes=3, strides=[1] + [2] * (levels - 1), n_conv_per_stage=2,
        num_classes=spec.classes, n_conv_per_stage_decoder=2, conv_bias=True, norm_op=torch.nn.InstanceNorm2d,
        norm_op_kwargs={"eps": NORM_EPS, "affine": True}, nonlin=torch.nn.LeakyReLU, nonlin_kwargs={"inplace": True},
    )
    weights = {WRAPPERS.sub("", name): tensor.float() for name, tensor in state.items()}
    try:
        odd = network.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raise _other_graph("the second copies of its weights") from error
    # Versions of the package differ in which modules they register twice.
    strange = [name for name in (*odd.missing_keys, *odd.unexpected_keys) if not V2_DUPLICATES.match(name)]
    if strange:
        raise _other_graph(strange[0])
    return network.eval()
