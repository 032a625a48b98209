"""Models come in, are listed and removed; nothing unsafe comes in, nothing is overwritten or left half done."""

import json
import os
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from FlareSegLib.errors import FlareSegError
from FlareSegLib.models import bundle as bundles
from FlareSegLib.models import store
from FlareSegLib.models.bundle import load_network, read_bundle, verify_bundle, write_bundle
from FlareSegLib.models.store import (broken_bundles, find_bundle, import_bundle, is_shipped, list_bundles,
                                      remove_bundle, user_folder)
from FlareSegLib.networks.unet2d import UNet2D, UNet2DSpec
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION

pytestmark = pytest.mark.usefixtures("models")


@pytest.fixture
def source(tmp_path) -> Path:
    """A bundle to import, with a model card and something that is none of its business."""
    torch.manual_seed(0)
    folder = tmp_path / "from here" / "tiny folder"
    write_bundle(folder, UNet2D(UNet2DSpec(features=(4, 6))), name="tiny", version="1", title="Tïny",
                 organs=FLARE_ORGANS, working_spacing=(1.6, 1.6), grid=(32, 32), normalisation=FLARE21_NORMALISATION,
                 training={"cases": ["Ä"]}, licence="none", intended_use="tests")
    (folder / "README.md").write_text("card")
    (folder / "run.py").write_text("print('never copied')")
    return folder


def zipped(folder: Path, path: Path, within: str = "", compression=zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, within + str(file.relative_to(folder)))
    return path


def failure(action, *arguments) -> FlareSegError:
    """The error of an action that must leave the user's folder as it is."""
    before = contents(user_folder())
    with pytest.raises(FlareSegError) as caught:
        action(*arguments)
    assert contents(user_folder()) == before
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")
    assert "flareseg-" not in str(caught.value).replace("flareseg-lite", ""), "a temporary folder's name"
    return caught.value


def contents(folder: Path) -> dict:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def same_weights(first, second) -> bool:
    first, second = load_network(first).state_dict(), load_network(second).state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# Import

def test_a_folder_is_copied_with_its_texts_and_nothing_else(models, source):
    found = import_bundle(source)
    assert found.folder == models / "tiny" and found == read_bundle(models / "tiny")
    assert sorted(path.name for path in found.folder.iterdir()) == ["README.md", "model.json", "weights.safetensors"]
    verify_bundle(found)
    assert same_weights(found, read_bundle(source))
    assert not stat.S_IMODE(found.folder.stat().st_mode) & stat.S_IWOTH


@pytest.mark.parametrize("within", ["", "tiny/", "data set/model/tiny/"])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_zip(tmp_path, source, within, compression):
    found = import_bundle(zipped(source, tmp_path / "tiny model.zip", within, compression))
    verify_bundle(found)
    assert same_weights(found, read_bundle(source))


def test_a_zip_made_on_a_mac(tmp_path, source):
    path = zipped(source, tmp_path / "tiny.zip", "tiny/")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/tiny/._model.json", b"\0\5\x16\7")
        archive.writestr(".DS_Store", b"")
    assert import_bundle(path).name == "tiny"


def test_a_bundle_gets_another_name(models, source):
    assert import_bundle(source, "mine").name == "mine"
    assert find_bundle("mine") == read_bundle(models / "mine")
    assert json.loads((models / "mine/model.json").read_text("utf-8"))["title"] == "Tïny"
    assert not (models / "tiny").exists()


@pytest.mark.parametrize("named", [None, "nnunet"])
@pytest.mark.parametrize("within", ["", "Dataset021_Abdomen/nnUNetTrainer__nnUNetPlans__2d/"])
def test_a_zip_of_an_nnunet_model(tmp_path, write_model, within, named):
    """nnU-Net v2's own export has the data set's folder around the model's."""
    original = write_model(tmp_path / "model")
    found = import_bundle(zipped(tmp_path / "model", tmp_path / "model.zip", within), named)
    verify_bundle(found)
    assert named is None or found.name == named
    slices = torch.randn(1, 1, 16, 24)
    with torch.inference_mode():
        torch.testing.assert_close(load_network(found)(slices), original(slices), rtol=1e-5, atol=1e-5)


def test_a_hostile_nnunet_model_in_a_zip_does_not_run(tmp_path, models, write_v1, hostile):
    write_v1(tmp_path / "model", change=lambda plans: plans.update(original_sizes=hostile))
    error = failure(import_bundle, zipped(tmp_path / "model", tmp_path / "model.zip"))
    assert error.code == "model_unsafe" and not models.exists()


def test_nothing_is_overwritten(tmp_path, source, write_v1):
    import_bundle(source)
    write_v1(tmp_path / "model")
    for again in (source, zipped(source, tmp_path / "tiny.zip")):
        assert failure(import_bundle, again).code == "output_exists"
    assert failure(import_bundle, tmp_path / "model", "tiny").code == "output_exists"
    assert failure(import_bundle, source, store.DEFAULT_MODEL).code == "output_exists"


def test_what_lies_at_the_name_without_being_a_model_stays(models, source):
    (models / "tiny").mkdir(parents=True)
    (models / "tiny" / "notes.txt").write_text("mine")
    assert failure(import_bundle, source).code == "output_exists"


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "", ".", "..", "a b", "a" * 65, ".hidden", "é"])
def test_names_that_are_no_names(source, name):
    assert failure(import_bundle, source, name).code == "bad_option"


@pytest.mark.parametrize("given", ["nothing/here", "x" * 300, "~nobody-of-this-name/model", "a\0b"])
def test_what_does_not_exist(given):
    assert failure(import_bundle, given).code == "not_found"
    assert failure(find_bundle, given).code == "model_not_found"


def test_a_folder_without_a_model(tmp_path):
    (tmp_path / "empty").mkdir()
    assert failure(import_bundle, tmp_path / "empty").code == "model_not_found"
    assert "model.json is missing" in str(failure(find_bundle, tmp_path / "empty"))


@pytest.mark.parametrize("file", ["text.zip", "checkpoint_final.pth"])
def test_a_file_that_is_no_model(tmp_path, file):
    """A torch checkpoint is a zip too; it is named as the user named it."""
    path = tmp_path / file
    path.write_text("hello") if path.suffix == ".zip" else torch.save({"w": torch.zeros(3)}, path)
    error = failure(import_bundle, path)
    assert error.code in ("model_invalid", "model_not_found") and str(path) in str(error)


@pytest.mark.parametrize("damage", [
    lambda path: path.write_bytes(path.read_bytes()[:-30]),
    lambda path: path.write_bytes(path.read_bytes()[:200]),
    lambda path: overwrite(path, 80),
    lambda path: overwrite(path, 1000),
], ids=["end", "start", "early", "later"])
def test_a_damaged_zip(tmp_path, source, damage):
    path = zipped(source, tmp_path / "tiny.zip")
    damage(path)
    assert failure(import_bundle, path).code == "model_invalid"


def overwrite(path, place):
    content = bytearray(path.read_bytes())
    content[place:place + 40] = b"\xff" * 40
    path.write_bytes(content)


@pytest.mark.parametrize("damage", ["weights", "description", "no weights", "field"])
def test_a_damaged_bundle_does_not_come_in(source, damage):
    if damage == "weights":
        overwrite(source / "weights.safetensors", 900)
    elif damage == "description":
        (source / "model.json").write_text("{")
    elif damage == "no weights":
        (source / "weights.safetensors").unlink()
    else:
        change(source, grid=[33, 33])
    assert failure(import_bundle, source).code == "model_invalid"


def change(folder, **values):
    path = folder / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}), "utf-8")


@pytest.mark.parametrize("value", ["\x1b[2J", "\x9b2J", "\ud800", "a\0b"])
def test_texts_that_could_steer_a_terminal_do_not_come_in(source, value):
    for field, content in (("title", value), ("training", {"data": [{"source": value}]}), ("training", {value: 1})):
        change(source, **{"title": "T", "training": {}, field: content})
        assert failure(import_bundle, source).code == "model_invalid"
        assert failure(import_bundle, source, "renamed").code == "model_invalid"


# What must not come in

@pytest.mark.parametrize("name", ["../evil.txt", "tiny/../../evil.txt", "/evil.txt", "..\\evil.txt", "C:evil.txt"])
def test_paths_that_lead_out_of_a_zip(tmp_path, source, name):
    path = zipped(source, tmp_path / "tiny.zip", "tiny/")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "evil")
    before = contents(tmp_path)
    assert failure(import_bundle, path).code == "model_unsafe"
    assert contents(tmp_path) == before and not Path("/evil.txt").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_special_files_in_a_zip(tmp_path, source, kind):
    path = zipped(source, tmp_path / "tiny.zip")
    entry = zipfile.ZipInfo("LICENSE.txt")
    entry.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, "/etc/passwd")
    assert failure(import_bundle, path).code == "model_unsafe"


def test_a_zip_that_unpacks_to_more_than_a_model_has(tmp_path, source, monkeypatch):
    path = zipped(source, tmp_path / "tiny.zip")
    for limit, value in (("LARGEST_ZIP", 1000), ("LARGEST_ZIP_MEMBER", 1000), ("MOST_ZIP_MEMBERS", 2)):
        with monkeypatch.context() as change_limit:
            change_limit.setattr(store, limit, value)
            assert failure(import_bundle, path).code == "model_unsafe"


def test_an_encrypted_zip(tmp_path, source):
    path = zipped(source, tmp_path / "tiny.zip", compression=zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # places of the flags in zip's two headers
        content[content.index(mark) + flags] |= 1
    path.write_bytes(content)
    assert failure(import_bundle, path).code == "model_unsafe"


def test_a_name_twice_in_a_zip(tmp_path, source):
    path = zipped(source, tmp_path / "tiny.zip")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning):
        archive.writestr("model.json", "{}")
    assert failure(import_bundle, path).code == "model_invalid"


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json", "LICENSE.txt"])
def test_links_in_a_folder(tmp_path, source, name):
    (source / "LICENSE.txt").write_text("free")
    (source / name).rename(tmp_path / "elsewhere")
    (source / name).symlink_to(tmp_path / "elsewhere")
    assert failure(import_bundle, source).code == "model_unsafe"


def test_a_text_of_the_size_of_a_film(source, monkeypatch):
    monkeypatch.setattr(store, "LARGEST_TEXT", 3)
    assert failure(import_bundle, source).code == "model_unsafe"


# Interruption

@pytest.mark.parametrize("place", ["copy", "check", "rename"])
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_import_leaves_nothing(models, source, monkeypatch, place, interruption):
    def interrupt(*arguments, **options):
        raise interruption

    target, name = {"copy": (shutil, "copyfile"), "check": (store, "verify_bundle"), "rename": (os, "rename")}[place]
    with monkeypatch.context() as broken, pytest.raises((KeyboardInterrupt, FlareSegError)) as caught:
        broken.setattr(target, name, interrupt)
        import_bundle(source)
    assert list(models.iterdir()) == []
    assert interruption is KeyboardInterrupt or caught.value.code == "output_unwritable"
    assert import_bundle(source).name == "tiny"


def test_an_interrupted_conversion_leaves_nothing(tmp_path, models, write_v1, monkeypatch):
    write_v1(tmp_path / "model")

    def interrupt(bundle):
        raise KeyboardInterrupt

    monkeypatch.setattr(bundles, "verify_bundle", interrupt)
    with pytest.raises(KeyboardInterrupt):
        import_bundle(zipped(tmp_path / "model", tmp_path / "model.zip"))
    assert list(models.iterdir()) == []


def test_a_killed_import_is_no_model(models, source):
    """What a power cut may leave behind is a hidden folder."""
    import_bundle(source)
    shutil.copytree(models / "tiny", models / ".new-abc" / "other")
    assert [found.name for found in list_bundles() if not is_shipped(found)] == ["tiny"]
    assert broken_bundles() == []


# List, find, remove

def test_the_list_before_anything_was_imported(models):
    assert [found.name for found in list_bundles()] == [store.DEFAULT_MODEL]
    assert all(map(is_shipped, list_bundles())) and not models.exists()


def test_a_damaged_bundle_does_not_break_the_list(models, source):
    import_bundle(source)
    import_bundle(source, "other")
    (models / "other/model.json").write_bytes(b"\xff{")
    assert [found.name for found in list_bundles()] == [store.DEFAULT_MODEL, "tiny"]
    (folder, error), = broken_bundles()
    assert folder == models / "other" and error.code == "model_invalid"
    assert failure(find_bundle, "other").code == "model_invalid"
    assert failure(find_bundle, "third").code == "model_not_found"
    assert "flareseg-lite, tiny" in str(failure(find_bundle, "third"))
    remove_bundle("other")
    assert broken_bundles() == [] and not (models / "other").exists()


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                           lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                                       max_size=3), max_leaves=6)


@settings(max_examples=150)
@given(st.data())
def test_no_description_breaks_the_list(tmp_path_factory, data):
    """Any one part of a right description is replaced by anything."""
    description = json.loads((Path(__file__).parents[3] / "Resources/Models" / store.DEFAULT_MODEL / "model.json")
                             .read_text("utf-8"))
    part, place = description, None
    while isinstance(part, (dict, list)) and part and (place is None or data.draw(st.booleans())):
        around, place = part, data.draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
        part = around[place]
    around[place] = data.draw(json_values)
    folder = tmp_path_factory.mktemp("place")
    (folder / "odd").mkdir()
    (folder / "odd" / "model.json").write_text(json.dumps(description), "utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FLARESEG_MODELS", str(folder))
        assert len(list_bundles()) + len(broken_bundles()) == 2


def test_a_users_model_of_a_shipped_ones_name_does_not_shadow_it(models, source):
    import_bundle(source)
    (models / "tiny").rename(models / store.DEFAULT_MODEL)
    assert is_shipped(find_bundle()) and len(list_bundles()) == 1
    remove_bundle(store.DEFAULT_MODEL)
    assert not (models / store.DEFAULT_MODEL).exists() and is_shipped(find_bundle())


def test_a_model_is_found_by_its_folder(source):
    assert find_bundle(source) == find_bundle(str(source)) == read_bundle(source)


def test_the_users_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FLARESEG_MODELS", "~/models")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert user_folder() == tmp_path / "models"
    monkeypatch.delenv("FLARESEG_MODELS")
    assert user_folder() == tmp_path / ".flareseg" / "models"


def test_a_users_folder_that_cannot_be_looked_into(monkeypatch, tmp_path, source):
    (tmp_path / "file").write_text("no folder")
    for odd in (str(tmp_path / "file"), "/" + "x" * 300, "~nobody-of-this-name/models"):
        monkeypatch.setenv("FLARESEG_MODELS", odd)
        assert [found.name for found in list_bundles()] == [store.DEFAULT_MODEL]
    monkeypatch.setenv("FLARESEG_MODELS", str(tmp_path / "file"))
    assert failure(import_bundle, source).code == "output_unwritable"


def test_remove(models, source):
    import_bundle(source)
    remove_bundle("tiny")
    assert list(models.iterdir()) == []
    assert failure(remove_bundle, "tiny").code == "model_not_found"
    assert failure(remove_bundle, store.DEFAULT_MODEL).code == "bad_option"
    assert is_shipped(find_bundle())


@pytest.mark.parametrize("name", ["..", ".", "", "../from here/tiny folder", "/", "tiny/../tiny"])
def test_remove_stays_in_the_users_folder(source, name):
    import_bundle(source)
    assert failure(remove_bundle, name).code == "model_not_found"
    assert failure(remove_bundle, str(source)).code == "model_not_found"
    assert (source / "model.json").is_file()


def test_remove_takes_a_link_away_and_not_what_it_points_at(models, source):
    models.mkdir()
    (models / "linked").symlink_to(source, target_is_directory=True)
    assert find_bundle("linked").name == "tiny"
    remove_bundle("linked")
    assert not (models / "linked").is_symlink() and (source / "model.json").is_file()
