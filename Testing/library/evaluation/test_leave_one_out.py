"""The evaluation runs what users run, keeps kinds of labels apart and skips what is not annotated."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from FlareSegLib.evaluation.leave_one_out import evaluate_case, format_rows, read_checkpoint
from FlareSegLib.inference.device import choose_device
from FlareSegLib.inference.segment import label_axial
from FlareSegLib.networks.unet2d import UNet2D
from FlareSegLib.training.starter import STARTER_NETWORK, starter_bundle
from FlareSegLib.volumes.volume import Volume

ENTRY = {"name": "made-up", "patient": "nobody", "contrast": True, "labels": "silver.nii.gz"}


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    return UNet2D(STARTER_NETWORK).eval()


@pytest.fixture(scope="module")
def data(tmp_path_factory, network):
    """One case whose silver labels are the network's own output."""
    folder = tmp_path_factory.mktemp("data") / ENTRY["name"]
    folder.mkdir()
    hu = np.random.default_rng(0).integers(-200, 300, (3, 40, 48)).astype(np.int16)
    ct = Volume(hu, (1.6, 1.6, 5.0))
    labels, _ = label_axial(ct, starter_bundle(), network, choose_device("auto"))
    for name, array in (("ct", hu), ("silver", labels), ("liver", np.minimum(hu > 0, 1).astype(np.uint8))):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(ct.spacing)
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    return folder.parent


def test_labels_that_agree_have_dice_1_and_kinds_are_kept_apart(data, network):
    row = evaluate_case({**ENTRY, "manual_liver": "liver.nii.gz"}, data, network)
    assert row["silver"] and set(row["silver"].values()) == {1.0}
    assert set(row["manual"]) == {"liver"} and row["manual"]["liver"] < 1
    assert any(value < 1 for value in row["silver_keep_largest"].values()), "noise should leave islands"


def test_an_organ_that_is_not_annotated_has_no_figure(data, network):
    everything = evaluate_case(ENTRY, data, network)["silver"]
    assert "pancreas" in everything
    assert set(evaluate_case({**ENTRY, "unlabelled": [4]}, data, network)["silver"]) == set(everything) - {"pancreas"}


def test_the_table_has_one_line_for_each_kind_of_reference():
    row = {"case": "a", "contrast": False, "slice_spacing_mm": 2.5, "training": "700 steps",
           "silver": {"liver": 0.9}, "silver_keep_largest": {"liver": 0.91}, "manual": {"liver": 0.8}}
    lines = format_rows([row]).splitlines()[2:]
    assert [line.split(" | ")[4] for line in lines] == ["silver", "silver, islands removed", "manual"]
    assert "| 0.900 | – | – | – |" in lines[0]


def test_a_checkpoint_comes_back_as_its_averaged_network_with_its_steps(tmp_path, network):
    last = {name: value + 1 for name, value in network.state_dict().items()}
    torch.save({"network": last, "average": network.state_dict(), "step": 7}, tmp_path / "a.pt")
    back, steps = read_checkpoint(tmp_path / "a.pt")
    assert steps == 7 and not back.training
    assert all(torch.equal(a, b) for a, b in zip(back.state_dict().values(), network.state_dict().values()))
