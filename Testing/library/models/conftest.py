"""Tiny trained models as nnU-Net v1 and v2 leave them on disk, each with the network that wrote them.

Facts: nnU-Net's branches nnunetv1 (generic_UNet.py, network_trainer.py, experiment_planner_baseline_2DUNet.py) and
master (nnUNetTrainer.py, plans and dataset.json).
"""

import collections
import json
import pickle

import numpy as np
import pytest
import torch
from torch import nn

FEATURES = (4, 6, 8)
SPACING, GRID = (0.8, 0.7), (32, 48)
HU = {"percentile_00_5": np.float32(-17.5), "percentile_99_5": np.float32(271.25), "mean": np.float64(116.62895),
      "sd": np.float64(47.875)}
LABELS = {"background": 0, "Liver": 1, "vena cava": 2}


class Block(nn.Module):
    """v1's ConvDropoutNormNonlin: its names for what it registers."""

    def __init__(self, channels, width, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, stride, 1)
        self.instnorm = nn.InstanceNorm2d(width, affine=True)
        self.lrelu = nn.LeakyReLU(0.01)

    def forward(self, values):
        return self.lrelu(self.instnorm(self.conv(values)))


class Stack(nn.Module):
    """v1's StackedConvLayers."""

    def __init__(self, channels, width, count, stride=1):
        super().__init__()
        self.blocks = nn.Sequential(Block(channels, width, stride), *(Block(width, width) for _ in range(count - 1)))

    def forward(self, values):
        return self.blocks(values)


class GenericUNet(nn.Module):
    """What v1's Generic_UNet computes with strided convolutions and transposed ones, under its names."""

    def __init__(self, features=FEATURES, classes=len(LABELS)):  # noqa: B008  a constant
        super().__init__()
        *skips, bottom = features
        strides = (1, *[2] * (len(skips) - 1))
        self.conv_blocks_context = nn.ModuleList(
            Stack(below, width, 2, stride) for below, width, stride in zip((1, *skips), skips, strides))
        self.conv_blocks_context.append(nn.Sequential(Stack(skips[-1], bottom, 1, 2), Stack(bottom, bottom, 1)))
        self.conv_blocks_localization = nn.ModuleList(
            nn.Sequential(Stack(2 * width, width, 1), Stack(width, width, 1)) for width in reversed(skips))
        self.tu = nn.ModuleList(nn.ConvTranspose2d(below, width, 2, 2, bias=False)
                                for below, width in zip((bottom, *reversed(skips)), reversed(skips)))
        self.seg_outputs = nn.ModuleList(nn.Conv2d(width, classes, 1, bias=False) for width in reversed(skips))

    def forward(self, values):
        skips = []
        for stage in self.conv_blocks_context:
            values = stage(values)
            skips.append(values)
        skips.pop()
        for up, stage in zip(self.tu, self.conv_blocks_localization):
            values = stage(torch.cat((up(values), skips.pop()), 1))
        return self.seg_outputs[-1](values)


def randomised(network, seed=0):
    """Values everywhere, biases and normalisations too, so that none of them can be mixed up unnoticed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.5 + 0.1)
    return network.eval()


def plans_v1():
    stage = {"batch_size": 49, "num_pool_per_axis": [2, 2], "patch_size": np.array(GRID),
             "current_spacing": np.array((5.0, *SPACING)), "original_spacing": np.array((5.0, *SPACING)),
             "pool_op_kernel_sizes": [[2, 2], [2, 2]], "conv_kernel_sizes": [[3, 3], [3, 3], [3, 3]],
             "do_dummy_2D_data_aug": False}
    return {"num_stages": 1, "num_modalities": 1, "modalities": {0: "CT"},
            "normalization_schemes": collections.OrderedDict({0: "CT"}),
            "use_mask_for_norm": collections.OrderedDict({0: False}),
            "dataset_properties": {"intensityproperties": collections.OrderedDict({0: {**HU, "median": 100.0}}),
                                   "class_dct": {str(value): name for name, value in LABELS.items()}},
            "preprocessed_data_folder": "/data/preprocessed/Task021_Äbdomen", "all_classes": [1, 2], "num_classes": 2,
            "base_num_features": 32, "transpose_forward": [0, 1, 2], "conv_per_stage": 2,
            "plans_per_stage": {0: stage}}


@pytest.fixture
def write_v1():
    """Function that writes a model of nnU-Net v1 and returns the network whose weights it has."""

    def write(folder, fold="fold_0", seed=0, change=None, network=None, trainer="nnUNetTrainerV2", **extra):
        network = randomised(GenericUNet() if network is None else network, seed)
        plans = plans_v1()
        if change is not None:
            change(plans)
        (folder / fold).mkdir(parents=True)
        (folder / "plans.pkl").write_bytes(pickle.dumps(plans))
        optimiser = torch.optim.SGD(network.parameters(), 0.01, momentum=0.99, nesterov=True)
        torch.save({"epoch": 1000, "state_dict": network.state_dict(), "optimizer_state_dict": optimiser.state_dict(),
                    "plot_stuff": ([np.float64(-0.5)], [], [], []), "best_stuff": (0.1, np.float64(0.2), None),
                    **extra},
                   folder / fold / "model_final_checkpoint.model")
        about = {"init": ("plans.pkl", 0), "name": trainer, "class": f"<class '{trainer}'>", "plans": plans}
        (folder / fold / "model_final_checkpoint.model.pkl").write_bytes(pickle.dumps(about))
        return network

    return write


def plans_v2():
    stages = len(FEATURES)
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": stages, "features_per_stage": list(FEATURES), "conv_op": "torch.nn.modules.conv.Conv2d",
            "kernel_sizes": [[3, 3]] * stages, "strides": [[1, 1], *[[2, 2]] * (stages - 1)],
            "n_conv_per_stage": [2] * stages, "n_conv_per_stage_decoder": [2] * (stages - 1), "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True}, "dropout_op": None, "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True}},
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"]}
    constants = {name.replace("sd", "std"): float(value) for name, value in HU.items()}
    configuration = {"patch_size": list(GRID), "spacing": list(SPACING), "normalization_schemes": ["CTNormalization"],
                     "use_mask_for_norm": [False], "batch_dice": True, "architecture": architecture}
    return {"dataset_name": "Dataset021_Abdomen", "plans_name": "nnUNetPlans", "transpose_forward": [0, 1, 2],
            "configurations": {"2d": configuration, "2d_other": {"inherits_from": "2d", "spacing": [1.5, 1.25]},
                               "3d_fullres": {**configuration, "patch_size": [16, *GRID]}},
            "foreground_intensity_properties_per_channel": {"0": constants}}


@pytest.fixture
def write_v2():
    """Function that writes a model of nnU-Net v2 and returns the PlainConvUNet whose weights it has."""
    unet = pytest.importorskip("dynamic_network_architectures.architectures.unet")

    def write(folder, fold="fold_0", seed=0, change=None, change_dataset=None, configuration="2d", weights=None,
              **extra):
        network = randomised(unet.PlainConvUNet(
            1, len(FEATURES), FEATURES, nn.Conv2d, 3, [1, 2, 2], 2, len(LABELS), 2, conv_bias=True,
            norm_op=nn.InstanceNorm2d, norm_op_kwargs={"eps": 1e-5, "affine": True}, nonlin=nn.LeakyReLU,
            nonlin_kwargs={"inplace": True}, deep_supervision=False), seed)
        plans = plans_v2()
        dataset = {"channel_names": {"0": "CT"}, "labels": dict(LABELS), "numTraining": 3, "file_ending": ".nii.gz"}
        if change is not None:
            change(plans)
        if change_dataset is not None:
            change_dataset(dataset)
        (folder / fold).mkdir(parents=True)
        (folder / "plans.json").write_text(json.dumps(plans), "utf-8")
        (folder / "dataset.json").write_text(json.dumps(dataset), "utf-8")
        torch.save({"network_weights": network.state_dict() if weights is None else weights(network.state_dict()),
                    "optimizer_state": {}, "grad_scaler_state": None,
                    "logging": {"mean_fg_dice": [np.float64(0.9)]}, "_best_ema": np.float64(0.9), "current_epoch": 1000,
                    "init_args": {"configuration": configuration, "fold": 0, "device": torch.device("cuda")},
                    "trainer_name": "nnUNetTrainer", "inference_allowed_mirroring_axes": (0, 1), **extra},
                   folder / fold / "checkpoint_final.pth")
        return network

    return write


@pytest.fixture(params=["v1", "v2"])
def write_model(request):
    """`write_v1` and `write_v2` in turn."""
    return request.getfixturevalue(f"write_{request.param}")


class Hostile:
    """Makes a file when Python's own reader unpickles it."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@pytest.fixture
def hostile(tmp_path):
    """An object to hide in a pickle; at the end nothing may have run."""
    marker = tmp_path / "executed"
    pickle.loads(pickle.dumps(Hostile(marker))).close()  # the control: it would work
    marker.unlink()
    yield Hostile(marker)
    assert not marker.exists()


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The user's folder of models for one test; it does not exist yet."""
    place = tmp_path / "Modèles 模型"
    monkeypatch.setenv("FLARESEG_MODELS", str(place))
    return place
