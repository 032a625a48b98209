"""The mean of checkpoints is that of their weights, and what does not fit together is refused."""

import pytest
import torch

from FlareSegLib.errors import FlareSegError
from FlareSegLib.training.average import average_checkpoints, main


@pytest.fixture
def checkpoints(tmp_path):
    paths = [tmp_path / f"{step}.pt" for step in (100, 200, 300)]
    for path, value in zip(paths, (1.0, 2.0, 6.0)):
        torch.save({"step": int(path.stem), "average": {"weight": torch.full((2, 3), value)},
                    "network": {"weight": torch.zeros(2, 3)}, "settings": {"steps": 300}}, path)
    return paths


def test_the_mean_takes_the_place_of_the_last_one_s_averaged_weights(checkpoints, tmp_path, capsys):
    main([*map(str, checkpoints), str(tmp_path / "mean.pt")])
    state = torch.load(tmp_path / "mean.pt", weights_only=True)
    assert torch.equal(state["average"]["weight"], torch.full((2, 3), 3.0))
    assert state["step"] == 300 and state["settings"] == {"steps": 300} and state["averaged_steps"] == [100, 200, 300]
    assert "100, 200, 300 steps" in capsys.readouterr().out


def test_nothing_is_overwritten(checkpoints):
    with pytest.raises(FlareSegError) as caught:
        average_checkpoints(checkpoints[:2], checkpoints[2])
    assert caught.value.code == "output_exists"
    assert torch.load(checkpoints[2], weights_only=True)["average"]["weight"][0, 0] == 6


def test_checkpoints_of_different_networks_are_refused(checkpoints, tmp_path):
    torch.save({"step": 1, "average": {"weight": torch.zeros(4)}}, tmp_path / "other.pt")
    with pytest.raises(FlareSegError, match="different networks") as caught:
        average_checkpoints([checkpoints[0], tmp_path / "other.pt"], tmp_path / "mean.pt")
    assert caught.value.code == "bad_training_data" and not (tmp_path / "mean.pt").exists()


def test_checkpoints_that_began_with_different_weights_are_refused(checkpoints, tmp_path):
    state = torch.load(checkpoints[1], weights_only=True)
    torch.save({**state, "settings": {"begin": 50}}, checkpoints[1])
    with pytest.raises(FlareSegError, match="different runs"):
        average_checkpoints(checkpoints, tmp_path / "mean.pt")
    assert not (tmp_path / "mean.pt").exists()


def test_all_patients_that_any_of_them_has_seen_are_named(checkpoints, tmp_path):
    for path, seen in zip(checkpoints, (["a"], ["a", "b"], ["a"])):
        torch.save({**torch.load(path, weights_only=True), "patients": seen}, path)
    average_checkpoints(checkpoints, tmp_path / "mean.pt")
    assert torch.load(tmp_path / "mean.pt", weights_only=True)["patients"] == ["a", "b"]


@pytest.mark.parametrize("content, code", [(None, "not_found"), (b"", "bad_training_data"),
                                           (b"no checkpoint", "bad_training_data")])
def test_what_is_no_checkpoint_is_named(checkpoints, tmp_path, content, code):
    strange = tmp_path / "strange.pt"
    if content is not None:
        strange.write_bytes(content)
    with pytest.raises(FlareSegError, match="strange.pt") as caught:
        average_checkpoints([checkpoints[0], strange], tmp_path / "mean.pt")
    assert caught.value.code == code and not (tmp_path / "mean.pt").exists()
