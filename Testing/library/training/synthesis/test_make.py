"""The whole data set, in small: made, resumed, remade, and trained on."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.disease.mix import draw_operations
from FlareSegLib.errors import FlareSegError
from FlareSegLib.models.bundle import load_network, read_bundle, write_bundle
from FlareSegLib.networks.unet2d import UNet2D, UNet2DSpec
from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION
from FlareSegLib.training import starter
from FlareSegLib.training.loop import TrainingSettings, seeing_neighbours, train
from FlareSegLib.training.pack import pack, unpack
from FlareSegLib.training.protocol import TrainingProtocol
from FlareSegLib.training.slice_dataset import SliceDataset
from FlareSegLib.training.slice_store import open_store
from FlareSegLib.training.synthesis import drawing
from FlareSegLib.training.synthesis import make as making
from FlareSegLib.training.synthesis import sheet
from FlareSegLib.training.synthesis.bowel import with_small_bowel
from FlareSegLib.training.synthesis.drawing import find_sources, kind_of
from FlareSegLib.training.synthesis.make import Plan, make
from FlareSegLib.training.synthesis.mix import SynthesisMix, mix_from
from FlareSegLib.training.synthesis.sheet import write_sheet
from FlareSegLib.training.synthesis.stored import fully_labelled, joint_training_cases, training_cases

SHIPPED = Path(__file__).parents[4] / "Resources/Models/flareseg-lite"
MIX = SynthesisMix(transferred=0.3, synthetic=0.3, phantom_host=0.0, icrp_host=0.0, diseased=0.0, organ_shift=0.0)


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "store"
    plan = Plan(folder, data, cases=2, seed=5, mix=MIX)
    assert make(plan) == 4
    return plan


def arrays(folder, name):
    case = open_store(folder, (name,)).cases[0]
    return [np.stack(parts) for parts in zip(*(case.slice(index) for index in range(case.record.slices)))]


def test_real_transferred_and_synthetic_cases_are_made(made):
    store = open_store(made.out)
    names = {case.record.name for case in store.cases}
    assert names == {"real_ircad01", "real_acrin001", "transferred_00001", "synthetic_00000"}
    assert store.description.working_spacing == 1.6
    for case in store.cases:
        assert {1, 2, 3, 4} <= set(case.record.slices_with), case.record.name
        with_liver = case.record.slices_with[1]
        hu, labels = case.slice(with_liver[len(with_liver) // 2])
        assert hu.shape == labels.shape and 30 < np.median(hu[labels == 1]) < 250
        right, left = (np.mean([np.nonzero(case.slice(int(k))[1] == label)[1].mean()
                                for k in case.record.slices_with[label][::8]]) for label in (1, 3))
        assert right < left, case.record.name


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_mix_says_whether_synthetic_cases_get_small_bowel(data, monkeypatch, share):
    seen = []

    def look(anatomy, rng):
        seen.append(anatomy)
        return with_small_bowel(anatomy, rng)

    monkeypatch.setattr(drawing, "with_small_bowel", look)
    made = drawing.draw_case(drawing.find_sources(data), replace(MIX, transferred=0.0, small_bowel=share), 5, 0)
    assert made.kind == "synthetic" and len(seen) == share


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_mix_says_whether_rare_diseases_come_as_often_as_common_ones(data, monkeypatch, share):
    weights = []

    def look(mix, scene, rng, find):
        weights.extend(entry.weight for entry in mix.entries)
        return draw_operations(mix, scene, rng, find)

    monkeypatch.setattr("FlareSegLib.disease.mix.draw_operations", look)
    drawing.draw_case(drawing.find_sources(data), replace(MIX, diseased=1.0, diseases_alike=share), 5, 0)
    assert (len(set(weights)) == 1) == bool(share)


def test_the_mix_can_ask_for_one_disease(data):
    made = drawing.draw_case(drawing.find_sources(data), replace(MIX, diseased=1.0, disease="renal_cyst"), 5, 0)
    assert made.diseases == ("renal_cyst",)
    with pytest.raises(FlareSegError, match="fever"):
        mix_from({**SynthesisMix().document, "disease": "fever"})


def test_the_same_command_makes_nothing_anew_and_more_cases_are_added(made):
    assert make(made) == 0
    assert replace(made, cases=3).missing == (2,)


def test_another_seed_is_refused(made):
    with pytest.raises(FlareSegError) as refusal:
        make(replace(made, seed=6))
    assert refusal.value.code == "output_exists"


@pytest.mark.parametrize(("change", "goes_on"), [
    (lambda plan: plan["mix"].pop("diseases_alike"), True),
    (lambda plan: plan["mix"].pop("organ_shift"), False),
    (lambda plan: plan["mix"].update(weather=1), False),
    (lambda plan: plan.pop("mix"), False)])
def test_a_set_made_before_the_mix_had_a_field_goes_on_with_its_default(made, change, goes_on):
    file = made.out / making.PLAN_FILE
    before = file.read_text("utf-8")
    plan = json.loads(before)
    change(plan)
    file.write_text(json.dumps(plan), "utf-8")
    try:
        if goes_on:
            assert make(made) == 0
        else:
            with pytest.raises(FlareSegError, match="another seed, mix or patients"):
                make(made)
    finally:
        file.write_text(before, "utf-8")


@pytest.mark.parametrize("name", ["transferred_00001", "synthetic_00000"])
def test_a_case_that_was_lost_comes_back_voxel_by_voxel(made, name):
    before = arrays(made.out, name)
    (made.out / f"{name}.case.json").unlink()
    assert make(made) == 1
    for old, new in zip(before, arrays(made.out, name)):
        assert np.array_equal(old, new)


def test_several_processes_make_the_same_voxels(made):
    names = ("transferred_00001", "synthetic_00000")
    before = [arrays(made.out, name) for name in names]
    for name in names:
        (made.out / f"{name}.case.json").unlink()
    assert make(made, jobs=2) == 2
    for old, name in zip(before, names):
        assert all(np.array_equal(a, b) for a, b in zip(old, arrays(made.out, name)))


@given(st.floats(0.05, 1), st.floats(0.05, 1))
def test_kinds_come_in_the_mixs_shares(transferred, synthetic):
    mix = SynthesisMix(transferred=transferred, synthetic=synthetic)
    kinds = [kind_of(number, mix) for number in range(100)]
    assert kinds.count("transferred") == pytest.approx(100 * mix.transferred_share, abs=3)


def test_training_draws_each_kind_by_its_share(made):
    cases = training_cases(made.out)
    shares = {kind: sum(case.weight for case in cases if case.name.startswith(kind))
              for kind in ("real", "transferred", "synthetic")}
    assert shares == pytest.approx({"real": MIX.real, "transferred": MIX.transferred, "synthetic": MIX.synthetic})
    for case in cases:
        assert np.array_equal(case.slices_with(2), np.flatnonzero((case.labels[:] == 2).any(axis=(1, 2))))


def test_patients_left_out_are_nowhere(made, data, tmp_path):
    assert {case.patient for case in training_cases(made.out, frozenset(["ircad01"]))} == {"acrin001"}
    plan = Plan(tmp_path, data, 0, left_out=frozenset(["ircad01"]))
    assert [entry["name"] for entry in plan.real] == ["acrin001"]
    assert [patient for patient, _ in find_sources(data, plan.left_out).hosts] == ["acrin001"]
    with pytest.raises(FlareSegError) as refusal:
        training_cases(made.out, frozenset(["ircad01", "acrin001"]))
    assert refusal.value.code == "bad_training_data"


def test_ingredients_can_be_left_out(made, tmp_path):
    store = Path(shutil.copytree(made.out, tmp_path / "store"))
    assert {case.name.split("_")[0] for case in training_cases(store, kinds=("real", "synthetic"))} == {"real",
                                                                                                        "synthetic"}
    origin = store / "transferred_00001.origin.json"
    origin.write_text(json.dumps({**json.loads(origin.read_text()), "donors": ["liver_0"]}))
    names = {case.name for case in training_cases(store)}
    assert names - {case.name for case in training_cases(store, without=frozenset(["donors"]))} == {"transferred_00001"}


def test_several_sets_are_drawn_as_often_as_they_have_cases(made, tmp_path):
    copy = Path(shutil.copytree(made.out, tmp_path / "copy"))
    joint, alone = joint_training_cases([made.out, copy]), training_cases(made.out)
    assert sum(case.weight for case in joint) == pytest.approx(2 * len(alone) * sum(case.weight for case in alone))
    assert len(joint) == 2 * len(alone)


def test_the_plain_loop_trains_on_it(made, tmp_path):
    losses = []
    spec = UNet2DSpec(features=(4, 8, 8))
    settings = TrainingSettings(steps=2, batch=2, batches_per_step=1, save_every=1)
    net = train(training_cases(made.out), spec, (64, 64), FLARE21_NORMALISATION, settings, tmp_path / "checkpoint.pt",
                log=lambda text, flush: losses.append(float(text.split("loss ")[1].split()[0])))
    assert len(losses) == 2 and np.isfinite(losses).all()
    assert all(torch.isfinite(value).all() for value in net.state_dict().values())


def test_other_trainers_get_what_is_wholly_labelled_and_packs_travel(made, tmp_path):
    whole = fully_labelled(made.out)
    assert len(whole.cases) == 4
    protocol = TrainingProtocol(grid=(48, 64), batch=6, forced_foreground=2, epochs=1, iterations=1)
    image, labels = SliceDataset(whole.cases, FLARE21_NORMALISATION, protocol)[1]
    assert image.shape == (1, 48, 64) and set(np.unique(labels)) <= {0, 1, 2, 3, 4}
    file, _ = pack(whole, tmp_path / "set.tar", 30, tmp_path / "work")
    assert len(unpack(file, tmp_path / "there").cases) == 4
    origin = made.out / "real_acrin001.origin.json"
    text = origin.read_text(encoding="utf-8")
    try:
        origin.write_text(text.replace('"unlabelled": []', '"unlabelled": [4]'), encoding="utf-8")
        assert {case.record.name for case in fully_labelled(made.out).cases} == {
            "real_ircad01", "transferred_00001", "synthetic_00000"}
    finally:
        origin.write_text(text, encoding="utf-8")


def test_the_starters_command_takes_the_store(made, tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(starter, "train", lambda cases, *rest: seen.update(names=[case.name for case in cases],
                                                                           settings=rest[3]))
    starter.main([str(tmp_path), str(tmp_path / "none.pt"), "--synthesis", str(made.out), "--leave-out", "ircad01",
                  "--seed", "3"])
    assert seen["settings"] == TrainingSettings(seed=3)
    assert seen["names"] and not any("ircad01" in name for name in seen["names"])


def _of_five_slices(network):
    return network if network.spec == starter.STARTER_NETWORK else seeing_neighbours(network, starter.STARTER_NETWORK)


def test_weights_of_one_slice_are_gone_on_with(made, tmp_path, monkeypatch):
    one = replace(starter.STARTER_NETWORK, in_channels=1, slice_step=1)
    torch.manual_seed(2)
    alone, planned = UNet2D(one), starter.starter_bundle(training={"protocol": {"steps": 70}, "data": {"cts": []}})
    fields = {name: getattr(planned, name) for name in ("name", "version", "title", "organs", "working_spacing", "grid",
                                                       "normalisation", "training", "licence", "intended_use")}
    write_bundle(tmp_path / "one", alone, **fields)
    monkeypatch.setattr(starter, "train", lambda *_: None)
    starter.main([str(tmp_path), str(tmp_path / "c.pt"), "--synthesis", str(made.out), "--begin-with",
                  str(tmp_path / "one")])
    state = torch.load(tmp_path / "c.pt", weights_only=True)
    assert state["step"] == 70
    weights = _of_five_slices(alone).state_dict()
    assert all(torch.equal(value, state["average"][name]) for name, value in weights.items())


def test_the_starters_command_goes_on_from_a_bundle(made, tmp_path, monkeypatch, capsys):
    """From its weights and steps; not where a checkpoint lies already, nor from another network."""
    checkpoint = tmp_path / "more.pt"
    command = [str(tmp_path), str(checkpoint), "--synthesis", str(made.out), "--steps", "99999", "--begin-with",
               str(SHIPPED)]
    monkeypatch.setattr(starter, "train", lambda *_: None)
    starter.main(command)
    state = torch.load(checkpoint, weights_only=True)
    shipped = read_bundle(SHIPPED)
    assert state["step"] == shipped.training["protocol"]["steps"] > 0
    assert set(state["patients"]) == {each["name"] for each in shipped.training["data"]["cts"]}
    weights = _of_five_slices(load_network(shipped)).state_dict()
    for key in ("network", "average"):
        assert all(torch.equal(value, state[key][name]) for name, value in weights.items())
    written = checkpoint.read_bytes()
    starter.main(command)
    assert checkpoint.read_bytes() == written
    other = shutil.copytree(SHIPPED, tmp_path / "other")
    described = json.loads((other / "model.json").read_text("utf-8"))
    described["network"]["features"] = [4, 8]
    (other / "model.json").write_text(json.dumps(described), encoding="utf-8")
    with pytest.raises(SystemExit):
        starter.main([*command[:1], str(tmp_path / "new.pt"), *command[2:-1], str(other)])
    assert "another network" in capsys.readouterr().err
    assert not (tmp_path / "new.pt").exists()


def test_steps_that_were_done_already_are_told_of(made, tmp_path, capsys):
    with pytest.raises(SystemExit):
        starter.main([str(tmp_path), str(tmp_path / "new.pt"), "--synthesis", str(made.out), "--steps", "100",
                      "--begin-with", str(SHIPPED)])
    assert "--steps counts them" in capsys.readouterr().err and not (tmp_path / "new.pt").exists()


@pytest.mark.parametrize("command", [starter.main, making.main])
def test_a_patient_whom_nobody_knows_cannot_be_left_out(command, tmp_path, capsys):
    with pytest.raises(SystemExit):
        command([str(tmp_path), str(tmp_path / "new.pt"), "--data", str(tmp_path), "--leave-out", "ircad1"])
    assert "ircad1" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_number_of_cases_below_zero_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        making.main([str(tmp_path / "out"), "--data", str(tmp_path), "--cases", "-1"])
    assert "not a number of cases" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_damaged_case_is_named(made, tmp_path):
    store = shutil.copytree(made.out, tmp_path / "store")
    damaged = store / "real_acrin001.image.b2nd"
    damaged.write_bytes(damaged.read_bytes()[:100])
    case = next(case for case in training_cases(store) if case.name == "real_acrin001")
    with pytest.raises(FlareSegError, match="real_acrin001.image.b2nd is damaged"):
        case.image[0]


def test_without_a_store_nothing_is_begun(tmp_path, capsys):
    with pytest.raises(SystemExit):
        starter.main([str(tmp_path), str(tmp_path / "new.pt"), "--synthesis", str(tmp_path / "none"), "--begin-with",
                      str(SHIPPED)])
    assert "none holds no slice store" in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.parametrize("command, arguments, word", [
    (making.main, ("{0}/out", "--data", "{0}/none", "--cases", "1"), "none"),
    (making.main, ("{0}/out", "--data", "{0}", "--mix", "{0}/none.json"), "none.json"),
    (sheet.main, ("{0}/none", "{0}/sheet.png"), "none"),
])
def test_what_is_missing_is_named_in_one_sentence(tmp_path, capsys, command, arguments, word):
    with pytest.raises(SystemExit) as ended:
        command([argument.format(tmp_path) for argument in arguments])
    said = capsys.readouterr().err
    assert ended.value.code and f"{tmp_path}/{word}" in said and len(said.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_picture_shows_the_cases(made, tmp_path):
    from PIL import Image

    write_sheet(made.out, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (4 * 272, 5 * 256, 3) and pixels.std() > 20
    drawn = (tmp_path / "sheet.png").read_bytes()
    with pytest.raises(FlareSegError, match="exists already"):
        write_sheet(made.out, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").read_bytes() == drawn


def test_the_command_reads_a_mix_file(data, tmp_path, monkeypatch, capsys):
    (tmp_path / "mix.json").write_text(json.dumps(replace(MIX, real=0.1).document), encoding="utf-8")
    seen = {}
    monkeypatch.setattr(making, "make", lambda plan, jobs, progress: seen.update(plan=plan, jobs=jobs))
    making.main([str(tmp_path / "out"), "--data", str(data), "--cases", "7", "--mix", str(tmp_path / "mix.json"),
                 "--leave-out", "ircad01", "--jobs", "2"])
    assert seen["plan"].mix == replace(MIX, real=0.1) and seen["jobs"] == 2
    assert seen["plan"].left_out == {"ircad01"} and seen["plan"].cases == 7


@pytest.mark.parametrize("change", [{"real": 2}, {"reel": 0.1}, {"transferred": 0, "synthetic": 0}, {"version": 2}])
def test_a_mix_that_makes_no_sense_is_refused(change):
    with pytest.raises(FlareSegError) as refusal:
        mix_from({**SynthesisMix().document, **change})
    assert refusal.value.code == "bad_recipe"
