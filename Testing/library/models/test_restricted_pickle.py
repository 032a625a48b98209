"""Plain data come back as they were; anything else is refused and nothing of it runs."""

import collections
import os
import pickle
import struct
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from FlareSegLib.errors import FlareSegError
from FlareSegLib.models import restricted_pickle
from FlareSegLib.models.restricted_pickle import read_checkpoint, read_pickle
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner)
    | st.dictionaries(st.text(), inner).map(collections.OrderedDict),
    max_leaves=12,
)
arrays = hnp.arrays(
    st.one_of(hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.floating_dtypes(endianness="?"),
              hnp.unicode_string_dtypes(max_len=4)),
    hnp.array_shapes(min_dims=0, min_side=0, max_side=4),
)


class Hostile:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def write(path, value, protocol=4):
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


@pytest.fixture
def marker(tmp_path):
    """A file that hostile pickles try to make."""
    yield tmp_path / "executed"
    assert not (tmp_path / "executed").exists()


def hostile_values(marker):
    touch = f"touch '{marker}'"
    code = f"open({str(marker)!r}, 'w')"
    return {
        "posix.system": Hostile(os.system, touch),
        "builtins.eval": Hostile(eval, code),
        "builtins.exec": Hostile(exec, code),
        "builtins.open": Hostile(open, str(marker), "w"),
        "builtins.getattr": Hostile(getattr, marker, "touch"),
        "pathlib.Path.touch": Hostile(Path.touch, "x"),
        "subprocess.Popen": Hostile(__import__("subprocess").Popen, ["touch", str(marker)]),
        "operator.attrgetter": Hostile(__import__("operator").attrgetter, "touch"),
        "functools.partial": Hostile(__import__("functools").partial, os.system, touch),
    }


NAMES = sorted(hostile_values("x"))


@given(plain, st.integers(0, 5))
def test_plain_data_come_back(tmp_path_factory, value, protocol):
    path = tmp_path_factory.mktemp("plain") / "plans.pkl"
    assert read_pickle(write(path, value, protocol)) == value


@given(arrays, st.integers(2, 5))
def test_arrays_come_back(tmp_path_factory, array, protocol):
    path = tmp_path_factory.mktemp("array") / "plans.pkl"
    back = read_pickle(write(path, {"array": array}, protocol))["array"]
    assert back.dtype.newbyteorder("=") == array.dtype.newbyteorder("=") and back.shape == array.shape
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_scalars_sets_and_paths_come_back(tmp_path, protocol):
    value = {"mean": np.float32(116.62895), "flag": np.bool_(True), "n": np.int64(3), "text": np.str_("CT"),
             "set": {1, 2}, "bytes": bytearray(b"ab"), "path": PurePosixPath("a/b"), "z": 1 + 2j}
    back = read_pickle(write(tmp_path / "plans.pkl", value, protocol))
    assert back.pop("path") == str(PurePosixPath("a/b"))
    assert back == {name: value[name] for name in back}
    assert back["mean"].dtype == np.float32


def test_names_of_both_numpy_generations_are_read(tmp_path):
    content = pickle.dumps(np.arange(3.0), protocol=3)
    assert b"numpy._core" in content or b"numpy.core" in content
    for core in (b"numpy.core", b"numpy._core"):
        renamed = content.replace(b"numpy._core", b"numpy.core").replace(b"numpy.core", core)
        (tmp_path / "plans.pkl").write_bytes(renamed)
        np.testing.assert_array_equal(read_pickle(tmp_path / "plans.pkl"), [0, 1, 2])


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", NAMES)
def test_hostile_pickles_are_refused_by_name(tmp_path, marker, name, protocol):
    nested = {"plans": [np.zeros(2), ({"deep": hostile_values(marker)[name]},)]}
    with pytest.raises(FlareSegError) as caught:
        read_pickle(write(tmp_path / "plans.pkl", nested, protocol))
    assert caught.value.code == "model_unsafe"
    # A method is reached through getattr before protocol 4.
    assert name.split(".")[-1] in str(caught.value) or "builtins.getattr" in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("file_name", ["model_final_checkpoint.model", "checkpoint_final.pth"])
@pytest.mark.parametrize("name", ["posix.system", "builtins.eval", "subprocess.Popen"])
def test_hostile_checkpoints_are_refused_by_name(tmp_path, marker, name, file_name, zipped):
    value = {"state_dict": {"w": torch.zeros(2)}, "logging": [hostile_values(marker)[name]]}
    torch.save(value, tmp_path / file_name, _use_new_zipfile_serialization=zipped)
    with pytest.raises(FlareSegError) as caught:
        read_checkpoint(tmp_path / file_name)
    assert caught.value.code == "model_unsafe"
    assert name.split(".")[-1] in str(caught.value)


def test_a_plain_hostile_pickle_in_a_checkpoints_place_is_refused(tmp_path, marker):
    path = write(tmp_path / "checkpoint_final.pth", hostile_values(marker)["posix.system"])
    with pytest.raises(FlareSegError, match="posix.system"):
        read_checkpoint(path)


def test_the_hostile_files_would_have_worked(tmp_path):
    """The control: Python's own reader does run them."""
    marker = tmp_path / "executed"
    pickle.loads(pickle.dumps(hostile_values(marker)["builtins.eval"])).close()
    assert marker.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_checkpoints_with_training_state_are_read(tmp_path, zipped):
    parameter = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))
    optimiser = torch.optim.SGD([parameter], 0.01, momentum=0.99, nesterov=True)
    parameter.sum().backward()
    optimiser.step()
    value = {
        "epoch": 1000,
        "state_dict": collections.OrderedDict(w=parameter.detach(), half=torch.ones(3, dtype=torch.float16)),
        "optimizer_state_dict": optimiser.state_dict(),
        "lr_scheduler_state_dict": None,
        "plot_stuff": ([np.float64(-0.5)], [np.float32(0.1)], [], [np.float64(0.9)]),
        "best_stuff": (None, -0.8, np.float64(0.91)),
        "logging": {"mean_fg_dice": [np.float64(0.9)], "dice_per_class": [[np.float32(0.9)]], "seen": np.arange(3)},
        "grad_scaler_state": {"scale": 65536.0, "growth_interval": 2000},
        "init_args": {"device": torch.device("cuda:0"), "fold": "all", "folder": PurePosixPath("a")},
        "inference_allowed_mirroring_axes": (0, 1),
    }
    torch.save(value, tmp_path / "checkpoint.pth", _use_new_zipfile_serialization=zipped)
    back = read_checkpoint(tmp_path / "checkpoint.pth")
    torch.testing.assert_close(back["state_dict"]["w"], parameter.detach())
    assert back["best_stuff"] == value["best_stuff"] and back["plot_stuff"] == value["plot_stuff"]
    assert back["logging"]["dice_per_class"] == value["logging"]["dice_per_class"]
    np.testing.assert_array_equal(back["logging"]["seen"], [0, 1, 2])


@pytest.mark.parametrize("keep", [0, 1, 10, 0.5, -1])
@pytest.mark.parametrize("zipped", [True, False, None])
def test_truncated_files_are_invalid(tmp_path, zipped, keep):
    path = tmp_path / "file.pth"
    value = {"numbers": list(range(1000)), "array": np.arange(100)}
    if zipped is None:
        write(path, value)
    else:
        torch.save({**value, "w": torch.zeros(100)}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[:int(keep * len(content)) if keep == 0.5 else keep])
    with pytest.raises(FlareSegError) as caught:
        read_checkpoint(path)
    assert caught.value.code == "model_invalid"


@given(st.binary(max_size=60))
def test_garbage_never_escapes_as_another_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("garbage") / "plans.pkl"
    path.write_bytes(content)
    try:
        read_pickle(path)
    except FlareSegError as error:
        assert error.code in ("model_invalid", "model_unsafe")


@given(st.data())
def test_damaged_pickles_never_escape_as_another_error(tmp_path_factory, data):
    content = bytearray(pickle.dumps({"a": np.arange(4), "b": [np.float32(1), {"c": (1, "x")}]}, protocol=3))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "plans.pkl"
    path.write_bytes(content)
    try:
        read_pickle(path)
    except FlareSegError as error:
        assert error.code in ("model_invalid", "model_unsafe")


def test_a_memo_bomb_is_refused(tmp_path):
    (tmp_path / "plans.pkl").write_bytes(b"\x80\x02]r" + struct.pack("<I", 2**31) + b".")
    with pytest.raises(FlareSegError) as caught:
        read_pickle(tmp_path / "plans.pkl")
    assert caught.value.code == "model_unsafe"


def test_an_array_that_claims_memory_is_invalid(tmp_path):
    content = pickle.dumps(np.zeros(1), protocol=3).replace(b"K\x01\x85", b"J\xff\xff\xff\x7f\x85")
    (tmp_path / "plans.pkl").write_bytes(content)
    with pytest.raises(FlareSegError) as caught:
        read_pickle(tmp_path / "plans.pkl")
    assert caught.value.code == "model_invalid"


def test_object_arrays_are_refused(tmp_path):
    with pytest.raises(FlareSegError):
        read_pickle(write(tmp_path / "plans.pkl", np.array([{}, []], dtype=object)))


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(restricted_pickle, "LARGEST_PICKLE", 100)
    with pytest.raises(FlareSegError) as caught:
        read_pickle(write(tmp_path / "plans.pkl", list(range(1000))))
    assert caught.value.code == "model_unsafe"


def test_a_compressed_checkpoint_is_refused(tmp_path):
    torch.save({"w": torch.zeros(10_000)}, tmp_path / "stored.pth")
    with zipfile.ZipFile(tmp_path / "stored.pth") as stored, \
            zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        for member in stored.namelist():
            packed.writestr(member, stored.read(member))
    with pytest.raises(FlareSegError) as caught:
        read_checkpoint(tmp_path / "packed.pth")
    assert caught.value.code == "model_unsafe"


def test_state_cannot_be_set_on_what_a_pickle_names(tmp_path):
    """BUILD on a named function or class would change it for the whole process."""
    for name in restricted_pickle.REBUILDERS:
        module, _, attribute = name.rpartition(".")
        (tmp_path / "plans.pkl").write_bytes(f"c{module}\n{attribute}\n}}S'x'\nI1\nsb.".encode())
        with pytest.raises(FlareSegError):
            read_pickle(tmp_path / "plans.pkl")
