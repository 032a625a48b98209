"""The evaluation runs what users run, keeps kinds of labels apart and skips what is not annotated."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from FlareSegLib.evaluation import conditions, held_out, leave_one_out
from FlareSegLib.evaluation.held_out import read_checkpoint
from FlareSegLib.evaluation.leave_one_out import evaluate_case, format_rows, format_summaries, summaries
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
    silver, pieces, manual = evaluate_case({**ENTRY, "manual_liver": "liver.nii.gz"}, data, network)
    assert [row["reference"] for row in (silver, pieces, manual)] == ["silver", "silver, islands removed", "manual"]
    assert silver["dice"] and set(silver["dice"].values()) == set(silver["nsd"].values()) == {1.0}
    assert set(manual["dice"]) == set(manual["nsd"]) == {"liver"} and manual["dice"]["liver"] < 1
    assert any(value < 1 for value in pieces["dice"].values()), "noise should leave islands"
    assert any(value < 1 for value in pieces["nsd"].values())


def test_an_organ_that_is_not_annotated_has_no_figure(data, network):
    everything = evaluate_case(ENTRY, data, network)[0]["dice"]
    assert "pancreas" in everything
    assert set(evaluate_case({**ENTRY, "unlabelled": [4]}, data, network)[0]["dice"]) == set(everything) - {"pancreas"}


def row(patient="a", contrast=False, reference="silver", dice=0.9, nsd=None):
    return {"case": patient, "patient": patient, "contrast": contrast, "slice_spacing_mm": 2.5, "training": "700 steps",
            "reference": reference, "dice": {"liver": dice}, "nsd": {} if nsd is None else {"liver": nsd}}


def test_the_table_has_one_line_a_row_and_a_dash_for_what_is_not_known():
    lines = format_rows([row(), row(reference="manual", nsd=0.5)]).splitlines()[2:]
    assert "| silver | 0.900 / – | – | – | – |" in lines[0] and "| manual | 0.900 / 0.500 | – | – | – |" in lines[1]


def test_intervals_are_over_patients_and_only_where_there_are_enough():
    rows = [row(patient, True, dice=dice) for patient, dice in zip("abcdee", (0.9, 0.8, 0.7, 0.6, 0.4, 0.6))]
    few, many = summaries([*rows[:4], row(contrast=False)]), summaries(rows)
    assert [(each["patients"], each["interval"]) for each in few] == [(4, None), (1, None)]
    whole, = many
    assert (whole["patients"], whole["cts"], whole["mean"]) == (5, 6, 0.7), "a patient's CTs are averaged first"
    assert 0.5 < whole["interval"][0] < 0.7 < whole["interval"][1] < 0.9
    assert "| Dice | liver | 0.700 |" in format_summaries(many) and "too few patients" in format_summaries(few)


def test_a_checkpoint_comes_back_as_its_averaged_network_with_its_steps(tmp_path, network):
    last = {name: value + 1 for name, value in network.state_dict().items()}
    torch.save({"network": last, "average": network.state_dict(), "step": 7}, tmp_path / "a.pt")
    back, steps = read_checkpoint(tmp_path / "a.pt")
    assert steps == 7 and not back.training
    assert all(torch.equal(a, b) for a, b in zip(back.state_dict().values(), network.state_dict().values()))


@pytest.mark.parametrize("script", [leave_one_out, conditions])
@pytest.mark.parametrize("damage, sentence", [
    (lambda path: path.write_bytes(b"no checkpoint"), "is no checkpoint, or a damaged one"),
    (lambda path: torch.save({"average": {"other": torch.zeros(1)}, "step": 7}, path), "is of another network")])
def test_a_wrong_checkpoint_gets_one_sentence(script, damage, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(held_out, "read_case_list", lambda: [ENTRY])
    damage(tmp_path / "without_nobody.pt")
    with pytest.raises(SystemExit):
        script.main([str(tmp_path), str(tmp_path), "--json", str(tmp_path / "rows.json")])
    told = capsys.readouterr().err
    assert f"without_nobody.pt {sentence}" in told and len(told.splitlines()) == 1


@pytest.mark.parametrize("script", [leave_one_out, conditions])
def test_without_any_network_there_is_a_sentence_and_no_empty_table(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(held_out, "read_case_list", lambda: [ENTRY])
    with pytest.raises(SystemExit) as ended:
        script.main([str(tmp_path), str(tmp_path / "runs"), "--json", str(tmp_path / "rows.json")])
    printed = capsys.readouterr()
    assert ended.value.code and "holds no without_PATIENT.pt" in printed.err and "| CT" not in printed.out
