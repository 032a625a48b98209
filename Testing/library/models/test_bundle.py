"""A bundle is read back as it was written; anything wrong in it is named."""

import hashlib
import json
import shutil

import pytest
import torch

from FlareSegLib.errors import FlareSegError
from FlareSegLib.models.bundle import load_network, read_bundle, verify_bundle, write_bundle
from FlareSegLib.networks.build import build_network
from FlareSegLib.networks.spec import AttentionUNet2DSpec, UNet3DSpec
from FlareSegLib.networks.unet2d import UNet2D, UNet2DSpec
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION

FIELDS = dict(name="tiny", version="1", title="Tiny", organs=FLARE_ORGANS, working_spacing=(1.6, 1.6), grid=(32, 32),
              normalisation=FLARE21_NORMALISATION, training={"cases": 3}, licence="none", intended_use="tests")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return UNet2D(UNet2DSpec(features=(4, 6, 8))).eval()


@pytest.fixture
def folder(tmp_path, network):
    write_bundle(tmp_path / "Modèle 1", network, **FIELDS)
    return tmp_path / "Modèle 1"


def change(folder, **values):
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), encoding="utf-8")


def test_round_trip(folder, network):
    bundle = read_bundle(folder)
    assert {name: getattr(bundle, name) for name in FIELDS} == FIELDS
    assert bundle.network == network.spec
    verify_bundle(bundle)
    slices = torch.randn(1, 1, 32, 32)
    with torch.inference_mode():
        assert torch.equal(load_network(bundle)(slices), network(slices))


@pytest.mark.parametrize("spec", [AttentionUNet2DSpec((4, 6, 8)), UNet3DSpec((4, 6, 8), slices=8, z_halvings=1)])
def test_other_networks_travel_as_well(tmp_path, spec):
    network = build_network(spec).eval()
    bundle = read_bundle(write_bundle(tmp_path / "variant", network, **FIELDS).folder)
    assert bundle.network == spec and type(bundle.network) is type(spec)
    inputs = torch.randn(1, 1, *([spec.window] if spec.window else []), 32, 32)
    with torch.inference_mode():
        assert torch.equal(load_network(bundle)(inputs), network(inputs))


def test_a_network_of_several_slices_travels_as_well(tmp_path):
    spec = UNet2DSpec((4, 6, 8), in_channels=5, slice_step=2)
    bundle = write_bundle(tmp_path / "variant", build_network(spec), **FIELDS)
    assert read_bundle(bundle.folder).network == spec


def test_a_description_from_before_there_were_neighbours_is_of_one_slice(folder, tmp_path):
    old = shutil.copytree(folder, tmp_path / "old")
    description = json.loads((old / "model.json").read_text("utf-8"))["network"]
    del description["slice_step"]
    change(old, network=description)
    assert read_bundle(old).network.offsets == (0,)


@pytest.mark.parametrize("changes", [{"in_channels": 4}, {"in_channels": 99}, {"in_channels": 0}, {"slice_step": 0},
                                     {"slice_step": None}])
def test_wrong_neighbours_are_named(tmp_path, changes):
    bundle = write_bundle(tmp_path / "variant", build_network(UNet2DSpec((4, 6, 8))), **FIELDS)
    description = json.loads((bundle.folder / "model.json").read_text("utf-8"))["network"]
    change(bundle.folder, network={**description, **changes})
    with pytest.raises(FlareSegError, match=next(iter(changes))) as caught:
        read_bundle(bundle.folder)
    assert caught.value.code == "model_invalid"


@pytest.mark.parametrize("changes", [{"slices": 9}, {"slices": 0}, {"z_halvings": 3}, {"z_halvings": -1},
                                     {"slices": None}, {"slices": 4096}])
def test_a_wrong_window_is_named(tmp_path, changes):
    network = build_network(UNet3DSpec((4, 6, 8), slices=8, z_halvings=1))
    bundle = write_bundle(tmp_path / "variant", network, **FIELDS)
    description = json.loads((bundle.folder / "model.json").read_text("utf-8"))["network"]
    change(bundle.folder, network={**description, **changes})
    with pytest.raises(FlareSegError, match=next(iter(changes))) as caught:
        read_bundle(bundle.folder)
    assert caught.value.code == "model_invalid"


def test_half_precision_halves_the_file_and_changes_little(tmp_path, folder, network):
    half = write_bundle(tmp_path / "half", network, precision="float16", **FIELDS)
    assert half.weights_path.stat().st_size < 0.7 * (folder / "weights.safetensors").stat().st_size
    for name, value in load_network(half).state_dict().items():
        assert torch.allclose(value, network.state_dict()[name], rtol=1e-3, atol=1e-5)


def test_int8_quarters_the_weights_and_each_value_keeps_within_half_a_step_of_its_channel(tmp_path, folder, network):
    small = write_bundle(tmp_path / "small", network, precision="int8", **FIELDS)
    whole = sum(value.numel() for value in network.state_dict().values() if value.ndim > 1)
    saved = (folder / "weights.safetensors").stat().st_size - small.weights_path.stat().st_size
    assert saved > 2 * whole, "three of four bytes, less the scales"
    assert json.loads((small.folder / "model.json").read_text("utf-8"))["format"] == 2
    verify_bundle(small)
    for name, value in load_network(small).state_dict().items():
        before = network.state_dict()[name]
        if value.ndim < 2:
            assert torch.equal(value, before)
            continue
        step = before.abs().flatten(1).amax(dim=1) / 127
        assert ((value - before).abs().flatten(1).amax(dim=1) <= 0.501 * step).all(), name
        assert not torch.equal(value, before)


def test_bundles_without_int8_stay_readable_for_older_versions(folder):
    assert json.loads((folder / "model.json").read_text("utf-8"))["format"] == 1


@pytest.mark.parametrize("change_stored", [
    lambda stored, name: stored.pop(name + ".int8_scale"),
    lambda stored, name: stored.update({name + ".int8_scale": stored[name + ".int8_scale"][:-1].clone()}),
    lambda stored, name: stored.update({"other.int8_scale": torch.ones(1)}),
    lambda stored, name: stored.update({name: stored[name].to(torch.int32)}),
])
def test_int8_weights_without_their_scales_are_refused(tmp_path, network, change_stored):
    from safetensors.torch import load_file, save_file

    bundle = write_bundle(tmp_path / "small", network, precision="int8", **FIELDS)
    stored = load_file(bundle.weights_path)
    change_stored(stored, next(name for name, value in stored.items() if value.dtype == torch.int8))
    save_file(stored, bundle.weights_path)
    digest = hashlib.sha256(bundle.weights_path.read_bytes()).hexdigest()
    change(bundle.folder, weights={"file": "weights.safetensors", "sha256": digest})
    for check in (verify_bundle, load_network):
        with pytest.raises(FlareSegError) as caught:
            check(read_bundle(bundle.folder))
        assert caught.value.code == "model_invalid"


def test_the_papers_spacing_may_be_the_cts_own(tmp_path, network):
    bundle = write_bundle(tmp_path / "native", network, **{**FIELDS, "working_spacing": None})
    assert read_bundle(bundle.folder).working_spacing is None


@pytest.mark.parametrize("field, value", [
    ("format", 99), ("name", "../evil"), ("labels", []), ("grid", [33, 32]), ("working_spacing", [0, 1]),
    ("normalisation", {"lower": 0}), ("network", {"type": "transformer"}),
    ("weights", {"file": "/etc/passwd", "sha256": "0" * 64}),
])
def test_a_wrong_field_is_named(folder, field, value):
    change(folder, **{field: value})
    with pytest.raises(FlareSegError) as caught:
        read_bundle(folder)
    assert caught.value.code in ("model_invalid", "model_unsupported")
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_changed_weights_are_noticed(folder):
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    for check in (verify_bundle, load_network):
        with pytest.raises(FlareSegError) as caught:
            check(read_bundle(folder))
        assert caught.value.code == "model_invalid"


def test_truncated_weights_are_noticed(folder):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FlareSegError) as caught:
        load_network(read_bundle(folder))
    assert caught.value.code == "model_invalid"


def test_nothing_is_overwritten_and_nothing_half_written(folder, network):
    before = sorted(path.name for path in folder.parent.iterdir())
    with pytest.raises(FlareSegError) as caught:
        write_bundle(folder, network, **FIELDS)
    assert caught.value.code == "output_exists"
    assert sorted(path.name for path in folder.parent.iterdir()) == before


def test_the_shipped_model_is_whole():
    from FlareSegLib.models.store import find_bundle

    bundle = find_bundle("default")
    verify_bundle(bundle)
    assert [organ.name for organ in bundle.organs] == ["liver", "kidney", "spleen", "pancreas"]
    data = bundle.training.get("data")
    sources = bundle.training["cases"] if data is None else [*data["cts"], *data["labels"]]
    assert sources and all(source["licence"] for source in sources)
    assert "not for diagnosis" in bundle.intended_use
