"""A tiny untrained model: enough to test everything but accuracy."""

from pathlib import Path

import numpy as np
import pytest
import torch

from FlareSegLib.models.bundle import ModelBundle
from FlareSegLib.networks.unet2d import UNet2D, UNet2DSpec
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION
from FlareSegLib.volumes.volume import Volume

TINY = UNet2DSpec(features=(4, 6, 8))


def tiny_bundle(**changes) -> ModelBundle:
    fields = dict(folder=Path("nowhere"), name="tiny", version="0", title="Tiny", network=TINY, organs=FLARE_ORGANS,
                  working_spacing=(1.6, 1.6), grid=(32, 32), normalisation=FLARE21_NORMALISATION, training={},
                  licence="none", intended_use="tests", weights_sha256="")
    return ModelBundle(**(fields | changes))


@pytest.fixture(scope="session")
def bundle() -> ModelBundle:
    return tiny_bundle()


@pytest.fixture(scope="session")
def network() -> UNet2D:
    torch.manual_seed(3)
    return UNet2D(TINY).eval()


@pytest.fixture(scope="session")
def ct() -> Volume:
    """Soft blobs of organ-like HU in air: labels of all kinds come out of the untrained network."""
    rng = np.random.default_rng(1)
    coarse = rng.normal(80, 80, (5, 6, 7))
    array = coarse.repeat(3, 0).repeat(6, 1).repeat(6, 2) + rng.normal(0, 15, (15, 36, 42))
    array[:, :4] = -1000
    return Volume(array.astype(np.int16), (1.1, 1.3, 3.0), (-20.0, 14.0, 300.0))
