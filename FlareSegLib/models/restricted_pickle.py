"""Reading pickles and torch checkpoints of strangers: plain data only, nothing in them is ever executed.

A pickle is a small program that may name any function of the machine and call it. nnU-Net keeps its plans and
checkpoints in pickles, so they are read here with an allow-list: a global that is not in `REBUILDERS` is never even
looked up. None of the rebuilders is the real class: each checks its arguments and gives plain data, so that no
attribute of a real class or function can be set either.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import IO, Any, Literal

import numpy as np

from ..errors import FlareSegError

#: nnU-Net's plans of thousands of cases have a few megabytes.
LARGEST_PICKLE = 64 * 2**20
#: A checkpoint of nnU-Net's widest 2D network with its optimiser's state has half a gigabyte.
LARGEST_CHECKPOINT = 4 * 2**30
ZIP_MAGIC = b"PK\x03\x04"
#: What torch before 1.6 wrote first: protocol 2 and its magic number 0x1950a86a20f9469cfc6c as a pickle.
LEGACY_TORCH_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
#: Extension registry, foreign buffers and identities, classes of Python 2, and a duplicate that no writer emits.
REFUSED_OPCODES = {"EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER", "PERSID", "BINPERSID", "INST", "OBJ",
                   "DUP"}
PLAIN_DTYPE = re.compile(r"[biufcSU]\d{1,6}|\?")


def read_pickle(path: str | Path) -> Any:
    """Return the plain data of a pickle file.

    Parameters
    ----------
    path : str or Path
        A pickle of any protocol that holds numbers, texts, lists, tuples, sets, dicts, numpy arrays and scalars.

    Raises
    ------
    FlareSegError
        "model_unsafe" where it refers to anything else (the message names it) or is far too large;
        "model_invalid" where it is truncated or not a pickle.
    """
    path = Path(path)
    _check_size(path, LARGEST_PICKLE)
    return _plain_data(path.read_bytes(), path.name)


def read_checkpoint(path: str | Path) -> Any:
    """Return what `torch.save` wrote to a file, tensors on the CPU, as plain data.

    Both of torch's own formats are read, through its weights-only reader with the numpy rebuilders of this
    module added; that reader builds tensors itself and takes nothing else from the file.

    Raises
    ------
    FlareSegError
        As `read_pickle`; "missing_package" where torch is too old to read strangers' files safely.
    """
    path = Path(path)
    _check_size(path, LARGEST_CHECKPOINT)
    with path.open("rb") as file:
        start = file.read(len(LEGACY_TORCH_MAGIC))
    if start.startswith(ZIP_MAGIC):
        _check_torch_zip(path)
    elif start != LEGACY_TORCH_MAGIC:
        return read_pickle(path)  # not written by torch.save; whatever it is, it is read as plain data
    return _weights_only(path)


class _Rebuilder:
    """A function that a pickle may call. It has no attributes, so a pickle cannot set any (BUILD is refused)."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]):
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a function has no state")


class _Dtype:
    """A numpy dtype in the making: its name comes first, its byte order later (BUILD)."""

    __slots__ = ("name", "order")

    def __init__(self, name: str):
        self.name = name
        self.order: Literal["<", ">", "|", "="] = "="

    def __setstate__(self, state: Any) -> None:
        if state[1] not in "<>|=" or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("not a plain numpy dtype")
        self.order = state[1]

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.name).newbyteorder(self.order)


class _Array(np.ndarray):
    """A numpy array in the making: empty first, its shape and bytes come later (BUILD)."""

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, column_major, raw = state
        if math.prod(shape) * dtype.dtype.itemsize != len(raw):
            raise pickle.UnpicklingError("an array whose bytes do not fit its shape")
        checked: Any = (1, tuple(shape), dtype.dtype, bool(column_major), bytes(raw))
        super().__setstate__(checked)


# What a pickle gives is Any: each rebuilder finds out itself.
def _dtype(name: Any, *_flags: Any) -> _Dtype:
    # Object, structured and huge types are refused: they can hold references or claim memory they have no bytes for.
    if not isinstance(name, str) or not PLAIN_DTYPE.fullmatch(name):
        raise pickle.UnpicklingError("not a plain numpy dtype")
    return _Dtype(name)


def _empty_array(_array_type: Any, shape: Any, _typecode: Any) -> _Array:
    if tuple(shape) != (0,):
        raise pickle.UnpicklingError("an array that begins with a size")
    return np.ndarray.__new__(_Array, (0,), np.int8)


def _array_from_buffer(buffer: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    return np.frombuffer(bytes(buffer), dtype.dtype).reshape(shape, order=order)


def _numpy_scalar(dtype: Any, raw: Any) -> np.generic:
    if len(raw) != dtype.dtype.itemsize:
        raise pickle.UnpicklingError("a scalar whose bytes do not fit its type")
    return np.frombuffer(raw, dtype.dtype)[0]


def _encode(text: Any, encoding: Any = "utf-8") -> bytes:
    if encoding != "latin1":  # the one way in which Python 3 writes bytes for protocol 2
        raise pickle.UnpicklingError("an unusual text encoding")
    return text.encode("latin1")


def _bytes(content: Any = b"") -> bytes:
    if not isinstance(content, (bytes, bytearray)):
        raise pickle.UnpicklingError("bytes that are not given as such")
    return bytes(content)


def _path_text(*parts: Any) -> str:
    return str(PurePath(*parts))


def _type_name(*_arguments: Any) -> None:
    raise pickle.UnpicklingError("numpy.ndarray is only named, never called")


def _numpy_rebuilders() -> dict[str, Callable[..., Any]]:
    table: dict[str, Callable[..., Any]] = {"numpy.ndarray": _type_name, "numpy.dtype": _dtype}
    for core in ("numpy.core", "numpy._core"):  # before and since numpy 2
        table[f"{core}.multiarray._reconstruct"] = _empty_array
        table[f"{core}.multiarray.scalar"] = _numpy_scalar
        table[f"{core}.numeric._frombuffer"] = _array_from_buffer
    return table


def _path_rebuilders() -> dict[str, Callable[..., Any]]:
    names = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path")
    return {f"{module}.{name}": _path_text for module in ("pathlib", "pathlib._local") for name in names}


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": dict,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.complex": complex,
    "builtins.bytearray": _bytes,
    "builtins.bytes": _bytes,
    "_codecs.encode": _encode,
    **_numpy_rebuilders(),
    **_path_rebuilders(),
}
#: Every global that a pickle may name, and what stands for it here.
REBUILDERS = {name: _Rebuilder(function) for name, function in _FUNCTIONS.items()}


class _RestrictedUnpickler(pickle.Unpickler):
    """Gives the rebuilders and nothing else; nothing is imported."""

    def __init__(self, file: IO[bytes], file_name: str):
        super().__init__(file)
        self._file_name = file_name

    def find_class(self, module: str, name: str) -> Any:
        path = f"{module.replace('__builtin__', 'builtins')}.{name}"  # its name up to protocol 2
        if path not in REBUILDERS:
            raise _refused(path, self._file_name)
        return REBUILDERS[path]


def _plain_data(content: bytes, file_name: str) -> Any:
    try:
        _check_opcodes(content, file_name)
        return _RestrictedUnpickler(io.BytesIO(content), file_name).load()
    except FlareSegError:
        raise
    except Exception as error:  # a broken pickle can fail in any way that its rebuilders can
        raise _broken(file_name) from error


def _check_opcodes(content: bytes, file_name: str) -> None:
    """Look over the whole pickle without running it: no strange opcodes, no memo larger than the file."""
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in REFUSED_OPCODES:
            raise _refused(f"the pickle instruction {opcode.name}", file_name)
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and (argument is None or argument > len(content)):
            raise _refused("a memo larger than the file", file_name)


def _weights_only(path: Path) -> Any:
    import torch

    if torch.torch_version.TorchVersion(torch.__version__) < "2.6":  # older readers could be made to run code
        raise FlareSegError("missing_package", "Importing nnU-Net checkpoints needs torch 2.6 or newer; "
                                               "update torch (pip install -U torch).")
    allowed = [(rebuilder, name) for name, rebuilder in REBUILDERS.items() if name != "collections.OrderedDict"]
    try:
        with torch.serialization.safe_globals([*allowed, _Array, _Dtype]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        refused = re.search(r"GLOBAL (\S+)", str(error))
        raise _refused(refused[1], path.name) if refused else _broken(path.name) from error


def _check_torch_zip(path: Path) -> None:
    """Refuse compressed members: torch writes none, and they could unpack to any size."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception as error:  # a damaged zip can fail in any way
        raise _broken(path.name) from error
    stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    if not stored or sum(member.file_size for member in members) > path.stat().st_size:
        raise _refused("compressed members", path.name)


def _check_size(path: Path, largest: int) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FlareSegError("model_invalid", f"The model file {path.name} cannot be read.") from error
    if size > largest:
        raise FlareSegError("model_unsafe", f"{path.name} has {size / 2**20:.0f} MB, more than the "
                                            f"{largest / 2**20:.0f} MB that such a file may have; it was not read.")


def _refused(what: str, file_name: str) -> FlareSegError:
    shown = re.sub(r"[^\w. ]", "?", what)[:80]
    return FlareSegError("model_unsafe", f"{file_name} holds more than plain data: it refers to {shown}. "
                                         "Nothing in it was run; use a model from a source you trust.")


def _broken(file_name: str) -> FlareSegError:
    return FlareSegError("model_invalid", f"{file_name} is truncated or not a file that nnU-Net wrote; "
                                          "get it again from its source.")
