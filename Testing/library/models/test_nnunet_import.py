"""A trained nnU-Net model computes the same after its import; what FlareSeg cannot run is told in one sentence."""

import pickle
import shutil
import sys

import numpy as np
import pytest
import torch

from FlareSegLib.errors import FlareSegError
from FlareSegLib.models.bundle import load_network, read_bundle, verify_bundle
from FlareSegLib.models.nnunet_import import import_nnunet, is_nnunet
from FlareSegLib.models.store import import_bundle
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.preprocessing.normalisation import Normalisation


def failure(folder, code) -> str:
    """The one sentence with which an import fails; nothing may have been written."""
    from FlareSegLib.models.store import user_folder

    with pytest.raises(FlareSegError) as caught:
        import_bundle(folder)
    assert caught.value.code == code, caught.value
    assert not user_folder().exists() or not any(user_folder().iterdir())
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    return str(caught.value)


@torch.inference_mode()
def assert_same_output(ours, original, seed=5):
    slices = torch.randn((2, 1, 32, 48), generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(ours(slices), original(slices), rtol=1e-5, atol=1e-5)


def test_the_imported_network_computes_what_the_original_does(tmp_path, models, write_model):
    original = write_model(tmp_path / "model")
    bundle = import_bundle(tmp_path / "model")
    verify_bundle(bundle)
    assert_same_output(load_network(bundle), original)
    assert bundle.training["check"]["done"] and bundle.training["check"]["largest_logit_difference"] < 1e-4


def test_a_mixed_up_weight_would_be_noticed(tmp_path, models, write_model):
    """The control of the test above."""
    original = write_model(tmp_path / "model")
    network = load_network(import_bundle(tmp_path / "model"))
    with torch.no_grad():
        network.decoder[0][1].norm.bias += 1e-3
    with pytest.raises(AssertionError):
        assert_same_output(network, original)


def test_plans_arrive(tmp_path, models, write_model):
    write_model(tmp_path / "model")
    bundle = read_bundle(import_bundle(tmp_path / "model").folder)
    assert bundle.folder.parent == models
    assert bundle.working_spacing == (0.8, 0.7) and bundle.grid == (32, 48)
    assert bundle.normalisation == Normalisation(-17.5, 271.25, 116.62895, 47.875)
    liver, cava = bundle.organs
    assert liver == FLARE_ORGANS[0]
    assert (cava.label, cava.name, cava.code.meaning) == (2, "vena cava", "Tissue")
    assert bundle.network.features == (4, 6, 8) and bundle.network.classes == 3
    assert "unknown" in bundle.licence and bundle.training["fold"] == "fold_0"
    assert bundle.training["trainer"].startswith("nnUNetTrainer")


def test_the_names_come_from_the_data_set(tmp_path, models, write_v1, write_v2):
    write_v1(tmp_path / "a")
    write_v2(tmp_path / "b")
    first, second = import_bundle(tmp_path / "a"), import_bundle(tmp_path / "b")
    assert (first.name, first.title) == ("task021-bdomen", "Task021_Äbdomen, imported from nnU-Net v1")
    assert (second.name, second.title) == ("dataset021-abdomen", "Dataset021_Abdomen, imported from nnU-Net v2")


def test_one_of_several_folds(tmp_path, models, write_model):
    """The fold of all cases is taken before fold_0, unless a fold is named."""
    folder = tmp_path / "model"
    others = [write_model(folder, f"fold_{fold}", seed=fold) for fold in (1, 0)]
    bundle = import_bundle(folder, "first")
    assert_same_output(load_network(bundle), others[1])
    assert "one of 2 folds" in bundle.training["notes"][0]
    assert_same_output(load_network(import_bundle(folder / "fold_1", "named")), others[0])
    everything = write_model(folder, "all", seed=7)
    assert_same_output(load_network(import_bundle(folder, "all")), everything)


def test_plans_beside_a_folder_that_is_no_fold_are_not_its(tmp_path, write_v1):
    write_v1(tmp_path / "models")
    (tmp_path / "models" / "something").mkdir()
    assert is_nnunet(tmp_path / "models" / "fold_0")
    assert not is_nnunet(tmp_path / "models" / "something")
    assert not is_nnunet(tmp_path)


def test_a_best_checkpoint_stands_in_for_the_final_one(tmp_path, models, write_v2):
    original = write_v2(tmp_path / "model")
    (tmp_path / "model/fold_0/checkpoint_final.pth").rename(tmp_path / "model/fold_0/checkpoint_best.pth")
    bundle = import_bundle(tmp_path / "model")
    assert bundle.training["checkpoint"] == "checkpoint_best.pth"
    assert_same_output(load_network(bundle), original)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_wrapped_networks(tmp_path, models, write_v2, prefix):
    original = write_v2(tmp_path / "model", weights=lambda state: {f"{prefix}{name}": state[name] for name in state})
    assert_same_output(load_network(import_bundle(tmp_path / "model")), original)


def test_a_checkpoint_without_second_copies_of_its_weights(tmp_path, models, write_v2):
    """Whether modules are registered twice depends on the version of dynamic_network_architectures."""
    original = write_v2(tmp_path / "model", weights=lambda state: {
        name: state[name] for name in state if ".all_modules." not in name and not name.startswith("decoder.encoder.")})
    bundle = import_bundle(tmp_path / "model")
    assert bundle.training["check"]["done"]
    assert_same_output(load_network(bundle), original)


def test_second_copies_that_contradict_are_refused(tmp_path, models, write_v2):
    write_v2(tmp_path / "model", weights=lambda state: {
        name: state[name] + (1 if "all_modules" in name else 0) for name in state})
    assert "differs from the original's" in failure(tmp_path / "model", "model_invalid")


def test_second_copies_of_another_shape_are_refused(tmp_path, models, write_v2):
    write_v2(tmp_path / "model", weights=lambda state: {
        **state, "decoder.encoder.stages.0.0.convs.0.conv.bias": torch.zeros(9)})
    failure(tmp_path / "model", "model_unsupported")


def test_without_nnunets_package_the_import_says_that_nothing_was_compared(tmp_path, models, write_v2, monkeypatch):
    original = write_v2(tmp_path / "model")
    monkeypatch.setitem(sys.modules, "dynamic_network_architectures.architectures.unet", None)
    bundle = import_bundle(tmp_path / "model")
    assert not bundle.training["check"]["done"] and "not installed" in bundle.training["check"]["why"]
    assert_same_output(load_network(bundle), original)


def test_a_configuration_inherits(tmp_path, models, write_v2):
    write_v2(tmp_path / "model", configuration="2d_other")
    bundle = import_bundle(tmp_path / "model")
    assert bundle.working_spacing == (1.5, 1.25) and bundle.grid == (32, 48)
    assert bundle.training["configuration"] == "2d_other"


def test_plans_of_early_v2_models(tmp_path, models, write_v2):
    def early(plans):
        configuration = plans["configurations"]["2d"]
        del configuration["architecture"]
        configuration.update(UNet_class_name="PlainConvUNet", UNet_base_num_features=4, unet_max_num_features=8,
                             pool_op_kernel_sizes=[[1, 1], [2, 2], [2, 2]], conv_kernel_sizes=[[3, 3]] * 3,
                             n_conv_per_stage_encoder=[2, 2, 2], n_conv_per_stage_decoder=[2, 2])

    original = write_v2(tmp_path / "model", change=early)
    assert_same_output(load_network(import_bundle(tmp_path / "model")), original)


def test_an_ignore_label_is_no_organ(tmp_path, models, write_v2):
    write_v2(tmp_path / "model", change_dataset=lambda dataset: dataset["labels"].update(ignore=3))
    assert [organ.name for organ in import_bundle(tmp_path / "model").organs] == ["liver", "vena cava"]


@pytest.mark.parametrize("name", ["\ud800", "\x1b[2J", "  ", "\n"])
def test_odd_label_names_reach_neither_terminal_nor_file(tmp_path, models, write_v2, name):
    def odd(dataset):
        dataset["labels"] = {"background": 0, "liver": 1, name: 2}

    write_v2(tmp_path / "model", change_dataset=odd, trainer_name=name)
    bundle = import_bundle(tmp_path / "model")
    assert bundle.organs[1].name in ("label 2", "[2j")
    assert all(letter.isprintable() for letter in bundle.training["trainer"])


# What FlareSeg cannot run

def stage_v1(**values):
    return lambda plans: plans["plans_per_stage"][0].update(values)


UNSUPPORTED_V1 = {
    "3D": stage_v1(patch_size=np.array([16, 32, 32])),
    "cascade": lambda plans: plans["plans_per_stage"].update({1: plans["plans_per_stage"][0]}),
    "2 channels": lambda plans: plans["normalization_schemes"].update({1: "CT"}),
    "nonCT": lambda plans: plans["normalization_schemes"].update({0: "nonCT"}),
    "mask": lambda plans: plans["use_mask_for_norm"].update({0: True}),
    "another axis": lambda plans: plans.update(transpose_forward=[1, 0, 2]),
    "two convolutions each": lambda plans: plans.update(conv_per_stage=3),
    "halve both sides": stage_v1(pool_op_kernel_sizes=[[2, 2], [2, 1]]),
    "3x3": stage_v1(conv_kernel_sizes=[[3, 3], [5, 5], [3, 3]]),
}


@pytest.mark.parametrize("what", UNSUPPORTED_V1)
def test_v1_models_that_flareseg_cannot_run(tmp_path, models, write_v1, what):
    write_v1(tmp_path / "model", change=UNSUPPORTED_V1[what])
    assert what in failure(tmp_path / "model", "model_unsupported")


@pytest.mark.parametrize("trainer", ["nnUNetTrainerV2_ReLU", "nnUNetTrainerV2_Mish"])
def test_v1_trainers_with_other_activations(tmp_path, models, write_v1, trainer):
    write_v1(tmp_path / "model", trainer=trainer)
    assert trainer in failure(tmp_path / "model", "model_unsupported")


def arguments_v2(**values):
    return lambda plans: plans["configurations"]["2d"]["architecture"]["arch_kwargs"].update(values)


def configuration_v2(**values):
    return lambda plans: plans["configurations"]["2d"].update(values)


def network_v2(name):
    return lambda plans: plans["configurations"]["2d"]["architecture"].update(network_class_name=name)


UNSUPPORTED_V2 = {
    "ResidualEncoderUNet": network_v2("dynamic_network_architectures.architectures.unet.ResidualEncoderUNet"),
    "3D": configuration_v2(patch_size=[16, 32, 48]),
    "cascade": configuration_v2(previous_stage="3d_lowres"),
    "ZScoreNormalization": configuration_v2(normalization_schemes=["ZScoreNormalization"]),
    "another axis": lambda plans: plans.update(transpose_forward=[2, 0, 1]),
    "default ones": arguments_v2(nonlin="torch.nn.ReLU"),
    "activations": arguments_v2(nonlin_kwargs={"negative_slope": 0.1}),
    "two convolutions each": arguments_v2(n_conv_per_stage=[2, 3, 2]),
    "3x3": arguments_v2(kernel_sizes=[[1, 1], [3, 3], [3, 3]]),
    "first level": arguments_v2(strides=[[2, 2], [2, 2], [2, 2]]),
}


@pytest.mark.parametrize("what", UNSUPPORTED_V2)
def test_v2_models_that_flareseg_cannot_run(tmp_path, models, write_v2, what):
    write_v2(tmp_path / "model", change=UNSUPPORTED_V2[what])
    assert what in failure(tmp_path / "model", "model_unsupported")


def test_a_3d_configuration_of_the_same_plans(tmp_path, models, write_v2):
    write_v2(tmp_path / "model", configuration="3d_fullres")
    assert "3D" in failure(tmp_path / "model", "model_unsupported")


@pytest.mark.parametrize(("what", "change"), [
    ("2 channels", lambda dataset: dataset["channel_names"].update({"1": "PET"})),
    ("regions", lambda dataset: dataset["labels"].update({"vena cava": [1, 2]})),
])
def test_v2_data_sets_that_flareseg_cannot_run(tmp_path, models, write_v2, what, change):
    write_v2(tmp_path / "model", change_dataset=change)
    assert what in failure(tmp_path / "model", "model_unsupported")


def other_weights(**values):
    return lambda state: {**state, **{name.replace("__", "."): value for name, value in values.items()}}


@pytest.mark.parametrize("weights", [
    lambda state: {name: value.unsqueeze(-1) if value.ndim == 4 else value for name, value in state.items()},
    other_weights(encoder__stages__0__0__convs__0__conv__weight=torch.zeros(4, 2, 3, 3)),
    other_weights(decoder__seg_layers__0__weight=torch.tensor(1.0)),
    other_weights(another__layer__weight=torch.zeros(1)),
    lambda state: {name: value for name, value in state.items() if name != "decoder.transpconvs.0.weight"},
    lambda state: {},
], ids=["3D", "two channels", "scalar head", "one more", "one less", "none"])
def test_weights_of_another_network(tmp_path, models, write_v2, weights):
    write_v2(tmp_path / "model", weights=weights)
    failure(tmp_path / "model", "model_unsupported")


@pytest.mark.parametrize("value", [
    torch.full((4,), torch.nan), torch.zeros(4).to_sparse(), torch.zeros(4, device="meta"), torch.zeros(4).int(), 3.0,
], ids=["nan", "sparse", "meta", "integers", "number"])
def test_weights_that_are_no_numbers(tmp_path, models, write_v2, value):
    write_v2(tmp_path / "model", weights=other_weights(encoder__stages__0__0__convs__0__conv__bias=value))
    failure(tmp_path / "model", "model_invalid")


# Damaged and hostile models

@pytest.mark.parametrize("change", [
    lambda plans: plans.pop("configurations"),
    configuration_v2(patch_size=[float("inf"), 32]),
    configuration_v2(patch_size=["large", 32]),
    configuration_v2(spacing=[float("nan"), 1.0]),
    configuration_v2(spacing=[1.0]),
    configuration_v2(patch_size=[32, 33]),
    configuration_v2(inherits_from="2d"),
    lambda plans: plans["foreground_intensity_properties_per_channel"]["0"].update(mean="10" * 400),
    lambda plans: plans["foreground_intensity_properties_per_channel"]["0"].update(mean=10**400),
    lambda plans: plans["foreground_intensity_properties_per_channel"]["0"].update(std=0),
], ids=["no configurations", "infinite", "text", "nan spacing", "one spacing", "grid", "inherits from itself",
        "huge text", "huge number", "no deviation"])
def test_damaged_plans_are_told_in_one_sentence(tmp_path, models, write_v2, change):
    write_v2(tmp_path / "model", change=change)
    failure(tmp_path / "model", "model_invalid")


def test_labels_of_another_model(tmp_path, models, write_v2):
    write_v2(tmp_path / "model", change_dataset=lambda dataset: dataset["labels"].update(stomach=3))
    assert "names 3 labels and its network has 2" in failure(tmp_path / "model", "model_invalid")


@pytest.mark.parametrize(("missing", "code"), [
    ("fold_0", "model_not_found"), ("fold_0/model_final_checkpoint.model", "model_not_found"),
    ("fold_0/model_final_checkpoint.model.pkl", "model_invalid"), ("plans.pkl", "model_not_found"),
])
def test_an_incomplete_v1_model(tmp_path, models, write_v1, missing, code):
    write_v1(tmp_path / "model")
    path = tmp_path / "model" / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    failure(tmp_path / "model", code)


def test_a_v2_model_without_dataset_json(tmp_path, models, write_v2):
    write_v2(tmp_path / "model")
    (tmp_path / "model" / "dataset.json").unlink()
    assert "dataset.json is missing" in failure(tmp_path / "model", "model_not_found")


@pytest.mark.parametrize("cut", [0, 10, 2000])
def test_a_checkpoint_cut_short(tmp_path, models, write_model, cut):
    write_model(tmp_path / "model")
    path = next(path for path in (tmp_path / "model" / "fold_0").iterdir() if path.suffix in (".model", ".pth"))
    path.write_bytes(path.read_bytes()[:cut])
    assert path.name in failure(tmp_path / "model", "model_invalid")


@pytest.mark.parametrize("place", ["plans.pkl", "checkpoint", "checkpoint.pkl"])
def test_nothing_in_a_hostile_v1_model_runs(tmp_path, models, write_v1, hostile, place):
    if place == "plans.pkl":
        write_v1(tmp_path / "model", change=lambda plans: plans.update(list_of_npz_files=[hostile]))
    elif place == "checkpoint":
        write_v1(tmp_path / "model", lr_scheduler_state_dict=hostile)
    else:
        write_v1(tmp_path / "model")
        (tmp_path / "model/fold_0/model_final_checkpoint.model.pkl").write_bytes(
            pickle.dumps({"name": "nnUNetTrainerV2", "init": (hostile,)}))
    sentence = failure(tmp_path / "model", "model_unsafe")
    assert ".open" in sentence and "Nothing in it was run" in sentence


@pytest.mark.parametrize("where", ["network_weights", "init_args", "anything"])
def test_nothing_in_a_hostile_v2_model_runs(tmp_path, models, write_v2, hostile, where):
    write_v2(tmp_path / "model", **{where: {"a": [hostile]}})
    assert ".open" in failure(tmp_path / "model", "model_unsafe")


def test_import_nnunet_needs_a_model(tmp_path):
    with pytest.raises(FlareSegError) as caught:
        import_nnunet(tmp_path)
    assert caught.value.code == "model_not_found"
