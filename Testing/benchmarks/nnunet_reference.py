"""nnU-Net v2's own predictor around the paper's network: the reference that FlareSeg is measured against.

The plans are what nnU-Net's planner would write for this network, with its default preprocessing and resampling
(nnunetv2 2.8, `ExperimentPlanner`: images with order 3, logits with order 1, along z separately and with order 0
where the spacing is anisotropic by more than a factor of three).
"""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from FlareSegLib.networks.spec import PAPER_NETWORK
from FlareSegLib.networks.unet2d import LEAKY_SLOPE, NORM_EPS, UNet2D
from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

DATASET = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "liver": 1, "kidney": 2, "spleen": 3, "pancreas": 4},
    "file_ending": ".nii.gz",
}


def plans(spacing: list[float], patch: tuple[int, int]) -> dict:
    """Return nnU-Net plans with one 2D configuration.

    Parameters
    ----------
    spacing : list of float
        Two values (rows, columns): slices stay where they are, as nnU-Net's planner writes for 2D. Three values
        (slices, rows, columns): the predictor resamples along z, too, and back; with all three equal that is the
        paper's z-isotropification, done by nnU-Net itself.
    patch : tuple of int
        Rows and columns of the network's input.
    """
    constants = FLARE21_NORMALISATION
    resampling = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    configuration = {
        "data_identifier": "nnUNetPlans_2d", "preprocessor_name": "DefaultPreprocessor", "batch_size": 12,
        "patch_size": list(patch), "spacing": spacing,
        "normalization_schemes": ["CTNormalization"], "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape", "resampling_fn_data_kwargs": resampling,
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_seg_kwargs": {**resampling, "is_seg": True, "order": 1},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {**resampling, "order": 1},
        "architecture": _architecture(), "batch_dice": False,
    }
    return {
        "dataset_name": "Dataset001_FLARE21", "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO", "transpose_forward": [0, 1, 2], "transpose_backward": [0, 1, 2],
        "configurations": {"2d": configuration}, "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {
            "mean": constants.mean, "std": constants.sd,
            "percentile_00_5": constants.lower, "percentile_99_5": constants.upper}},
    }


def _architecture() -> dict:
    levels = len(PAPER_NETWORK.features)
    return {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": levels, "features_per_stage": list(PAPER_NETWORK.features),
            "conv_op": "torch.nn.modules.conv.Conv2d", "kernel_sizes": [[3, 3]] * levels,
            "strides": [[1, 1]] + [[2, 2]] * (levels - 1),
            "n_conv_per_stage": [2] * levels, "n_conv_per_stage_decoder": [2] * (levels - 1), "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
            "norm_op_kwargs": {"eps": NORM_EPS, "affine": True},
            "dropout_op": None, "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"negative_slope": LEAKY_SLOPE, "inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def build_network() -> nn.Module:
    """Return nnU-Net's network for these plans, with fresh weights."""
    architecture = _architecture()
    return get_network_from_plans(architecture["network_class_name"], architecture["arch_kwargs"],
                                  architecture["_kw_requires_import"], 1, PAPER_NETWORK.classes,
                                  deep_supervision=False).eval()


@torch.no_grad()
def copy_weights(source: UNet2D, target: nn.Module) -> None:
    """Give nnU-Net's network the weights of ours; biases that ours lacks become zero.

    nnU-Net counts decoder steps from the coarsest level, we from the finest.
    """
    for ours, theirs in zip(source.encoder, target.encoder.stages):
        _copy_blocks(ours, theirs[0].convs)
    for level, decoder, up, head in zip(reversed(range(len(source.decoder))), target.decoder.stages,
                                        target.decoder.transpconvs, target.decoder.seg_layers):
        _copy_blocks(source.decoder[level], decoder.convs)
        _copy_layer(source.up[level], up)
        _copy_layer(source.heads[level], head)


def _copy_blocks(ours: nn.Module, theirs: nn.Module) -> None:
    for our_block, their_block in zip(ours, theirs, strict=True):
        _copy_layer(our_block.conv, their_block.conv)
        _copy_layer(our_block.norm, their_block.norm)


def _copy_layer(ours: nn.Module, theirs: nn.Module) -> None:
    theirs.weight.copy_(ours.weight)
    theirs.bias.zero_() if ours.bias is None else theirs.bias.copy_(ours.bias)


class Reference:
    """nnU-Net's predictor, ready to predict.

    Parameters
    ----------
    mirroring : bool
        Its default, four passes a slice, whose logits are averaged.
    device : str
        "cpu" or "cuda".

    Attributes
    ----------
    network : nn.Module
        Its network.
    slices_run : int
        Forward passes so far, counted at the network itself; one slice each.
    """

    def __init__(self, network: nn.Module, spacing: list[float], patch: tuple[int, int], mirroring: bool = False,
                 device: str = "cpu"):
        manager = PlansManager(plans(spacing, patch))
        with contextlib.redirect_stdout(None):  # it says that results stay on the CPU: there is nothing else here
            self._predictor = nnUNetPredictor(use_mirroring=mirroring, device=torch.device(device))
        self._predictor.manual_initialization(network, manager, manager.get_configuration("2d"),
                                              [network.state_dict()], DATASET, "nnUNetTrainer",
                                              (0, 1) if mirroring else None)
        self.network = network
        self.slices_run = 0
        network.register_forward_hook(self._count)

    @classmethod
    def from_file(cls, weights: Path, spacing: list[float], patch: tuple[int, int],
                  mirroring: bool = False) -> Reference:
        """Return the predictor with the weights of a file."""
        network = build_network()
        network.load_state_dict(torch.load(weights, weights_only=True))
        return cls(network, spacing, patch, mirroring)

    def predict(self, array: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
        """Return the labels (uint8) of a CT (slices, rows, columns) with its spacing in that order, mm.

        The volume stays in this process: nnU-Net's other entries start worker processes, which cost more.
        """
        return self._predictor.predict_single_npy_array(array[None], {"spacing": list(spacing)})

    def _count(self, module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        self.slices_run += len(inputs[0])
