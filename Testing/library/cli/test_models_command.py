"""``flareseg models``: looking after models in a folder of one's own."""

import pickle
import zipfile

import pytest
import torch

from FlareSegLib.cli.main import main


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """The user's folder of models for one test."""
    place = tmp_path / "Modèles 模型"
    monkeypatch.setenv("FLARESEG_MODELS", str(place))
    return place


def test_import_list_info_verify_remove(model, own_folder, capsys):
    assert main(["models", "import", model, "--name", "mine"]) == 0
    assert (own_folder / "mine" / "model.json").is_file()
    assert main(["models", "list"]) == 0
    assert "mine 1 (imported): Untrained; liver, kidney, spleen, pancreas" in capsys.readouterr().out
    assert main(["models", "info", "mine"]) == 0
    out = capsys.readouterr().out
    for fact in ("Untrained", "1 liver, 2 kidney", "64 x 64 at 4 x 4 mm", "intended use", "licence", str(own_folder)):
        assert fact in out
    assert main(["models", "verify", "mine"]) == 0
    assert "complete and unchanged" in capsys.readouterr().out
    assert main(["models", "remove", "mine"]) == 0
    assert not (own_folder / "mine").exists()


def test_provenance_is_told_whole(capsys, model, own_folder):
    import json

    assert main(["models", "import", model, "--name", "mine"]) == 0
    description = own_folder / "mine" / "model.json"
    fields = json.loads(description.read_text("utf-8"))
    fields["training"] = {"data": [{"name": "Set A", "licence": "CC BY 4.0"}], "dice": {"liver": 0.5}, "notes": [],
                          "long": {"word": "x" * 170}, "rows": [{"kidney": ["pieces", "side"], "spleen": {"ml": 1}}]}
    description.write_text(json.dumps(fields), "utf-8")
    capsys.readouterr()
    assert main(["models", "info", "mine"]) == 0
    out = capsys.readouterr().out
    for line in ("data: (name: Set A; licence: CC BY 4.0)", "dice: liver: 0.5", "notes: none",
                 "rows: (kidney: (pieces, side); spleen: (ml: 1))"):
        assert f"  {line}\n" in out
    assert f"  long:\n    word: {'x' * 170}\n" in out


def test_a_changed_model_is_noticed(model, own_folder, capsys):
    assert main(["models", "import", model, "--name", "mine"]) == 0
    weights = own_folder / "mine" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\7")
    assert main(["models", "verify", "mine"]) == 41
    (own_folder / "mine" / "model.json").write_text("{}")
    capsys.readouterr()
    assert main(["models", "list"]) == 0
    assert "mine (unusable): " in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "status"), [
    (["info", "none"], 40),
    (["verify", "none"], 40),
    (["remove", "none"], 40),
    (["import", "none"], 10),
    (["import", "MODEL", "--name", "../evil"], 30),
])
def test_failures_are_one_line(arguments, status, model, capsys):
    assert main(["models", *(model if word == "MODEL" else word for word in arguments)]) == status
    err = capsys.readouterr().err
    assert err.startswith("flareseg: error: ") and err.count("\n") == 1


class Hostile:
    """What would end Python with status 99, were it unpickled."""

    def __reduce__(self):
        return exit, (99,)


def nnunet(folder, patch_size=(32, 32), **more):
    """A model's folder of nnU-Net v1, complete but for the weights, which are none."""
    stage = {"patch_size": list(patch_size), "current_spacing": [5.0, 0.8, 0.8]}
    plans = {"plans_per_stage": {0: stage}, "normalization_schemes": {0: "CT"}, "use_mask_for_norm": {0: False},
             "dataset_properties": {"intensityproperties": {0: {
                 "percentile_00_5": -16, "percentile_99_5": 270, "mean": 116.6, "sd": 47.9}}}, "all_classes": [1],
                 **more}
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.pkl").write_bytes(pickle.dumps(plans))
    (folder / "fold_0" / "model_final_checkpoint.model.pkl").write_bytes(pickle.dumps({"name": "nnUNetTrainerV2"}))
    torch.save({"state_dict": {}}, folder / "fold_0" / "model_final_checkpoint.model")
    return folder


def evil_zip(path, model):
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(f"{model}/model.json", "model.json")
        archive.writestr("../evil.txt", "evil")
    return path


@pytest.mark.parametrize(("make", "status", "said"), [
    (lambda folder, model: evil_zip(folder / "model.zip", model), 42, "leads out of its folder"),
    (lambda folder, model: nnunet(folder / "a", anything=Hostile()), 42, "Nothing in it was run"),
    (lambda folder, model: nnunet(folder / "a", patch_size=(16, 32, 32)), 43, "3D"),
    (lambda folder, model: nnunet(folder / "a"), 43, "not nnU-Net's plain 2D U-Net"),
], ids=["zip", "pickle", "3D", "no weights"])
def test_unsafe_and_unsupported_models_do_not_come_in(tmp_path, own_folder, model, capsys, make, status, said):
    assert main(["models", "import", str(make(tmp_path, model))]) == status
    err = capsys.readouterr().err
    assert err.startswith("flareseg: error: ") and err.count("\n") == 1 and said in err
    assert not own_folder.exists() and not (tmp_path / "evil.txt").exists()


def test_a_torch_too_old_to_read_strangers_files(tmp_path, own_folder, monkeypatch, capsys):
    """Before 2.6 torch's reader of plain weights could be made to run code (CVE-2025-32434)."""
    folder = nnunet(tmp_path / "a")
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    assert main(["models", "import", str(folder)]) == 52
    assert "torch 2.6" in capsys.readouterr().err
    assert not own_folder.exists()
