"""Model bundles: a folder with `model.json` (what the model is) and `weights.safetensors` (its weights).

Neither file can run code. Reading the description needs no torch; only `verify_bundle`, `load_network` and
`write_bundle` load it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FlareSegError
from ..networks.spec import UNetSpec
from ..organs import Organ
from ..preprocessing.normalisation import Normalisation
from . import description as fields
from .int8 import from_int8, to_int8, without_scales

if TYPE_CHECKING:
    import torch

    from ..networks.unet import UNet

#: Format 2 is 1 with weights that may be stored as int8 (`int8`); bundles without such are written as 1.
FORMAT = 2
DESCRIPTION_FILE = "model.json"
WEIGHTS_FILE = "weights.safetensors"
STORED_TYPES = ("F32", "F16", "BF16", "I8")
#: How `write_bundle` can store weights.
PRECISIONS = ("float32", "float16", "int8")


@dataclass(frozen=True)
class ModelBundle:
    """What a bundle's description says.

    Attributes
    ----------
    folder : Path
        Where it lies.
    name, version, title : str
        Its short name (letters, digits, dot, underscore, hyphen), version and one line for people.
    network : UNetSpec
        The network's graph.
    organs : tuple of Organ
        What its labels 1, 2, ... stand for, in this order; 0 is background.
    working_spacing : tuple of float or None
        Row and column spacing it works at, mm; None: the CT's own, as in the paper.
    grid : tuple of int
        Rows and columns it was trained on.
    normalisation : Normalisation
        HU constants of its training data.
    training : dict
        Provenance: data sets with licences, kind of labels (manual or silver), protocol, measured accuracy.
    licence, intended_use : str
        Terms, and what it may be used for.
    weights_sha256 : str
        SHA-256 of the weights file, lower-case hexadecimal.
    """

    folder: Path
    name: str
    version: str
    title: str
    network: UNetSpec
    organs: tuple[Organ, ...]
    working_spacing: tuple[float, float] | None
    grid: tuple[int, int]
    normalisation: Normalisation
    training: dict[str, Any]
    licence: str
    intended_use: str
    weights_sha256: str

    @property
    def weights_path(self) -> Path:
        """The weights file."""
        return self.folder / WEIGHTS_FILE


def read_bundle(folder: str | Path) -> ModelBundle:
    """Return the description of the bundle in a folder; its weights are not looked at.

    Raises
    ------
    FlareSegError
        "model_not_found" where there is no `model.json`; "model_invalid" naming the field that is wrong.
    """
    folder = Path(folder)
    data = fields.read_json(folder / DESCRIPTION_FILE)
    if fields.take(data, "format", int) > FORMAT:
        raise FlareSegError("model_invalid", f"The model is of format {data['format']}, but this FlareSeg reads "
                                             f"formats up to {FORMAT}; update FlareSeg.")
    weights = fields.take(data, "weights", dict)
    if fields.text(weights, "file", "weights.") != WEIGHTS_FILE:
        raise fields.invalid("weights.file", f"must be \"{WEIGHTS_FILE}\"")
    if not fields.SHA256.fullmatch(fields.text(weights, "sha256", "weights.")):
        raise fields.invalid("weights.sha256", "must be 64 lower-case hexadecimal digits")
    network = fields.network(fields.take(data, "network", dict))
    return ModelBundle(
        folder=folder,
        name=fields.name(data),
        version=fields.text(data, "version"),
        title=fields.text(data, "title"),
        network=network,
        organs=fields.organs(fields.take(data, "labels", list), network),
        working_spacing=fields.working_spacing(data),
        grid=fields.grid(data, network),
        normalisation=fields.normalisation(fields.take(data, "normalisation", dict)),
        training=fields.training(data),
        licence=fields.text(data, "licence"),
        intended_use=fields.text(data, "intended_use"),
        weights_sha256=weights["sha256"],
    )


def verify_bundle(bundle: ModelBundle) -> None:
    """Check that the weights are those of the description and that their names and shapes fit the network.

    Raises
    ------
    FlareSegError
        "model_invalid" with what does not fit.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with bundle.weights_path.open("rb") as file:
            _check_sum(bundle, hashlib.file_digest(file, "sha256").hexdigest())
        with safe_open(bundle.weights_path, framework="numpy") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}
            shapes = {name: tuple(part.get_shape()) for name, part in parts.items()}
            kinds = {name: part.get_dtype() for name, part in parts.items()}
    except (SafetensorError, OSError) as error:
        raise _unreadable_weights(bundle) from error
    _check_fit(bundle, shapes, kinds)


def load_network(bundle: ModelBundle) -> UNet:
    """Return the bundle's network in evaluation mode, float32, on the CPU.

    The checksum is taken of the very bytes that become the weights. Weights of half precision or int8 are converted.

    Raises
    ------
    FlareSegError
        "model_invalid" where the weights are missing or damaged or do not fit the network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        content = bundle.weights_path.read_bytes()
        _check_sum(bundle, hashlib.sha256(content).hexdigest())
        stored = load(content)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise _unreadable_weights(bundle) from error
    del content
    _check_fit(bundle, {name: tuple(tensor.shape) for name, tensor in stored.items()},
               {name: _kind(tensor) for name, tensor in stored.items()})
    network = _empty_network(bundle.network)
    network.load_state_dict(from_int8(stored), assign=True)
    return network.eval()


def write_bundle(folder: str | Path, network: UNet, *, name: str, version: str, title: str,
                 organs: tuple[Organ, ...], working_spacing: tuple[float, float] | None, grid: tuple[int, int],
                 normalisation: Normalisation, training: dict[str, Any], licence: str, intended_use: str,
                 precision: str = "float32") -> ModelBundle:
    """Write a bundle: into a temporary folder beside, read and verified there, then renamed.

    Parameters
    ----------
    folder : str or Path
        The bundle's folder; it must not exist.
    network : UNet
        The network with its weights.
    precision : str
        How weights are stored: "float32"; "float16", half the size, rounded to 11 bits; "int8", a quarter (see `int8`),
        which a FlareSeg that knows only format 1 refuses.
    name, version, title, organs, working_spacing, grid, normalisation, training, licence, intended_use
        As in `ModelBundle`; `training` is plain JSON data.

    Raises
    ------
    FlareSegError
        "output_exists", "output_unwritable", or "model_invalid" naming a field that a reader would refuse.
    """
    weights = _weights_content(network, precision)
    description = {
        "format": 2 if precision == "int8" else 1, "name": name, "version": version, "title": title,
        "network": {"type": network.spec.kind, **asdict(network.spec)},
        "labels": [asdict(organ) for organ in organs],
        "working_spacing": working_spacing, "grid": grid, "normalisation": asdict(normalisation),
        "training": training, "licence": licence, "intended_use": intended_use,
        "weights": {"file": WEIGHTS_FILE, "sha256": hashlib.sha256(weights).hexdigest()},
    }
    with new_folder(folder) as temporary:
        write_description(temporary, description)
        (temporary / WEIGHTS_FILE).write_bytes(weights)
        bundle = read_bundle(temporary)
        verify_bundle(bundle)
    return replace(bundle, folder=Path(folder))


def write_description(folder: Path, description: dict[str, Any]) -> None:
    """Write a bundle's `model.json`."""
    text = json.dumps(description, indent=2, ensure_ascii=False)
    # A lone surrogate has no UTF-8; as a backslash escape it is JSON, which read_bundle then refuses with a sentence.
    (folder / DESCRIPTION_FILE).write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder`, renamed to it when all went well and removed when not.

    Raises
    ------
    FlareSegError
        "output_exists" or "output_unwritable".
    """
    folder = Path(folder)
    if os.path.lexists(folder):
        raise FlareSegError("output_exists", f"{folder} exists already; remove it or choose another name.")
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
        content = temporary / folder.name  # mkdtemp's own folder is for this user alone; this one is as others are
        content.mkdir()
        yield content
        os.rename(content, folder)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"{folder} cannot be written; choose another place or make room "
                                                 "there.") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _weights_content(network: UNet, precision: str) -> bytes:
    import torch
    from safetensors.torch import save

    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r} is none of {PRECISIONS}")
    kind = torch.float16 if precision == "float16" else torch.float32
    tensors = {name: tensor.detach().to("cpu", kind).contiguous() for name, tensor in network.state_dict().items()}
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        advice = " in half precision; store them whole" if kind == torch.float16 else ""
        raise FlareSegError("model_invalid", f"The weights {broken[0]} are not finite{advice}.")
    return save(to_int8(tensors) if precision == "int8" else tensors)


def _empty_network(spec: UNetSpec) -> UNet:
    """The network without values: names and shapes only, nothing is allocated or initialised."""
    import torch

    from ..networks.build import build_network

    with torch.device("meta"):
        return build_network(spec)


def _kind(tensor: torch.Tensor) -> str:
    """A tensor's type by safetensors' name."""
    import torch

    names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int8: "I8"}
    return names.get(tensor.dtype, str(tensor.dtype))


def _check_fit(bundle: ModelBundle, shapes: dict[str, tuple[int, ...]], kinds: dict[str, str]) -> None:
    """Refuse weights of other types, names or shapes than the network's."""
    strange = sorted(set(kinds.values()) - set(STORED_TYPES))
    if strange:
        raise FlareSegError("model_invalid", f"The weights of {bundle.name} are stored as {', '.join(strange)}; only "
                                             f"{', '.join(STORED_TYPES)} are read.")
    found = without_scales(shapes, kinds)
    if found is None:
        raise FlareSegError("model_invalid", f"The weights of {bundle.name} are stored as int8 without the scales that "
                                             "belong to them; get the model again.")
    expected = {name: tuple(tensor.shape) for name, tensor in _empty_network(bundle.network).state_dict().items()}
    wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
    if wrong:
        raise FlareSegError("model_invalid", f"The weights of {bundle.name} do not fit its network: {len(wrong)} names "
                                             f"or shapes differ, the first is {wrong[0][:80]}.")


def _check_sum(bundle: ModelBundle, digest: str) -> None:
    if digest != bundle.weights_sha256:
        raise FlareSegError("model_invalid", f"The weights of {bundle.name} in {bundle.folder.name} are not those that "
                                             "its model.json names (SHA-256 differs); the file is damaged or changed, "
                                             "get the model again.")


def _unreadable_weights(bundle: ModelBundle) -> FlareSegError:
    return FlareSegError("model_invalid", f"The weights of {bundle.name} cannot be read ({WEIGHTS_FILE} is missing or "
                                          "damaged); get the model again.")
