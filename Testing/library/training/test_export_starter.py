"""The card says what the measuring scripts wrote, and shows nothing that may not be shown."""

import re

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from FlareSegLib.errors import FlareSegError
from FlareSegLib.evaluation import failures
from FlareSegLib.models.bundle import load_network, read_bundle
from FlareSegLib.networks.unet2d import UNet2D
from FlareSegLib.phantom.phantom import make_phantom
from FlareSegLib.training import export_starter
from FlareSegLib.training.export_starter import export
from FlareSegLib.training.starter import STARTER_NETWORK

DATA = {"cases": {"real": 2, "synthetic": 31}, "with_diseases": 13, "with_ignored": 11,
        "cts": [{"name": "hcctace006", "source": "HCC_006", "licence": "CC BY 4.0", "labels": "silver",
                 "restricted": False, "cases": 17}],
        "labels": [{"name": "kits", "source": "KiTS19", "licence": "CC BY-NC-SA 4.0", "restricted": True, "cases": 19}]}


def row(case, dice, **more):
    return {"case": case, "patient": case, "contrast": True, "slice_spacing_mm": 2.5, "training": "4321 steps",
            "reference": "silver", "dice": dice, "nsd": {organ: 0.0421 for organ in dice}, "warnings": {},
            "wrong_side_ml": {"liver": 0.0, "spleen": 0.0}, **more}


ROWS = [row("hcctace006", {"liver": 0.9123, "pancreas": 0.3217}, warnings={"pancreas": ["volume"]}),
        row("ircad01", {"liver": 0.1117})]
CONDITIONS = [{**row("hcctace006", {"liver": dice}), "group": group, "condition": name, "organs": ["liver"], "steps": 7}
              for group, name, dice in (("as it is", "as it is", 0.9123), ("slices", "slices of 5 mm", 0.8456),
                                        ("disease", "hcc", 0.7654))]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "without_hcctace006.pt"
    torch.save({"average": UNet2D(STARTER_NETWORK).state_dict(), "step": 4321,
                "settings": {"steps": 9999, "batch": 4, "batches_per_step": 2},
                "averaged_steps": [1000, 2000, 4321]}, path)
    return path


def test_the_bundle_loads_and_its_card_has_the_figures_of_the_files(checkpoint, tmp_path):
    card = export(checkpoint, tmp_path / "lite", DATA, ROWS, CONDITIONS).read_text("utf-8")
    bundle = read_bundle(tmp_path / "lite")
    assert bundle.name == "flareseg-lite" and bundle.training["data"] == DATA
    load_network(bundle)
    for text in ("2,682,656", "with 4 neighbours, 3.2 mm from one to the next", "In 11 cases",
                 "4321 steps of 8 slices (the weights are the mean of those after 1000, 2000 and 4321 steps)",
                 "2 real cases, 31 synthetic cases", "in 13 cases",
                 "0.912 / 0.042", "0.322 / 0.042", "0.846 (-0.067)", "| hcc | liver | 1 | 0.912 | 0.765 | -0.147 |",
                 "pancreas of hcctace006: Dice 0.322", "liver of ircad01: Dice 0.112", "KiTS19 | CC BY-NC-SA 4.0",
                 "1 of 1 (100%)", "has not seen ircad01"):
        assert text in " ".join(card.split()), text
    assert all(len(line) <= 120 for line in card.splitlines() if not line.startswith("|"))
    assert "failures.png" not in card and "{" not in card
    assert "CC BY-NC-SA 4.0 (KiTS19)" in bundle.licence and bundle.licence in " ".join(card.split())


def changed(checkpoint, path, begin=0, **more):
    state = torch.load(checkpoint, weights_only=True)
    torch.save({**state, "settings": {**state["settings"], "begin": begin}, **more}, path)
    return path


BEGUN = {**DATA, "begun_with": "flareseg-lite 0.0.9", "steps_before": 3210}


def test_the_card_tells_what_the_training_went_on_from(checkpoint, tmp_path):
    later = changed(checkpoint, tmp_path / "later.pt", 3210)
    card = export(later, tmp_path / "lite", BEGUN, ROWS, []).read_text("utf-8")
    assert "The first 3210 steps are those of flareseg-lite 0.0.9" in " ".join(card.split())


@pytest.mark.parametrize("begin, more, data, version, sentence", [
    (3210, {}, DATA, "0.1.0", "The first 3210 steps of .* are another model's"),
    (0, {}, BEGUN, "0.1.0", "trained for 3210 steps, but .* went on from 0"),
    (3210, {}, BEGUN, "0.0.9", "give another --version"),
    (0, {"patients": ["hcctace006", "ircad01", "phantom_3"]}, DATA, "0.1.0", "was trained on ircad01, too")])
def test_a_card_that_would_be_wrong_is_not_written(begin, more, data, version, sentence, checkpoint, tmp_path):
    other = changed(checkpoint, tmp_path / "a.pt", begin, **more)
    with pytest.raises(FlareSegError, match=sentence):
        export(other, tmp_path / "lite", data, ROWS, [], version=version)
    assert not (tmp_path / "lite").exists()


def test_rows_of_other_networks_are_not_taken_for_the_shipped_one(checkpoint, tmp_path):
    rows = [{**each, "training": "7 steps"} for each in ROWS]
    card = export(checkpoint, tmp_path / "lite", DATA, rows, []).read_text("utf-8")
    assert "None of these networks is the shipped one" in " ".join(card.split())


@pytest.mark.parametrize("text", ["no JSON", '{"dice": 1}', '[{"dice": 1}]', None])
def test_rows_that_are_none_get_one_sentence_and_leave_no_bundle(text, checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(export_starter, "training_data", lambda *words: DATA)
    if text is not None:
        (tmp_path / "rows.json").write_text(text, "utf-8")
    with pytest.raises(SystemExit):
        export_starter.main([str(checkpoint), str(tmp_path / "lite"), "--synthesis", str(tmp_path), "--accuracy",
                             str(tmp_path / "rows.json")])
    assert len(capsys.readouterr().err.splitlines()) == 1 and not (tmp_path / "lite").exists()


def test_without_conditions_the_card_does_not_speak_of_them(checkpoint, tmp_path):
    card = export(checkpoint, tmp_path / "lite", DATA, ROWS, []).read_text("utf-8")
    assert "How far that lasts" not in card and "hcc |" not in card


def test_no_decimal_of_the_card_is_from_elsewhere(checkpoint, tmp_path):
    """With all measured values alike, no other value with three digits is left."""
    def same(rows):
        return [{**each, **{metric: dict.fromkeys(each[metric], 0.5) for metric in ("dice", "nsd")}} for each in rows]

    card = export(checkpoint, tmp_path / "lite", DATA, same(ROWS), same(CONDITIONS)).read_text("utf-8")
    assert set(re.findall(r"[+-]?\d\.\d{3}\b", card)) <= {"0.500", "+0.000", "0.000"}


def test_pictures_are_of_cts_alone_that_may_be_shown(checkpoint, tmp_path):
    assert {each["case"] for each in failures.worst_rows(ROWS).values()} == {"hcctace006"}
    assert failures.failure_picture(ROWS[1:], tmp_path, tmp_path) is None
    folder = tmp_path / "data" / "hcctace006"
    folder.mkdir(parents=True)
    phantom = make_phantom(0, (64, 56, 8), (6.0, 6.0, 24.0))
    for name, volume in (("ct", phantom.ct), ("organs4_silver", phantom.label_map)):
        image = sitk.GetImageFromArray(volume.array)
        image.SetSpacing(volume.spacing)
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    card = export(checkpoint, tmp_path / "lite", DATA, ROWS, [], pictures=(tmp_path / "data", checkpoint.parent))
    assert "TCIA HCC-TACE-Seg HCC_006 (CC BY 4.0)" in card.read_text("utf-8")
    picture = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "lite" / "failures.png")))
    assert np.ptp(picture) > 100 and min(picture.shape[:2]) > 200


def test_pictures_of_which_the_network_is_missing_leave_no_half_bundle(checkpoint, tmp_path):
    with pytest.raises(FlareSegError, match="without_hcctace006.pt") as error:
        export(checkpoint, tmp_path / "lite", DATA, ROWS, [], pictures=(tmp_path, tmp_path))
    assert error.value.code == "not_found" and not (tmp_path / "lite").exists()
