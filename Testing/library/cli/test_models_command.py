"""``flareseg models``: looking after models in a folder of one's own."""

import pytest

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
    fields["training"] = {"data": [{"name": "Set A", "licence": "CC BY 4.0"}], "dice": {"liver": 0.5}, "notes": []}
    description.write_text(json.dumps(fields), "utf-8")
    capsys.readouterr()
    assert main(["models", "info", "mine"]) == 0
    out = capsys.readouterr().out
    for fact in ("Set A", "CC BY 4.0", "liver: 0.5"):
        assert fact in out


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
