"""Conditions in small: one phantom as if it were a patient, a network that knows nothing."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from FlareSegLib.evaluation import conditions, held_out
from FlareSegLib.networks.unet2d import UNet2D
from FlareSegLib.phantom.phantom import make_phantom
from FlareSegLib.training.starter import STARTER_NETWORK

ENTRY = {"name": "made-up", "patient": "nobody", "contrast": True, "labels": "silver.nii.gz", "kind": "phantom"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folders of the data and of the runs."""
    folder = tmp_path_factory.mktemp("conditions")
    phantom = make_phantom(1, (64, 56, 10), (6.0, 6.0, 20.0))
    (folder / "data" / ENTRY["name"]).mkdir(parents=True)
    for name, volume in (("ct", phantom.ct), ("silver", phantom.label_map)):
        image = sitk.GetImageFromArray(volume.array)
        image.SetSpacing(volume.spacing)
        sitk.WriteImage(image, str(folder / "data" / ENTRY["name"] / f"{name}.nii.gz"))
    (folder / "runs").mkdir()
    torch.manual_seed(0)
    network = UNet2D(STARTER_NETWORK)
    torch.save({"average": network.state_dict(), "step": 7}, folder / "runs" / "without_nobody.pt")
    return folder


def run(place, monkeypatch, *words):
    monkeypatch.setattr(held_out, "read_case_list", lambda: [ENTRY])
    file = place / "rows.json"
    conditions.main([str(place / "data"), str(place / "runs"), "--json", str(file), "--conditions", *words])
    return json.loads(file.read_text("utf-8"))


def test_rows_are_kept_and_only_what_is_missing_is_done(place, monkeypatch, capsys):
    first = run(place, monkeypatch, "flipped")
    assert [row["condition"] for row in first] == ["as it is", "flipped"]
    assert first[1]["voxels_differ"] == 0 and first[1]["dice"] == first[0]["dice"]
    seen = []
    real = conditions.find_labels
    monkeypatch.setattr(conditions, "find_labels", lambda ct, network: seen.append(ct.spacing) or real(ct, network))
    capsys.readouterr()
    rows = run(place, monkeypatch, "flipped", "renal_cyst")
    assert rows[:2] == first and [row["condition"] for row in rows[2:]] == ["renal_cyst"] and len(seen) == 1
    assert rows[2]["organs"] == ["kidney"] and rows[2]["steps"] == 7
    printed = capsys.readouterr().out
    assert "| renal_cyst | kidney | 1 |" in printed and "0 voxels at most" in printed


def row(condition, group, dice, organs=("liver",), case="a", steps=1):
    return {"case": case, "steps": steps, "condition": condition, "group": group, "organs": list(organs), "dice": dice,
            "nsd": dice, "wrong_side_ml": {"liver": 0.0, "spleen": 3.0}}


def test_changes_are_against_the_same_ct_and_network_and_of_the_organs_concerned():
    plain = "as it is", "as it is"
    rows = [row(*plain, {"liver": 0.9, "kidney": 0.8}), row(*plain, {"liver": 0.5}, case="b"),
            row("hcc", "disease", {"liver": 0.8, "kidney": 0.1}), row("hcc", "disease", {"liver": 0.6}, case="b"),
            row("hcc", "disease", {"liver": 0.1}, case="c"), row("hcc", "disease", {"liver": 0.1}, steps=2)]
    assert conditions.changes(rows, "dice")["disease", "hcc", "liver"] == [(0.9, 0.8), (0.5, 0.6)]
    assert ("disease", "hcc", "kidney") not in conditions.changes(rows, "dice")
    assert "| hcc | liver | 2 | 0.700 | 0.700 | +0.000 | +0.000 |" in conditions.disease_table(rows)


def test_tables_have_means_changes_and_what_was_not_looked_at():
    rows = [row("as it is", "as it is", {"liver": 0.9}), row("slices of 1 mm", "slices", {"liver": 0.92}),
            row("slices of 5 mm", "slices", {"liver": 0.88}), row("slices of 8 mm", "slices", {"liver": 0.1})]
    table = conditions.condition_table(rows)
    assert "| slices of 5 mm | 1 | 0.880 (-0.020) | – | – | – | 0 / 3 |" in table
    told = conditions.stability_sentence(rows)
    assert told.startswith("Over slices of 1, 5 mm") and "0.040 (liver)" in told, "8 mm does not count"
    assert conditions.storage_sentence(rows) == "Storage was not looked at."
    assert np.isclose(conditions.changes(rows, "dice")["slices", "slices of 1 mm", "liver"][0][1], 0.92)
