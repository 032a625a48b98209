"""Attention U-Net and 3D U-Net learn in the same trainer, and become bundles that segment."""

import json

import numpy as np
import pytest
import torch

from FlareSegLib.cli.main import build_parser
from FlareSegLib.cli.train_command import NETWORKS, protocol_from
from FlareSegLib.inference.segment import segment
from FlareSegLib.models.bundle import read_bundle
from FlareSegLib.networks.spec import AttentionUNet2DSpec, UNet3DSpec
from FlareSegLib.training.paper_training import train_model
from FlareSegLib.training.protocol import TrainingProtocol
from FlareSegLib.training.raw_data import find_raw_dataset
from FlareSegLib.training.run_folder import RunFolder
from FlareSegLib.training.store_building import build_store
from FlareSegLib.training.team import Team
from FlareSegLib.training.trainer import TrainerOptions

ALONE = Team(0, 1, torch.device("cpu"))
VARIANTS = [AttentionUNet2DSpec((4, 8, 8)), UNet3DSpec((4, 8, 8), slices=8, z_halvings=2)]


@pytest.mark.parametrize("spec", VARIANTS, ids=lambda spec: spec.kind)
def test_it_learns_resumes_and_segments(spec, raw_folder, phantoms, tmp_path):
    store = build_store(find_raw_dataset(raw_folder()), tmp_path / "store")
    protocol = TrainingProtocol(grid=(48, 64), batch=2, forced_foreground=1, epochs=4, iterations=5, momentum=0.9)

    def do(name, **words):
        model = train_model(store, tmp_path / name, spec, protocol, ALONE, **words)
        lines = RunFolder(tmp_path / name).losses.read_text().splitlines()
        return model, [json.loads(line)["loss"] for line in lines]

    model, losses = do("whole")
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.05
    assert do("parts", options=TrainerOptions(max_minutes=0)) == (None, losses[:1])
    assert do("parts", resume=True)[1] == losses
    bundle = read_bundle(model)
    assert bundle.network == spec and bundle.training["epochs_done"] == 4
    ct, labels = phantoms[0]
    assert segment(ct, bundle, device="cpu").label_map.array.shape == labels.array.shape


def test_another_kind_of_network_is_another_training(raw_folder, tmp_path):
    from FlareSegLib.errors import FlareSegError
    from FlareSegLib.networks.spec import UNet2DSpec

    store = build_store(find_raw_dataset(raw_folder()), tmp_path / "store")
    protocol = TrainingProtocol(grid=(48, 64), batch=2, forced_foreground=1, epochs=1, iterations=1)
    train_model(store, tmp_path / "run", UNet2DSpec((4, 8)), protocol, ALONE, TrainerOptions(max_minutes=0))
    with pytest.raises(FlareSegError, match="network") as caught:
        train_model(store, tmp_path / "run", AttentionUNet2DSpec((4, 8)), protocol, ALONE, resume=True)
    assert caught.value.code == "bad_option"


def test_names_on_the_command_line():
    def chosen(*words):
        options = build_parser().parse_args(["train", "data", "-o", "run", *words])
        protocol = protocol_from(options)
        return NETWORKS[options.network].spec.kind, protocol.grid, protocol.batch, protocol.forced_foreground

    assert chosen() == ("unet2d", (512, 512), 12, 4)
    assert chosen("--network", "attention") == ("attention_unet2d", (512, 512), 12, 4)
    assert chosen("--network", "unet3d") == ("unet3d", (256, 256), 2, 1)
    assert chosen("--network", "unet3d", "--grid", "128", "--batch", "6") == ("unet3d", (128, 128), 6, 2)
