"""The loop learns, and a run that was stopped goes on as if it had not been."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from FlareSegLib.errors import FlareSegError
from FlareSegLib.networks.unet2d import UNet2D, UNet2DSpec
from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION
from FlareSegLib.training.cases import TrainingCase
from FlareSegLib.training.loop import TrainingSettings, begin_with, seeing_neighbours, train
from FlareSegLib.training.loss import segmentation_loss

SPEC = UNet2DSpec(features=(6, 8, 10), classes=3)


@pytest.fixture(autouse=True)
def one_thread():
    """As the training command runs: on tiny slices more threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def cases():
    """Two kinds of discs, told apart by HU."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:48, :48]
    images, labels = [], []
    for _ in range(12):
        label = np.zeros((48, 48), np.uint8)
        for value in (1, 2):
            cy, cx = rng.uniform(14, 34, 2)
            label[(y - cy) ** 2 + (x - cx) ** 2 < 60] = value
        images.append(np.choose(label, [-50, 150, 60]) + rng.normal(0, 10, label.shape))
        labels.append(label)
    return [TrainingCase("discs", "discs", np.stack(images).astype(np.int16), np.stack(labels))]


def run(cases, path, steps, lines=None):
    settings = TrainingSettings(steps=steps, batch=2, batches_per_step=2, learning_rate=1e-2, save_every=10)
    log = (lambda *_, **__: None) if lines is None else (lambda line, **_: lines.append(line))
    return train(cases, SPEC, (48, 48), FLARE21_NORMALISATION, settings, path, log=log)


def test_it_learns(cases, tmp_path):
    lines = []
    run(cases, tmp_path / "a.pt", 80, lines)
    losses = [float(line.split("loss ")[1].split()[0]) for line in lines]
    assert losses[-1] < 0.75 * losses[0]


@pytest.mark.parametrize(("native", "precision"), [("0", torch.float32), ("1", torch.bfloat16)])
def test_bfloat16_is_for_processors_that_multiply_it(cases, tmp_path, monkeypatch, native, precision):
    """Emulated, it takes many times as long as float32; either way the network learns."""
    from FlareSegLib.training import loop

    seen = set()

    def look(levels, *rest):
        seen.update(level.dtype for level in levels)
        return segmentation_loss(levels, *rest)

    monkeypatch.setenv("FLARESEG_BFLOAT16", native)
    monkeypatch.setattr(loop, "segmentation_loss", look)
    lines = []
    run(cases, tmp_path / "a.pt", 30, lines)
    losses = [float(line.split("loss ")[1].split()[0]) for line in lines]
    assert seen == {precision} and losses[-1] < losses[0]


def test_a_stopped_run_goes_on_exactly(cases, tmp_path, monkeypatch):
    whole = run(cases, tmp_path / "whole.pt", 20)

    from FlareSegLib.training import loop
    real_step = loop._train_step

    def killed(*arguments):
        if arguments[-1] == 13:
            raise KeyboardInterrupt
        return real_step(*arguments)

    monkeypatch.setattr(loop, "_train_step", killed)
    with pytest.raises(KeyboardInterrupt):
        run(cases, tmp_path / "stopped.pt", 20)
    monkeypatch.setattr(loop, "_train_step", real_step)
    assert torch.load(tmp_path / "stopped.pt", weights_only=True)["step"] == 10
    resumed = run(cases, tmp_path / "stopped.pt", 20)
    for name, value in whole.state_dict().items():
        assert torch.allclose(value, resumed.state_dict()[name], atol=1e-5), name


def test_a_run_without_cooldown_goes_on_with_more_steps(cases, tmp_path):
    run(cases, tmp_path / "long.pt", 20)
    run(cases, tmp_path / "parts.pt", 10)
    run(cases, tmp_path / "parts.pt", 20)
    long, parts = (torch.load(tmp_path / name, weights_only=True) for name in ("long.pt", "parts.pt"))
    for key in ("network", "average"):
        for name, value in long[key].items():
            assert torch.allclose(value, parts[key][name], atol=1e-5), name


def test_the_result_is_the_average_of_the_ways_weights(cases, tmp_path):
    averaged = run(cases, tmp_path / "a.pt", 10)
    state = torch.load(tmp_path / "a.pt", weights_only=True)
    assert all(torch.equal(value, state["average"][name]) for name, value in averaged.state_dict().items())
    assert not torch.equal(state["average"]["heads.0.weight"], state["network"]["heads.0.weight"])


def test_the_rate_rises_stays_and_falls_to_zero():
    settings = TrainingSettings(steps=200, cooldown=50, warmup=10)
    rates = [settings.rate(step) for step in range(200)]
    assert rates[0] == pytest.approx(settings.learning_rate / 10)
    assert set(rates[10:150]) == {settings.learning_rate}
    assert rates[150:] == sorted(rates[150:], reverse=True) and rates[-1] < 0.03 * settings.learning_rate
    assert set(TrainingSettings(steps=200).rate(step) for step in range(30, 200)) == {settings.learning_rate}


def test_a_run_goes_on_from_other_weights(cases, tmp_path):
    """After their steps, with the rate rising again, also when it was stopped in between."""
    torch.manual_seed(1)
    other, checkpoint = UNet2D(SPEC), tmp_path / "b.pt"
    begin_with(other, 100, TrainingSettings(), checkpoint)
    unchanged = run(cases, checkpoint, 100)
    assert all(torch.equal(value, unchanged.state_dict()[name]) for name, value in other.state_dict().items())
    run(cases, checkpoint, 110)
    run(cases, checkpoint, 112)
    state = torch.load(checkpoint, weights_only=True)
    assert (state["step"], state["settings"]["begin"]) == (112, 100)
    assert state["optimiser"]["param_groups"][0]["lr"] == pytest.approx(1e-2 * 12 / 30)
    moved = (state["average"]["heads.0.weight"] - other.state_dict()["heads.0.weight"]).abs().max()
    assert 0 < moved < 1e-2


def test_a_checkpoint_tells_of_all_patients_that_were_ever_seen(cases, tmp_path):
    one, other = (replace(cases[0], patient=name) for name in ("one", "other"))
    begin_with(UNet2D(SPEC), 5, TrainingSettings(), tmp_path / "p.pt", ["before"])
    run([one], tmp_path / "p.pt", 6)
    run([other], tmp_path / "p.pt", 7)
    assert torch.load(tmp_path / "p.pt", weights_only=True)["patients"] == ["before", "one", "other"]


def test_neighbours_weigh_nothing_at_first_and_something_after_training(cases, tmp_path):
    torch.manual_seed(1)
    alone = UNet2D(SPEC)
    spec = replace(SPEC, in_channels=3, slice_step=2)
    together, slices = seeing_neighbours(alone, spec), torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        assert torch.allclose(together(slices), alone(slices[:, [1]]), atol=1e-5)
    begin_with(together, 0, TrainingSettings(), tmp_path / "c.pt")
    settings = TrainingSettings(steps=3, batch=2, learning_rate=1e-2)
    trained = train(cases, spec, (48, 48), FLARE21_NORMALISATION, settings, tmp_path / "c.pt", 1.6,
                    log=lambda *_, **__: None)
    assert trained.state_dict()["encoder.0.0.conv.weight"][:, [0, 2]].abs().amax(dim=(0, 2, 3)).min() > 0


def test_only_slices_can_be_added():
    with pytest.raises(ValueError):
        seeing_neighbours(UNet2D(SPEC), replace(SPEC, in_channels=3, classes=4))


def test_copies_of_the_checkpoint_are_kept(cases, tmp_path):
    settings = TrainingSettings(steps=6, batch=2, save_every=2, keep_every=4)
    train(cases, SPEC, (48, 48), FLARE21_NORMALISATION, settings, tmp_path / "d.pt", log=lambda *_, **__: None)
    assert {path.name for path in tmp_path.iterdir()} == {"d.pt", "d-4.pt"}
    steps = [torch.load(tmp_path / name, weights_only=True)["step"] for name in ("d-4.pt", "d.pt")]
    assert steps == [4, 6]


@pytest.mark.parametrize("damage", ["another network", "cut short", "empty"])
def test_what_cannot_be_gone_on_with_is_named_and_kept(cases, tmp_path, damage):
    path = tmp_path / "e.pt"
    begin_with(UNet2D(replace(SPEC, classes=4)), 1, TrainingSettings(), path)
    whole = path.read_bytes()
    before = {"another network": whole, "cut short": whole[:1000], "empty": b""}[damage]
    path.write_bytes(before)
    with pytest.raises(FlareSegError, match="e.pt") as caught:
        run(cases, path, 10)
    assert caught.value.code == "bad_training_data" and path.read_bytes() == before
