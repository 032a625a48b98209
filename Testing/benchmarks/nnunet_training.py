"""nnU-Net v2's own trainer on the paper's network: the reference that FlareSeg's training is measured against.

nnU-Net v2's network has a bias in its heads and transposed convolutions, v1's and the paper's has none there. Here both
sides have them, so that they train the same parameters.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from FlareSegLib.networks.spec import UNet2DSpec

RESULTS, PREPROCESSED = "nnUNet_results", "nnUNet_preprocessed"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """nnU-Net greets, warns and reports on stdout."""
    with contextlib.redirect_stdout(None), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def training_plans(spec: UNet2DSpec, side: int, batch: int, spacing: float) -> dict:
    """Return nnU-Net plans for training a network on whole isotropic slices of side x side pixels.

    Three equal spacings (mm): nnU-Net's own preprocessing does the paper's z-isotropification.
    """
    from nnunet_reference import plans

    result = plans([spacing] * 3, (side, side))
    result["continue_training"] = False
    configuration = result["configurations"]["2d"]
    configuration.update(batch_size=batch, batch_dice=True)  # as nnU-Net's planner writes for 2D
    levels = len(spec.features)
    configuration["architecture"]["arch_kwargs"].update(
        n_stages=levels, features_per_stage=list(spec.features), kernel_sizes=[[3, 3]] * levels,
        strides=[[1, 1]] + [[2, 2]] * (levels - 1), n_conv_per_stage=[2] * levels,
        n_conv_per_stage_decoder=[2] * (levels - 1))
    return result


def make_trainer(folder: Path, plans: dict):
    """Return nnU-Net's trainer for all cases in the folder, its network and optimiser made."""
    os.environ.update({"nnUNet_raw": str(folder), **{name: str(folder / name) for name in (RESULTS, PREPROCESSED)}})
    with quiet():
        from nnunet_reference import DATASET
        from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

        trainer = nnUNetTrainer(plans, "2d", "all", DATASET, torch.device("cpu"))
        trainer.initialize()
    return trainer


def preprocess(cases: list[tuple[Path, Path]], folder: Path, plans: dict) -> None:
    """Run nnU-Net's preprocessing on (image, labels) files."""
    with quiet():
        from nnunet_reference import DATASET
        from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
        from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

        manager = PlansManager({key: value for key, value in plans.items() if key != "continue_training"})
        configuration = manager.get_configuration("2d")
        target = folder / PREPROCESSED / manager.dataset_name / configuration.data_identifier
        target.mkdir(parents=True)
        for number, (image, labels) in enumerate(cases):
            out = str(target / f"case_{number:03}")
            DefaultPreprocessor(verbose=False).run_case_save(out, [str(image)], str(labels), manager, configuration,
                                                             DATASET)


@contextlib.contextmanager
def training_batches(trainer, workers: int) -> Iterator[Iterator[dict]]:
    """nnU-Net's own loader with this number of processes; those for its validation fill their queue and rest."""
    os.environ["nnUNet_n_proc_DA"] = str(workers)
    with quiet():
        loaders = trainer.get_dataloaders()
    try:
        yield loaders[0]
    finally:
        for loader in loaders:
            if hasattr(loader, "_finish"):  # there is nothing to end without processes
                loader._finish()
