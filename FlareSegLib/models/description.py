"""The fields of `model.json`: each is checked, and a wrong one is named in the error."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import FlareSegError
from ..networks.spec import NETWORK_KINDS, UNet3DSpec, UNetSpec
from ..organs import Code, Organ
from ..preprocessing.normalisation import Normalisation

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SHA256 = re.compile(r"[0-9a-f]{64}")
LARGEST_DESCRIPTION = 4 * 2**20
#: Bounds on what a description may ask for, so that a wrong one cannot claim the machine's memory.
LARGEST_WIDTH, LARGEST_DEPTH, LARGEST_CLASSES, LARGEST_SIDE = 2048, 10, 256, 4096
LARGEST_WINDOW = 512
MOST_SLICES_SEEN = 33


def invalid(field: str, reason: str) -> FlareSegError:
    """Return the error for a wrong field of a model's description."""
    return FlareSegError("model_invalid", f"The model's description is wrong: \"{field}\" {reason}; "
                                          "get the model again or mend its model.json.")


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON file's object.

    Raises
    ------
    FlareSegError
        "model_not_found" where there is no such file, "model_invalid" where it is not a JSON object.
    """
    if not path.is_file():
        raise FlareSegError("model_not_found", f"There is no model in {path.parent}: {path.name} is missing.")
    try:
        if path.stat().st_size > LARGEST_DESCRIPTION:
            raise FlareSegError("model_invalid", f"{path} is far too large for a model's description.")
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FlareSegError("model_invalid", f"{path} is not readable as JSON; get the model again.") from error
    if not isinstance(data, dict):
        raise FlareSegError("model_invalid", f"{path} holds no JSON object; get the model again.")
    return data


def take(data: dict[str, Any], field: str, kind: type | tuple[type, ...], where: str = "") -> Any:
    """Return a field that must be there and of a kind; what encloses it, `where`, comes before its name in errors."""
    if field not in data:
        raise invalid(f"{where}{field}", "is missing")
    value = data[field]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise invalid(f"{where}{field}", f"must be {_KINDS[kind]}")
    return value


_KINDS: dict[type | tuple[type, ...], str] = {
    dict: "an object", list: "a list", str: "a text", bool: "true or false", int: "a whole number",
    (int, float): "a number"}


def _numbered(values: list[Any]) -> dict[str, Any]:
    """A list as an object whose fields are called "0", "1", ..."""
    return {str(index): value for index, value in enumerate(values)}


def text(data: dict[str, Any], field: str, where: str = "") -> str:
    """Return a text that says something."""
    value = take(data, field, str, where)
    if not value.strip():
        raise invalid(f"{where}{field}", "is empty")
    if _steers_a_terminal(value):
        raise invalid(f"{where}{field}", "holds control characters")
    return value


def _steers_a_terminal(value: str) -> bool:
    """Whether a text has control characters, or halves of letters, which no file or terminal takes."""
    return any(unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\n\t" for letter in value)


def training(data: dict[str, Any]) -> dict[str, Any]:
    """Return the provenance: any JSON data, as long as it can be shown."""
    found = take(data, "training", dict)
    if any(map(_steers_a_terminal, texts(found))):
        raise invalid("training", "holds control characters")
    return found


def texts(value: Any) -> Iterator[str]:
    """Every text and field name in JSON data; without recursion, as strangers may nest it deeply."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += (*value, *value.values())
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, str):
            yield value


def name(data: dict[str, Any]) -> str:
    """Return the model's short name: it is also a folder's name."""
    value = text(data, "name")
    if not NAME.fullmatch(value):
        raise invalid("name", "must be letters, digits, dots, underscores and hyphens, at most 64 of them")
    return value


def whole(data: dict[str, Any], field: str, least: int, most: int, where: str = "") -> int:
    """Return a whole number between bounds."""
    value = take(data, field, int, where)
    if not least <= value <= most:
        raise invalid(f"{where}{field}", f"must be between {least} and {most}")
    return value


def number(data: dict[str, Any], field: str, where: str = "") -> float:
    """Return a number of a size that HU and millimetres can have; NaN and infinities are refused."""
    value = take(data, field, (int, float), where)
    if not -1e6 < value < 1e6:
        raise invalid(f"{where}{field}", "must be an ordinary number")
    return float(value)


def network(data: dict[str, Any]) -> UNetSpec:
    """Return the network's graph from the description's "network"."""
    kind = NETWORK_KINDS.get(text(data, "type", "network."))
    if kind is None:
        raise FlareSegError("model_invalid", "The model's description is wrong: \"network.type\" is none of "
                                             f"{', '.join(NETWORK_KINDS)}; update FlareSeg if the model is newer.")
    features = _numbered(take(data, "features", list, "network."))
    if kind is UNet3DSpec:
        along_z = {"slices": whole(data, "slices", 1, LARGEST_WINDOW, "network."),
                   "z_halvings": whole(data, "z_halvings", 0, LARGEST_DEPTH, "network.")}
    else:  # descriptions from before there were neighbours have no step
        along_z = {"slice_step": whole({"slice_step": 1, **data}, "slice_step", 1, LARGEST_WINDOW, "network.")}
    spec = kind(
        features=tuple(whole(features, level, 1, LARGEST_WIDTH, "network.features ") for level in features),
        in_channels=whole(data, "in_channels", 1, MOST_SLICES_SEEN, "network."),
        classes=take(data, "classes", int, "network."),
        head_bias=take(data, "head_bias", bool, "network."),
        up_bias=take(data, "up_bias", bool, "network."),
        **along_z,
    )
    check_network(spec)
    return spec


def check_network(spec: UNetSpec) -> None:
    """Refuse a graph that is not a network for CT or that would claim the machine's memory."""
    if not 2 <= len(spec.features) <= LARGEST_DEPTH:
        raise invalid("network.features", f"must have 2 to {LARGEST_DEPTH} widths")
    if not all(1 <= width <= LARGEST_WIDTH for width in spec.features):
        raise invalid("network.features", f"must be widths of 1 to {LARGEST_WIDTH}")
    if not 2 <= spec.classes <= LARGEST_CLASSES:
        raise invalid("network.classes", f"must be between 2 and {LARGEST_CLASSES}")
    if spec.in_channels % 2 == 0 or (spec.window and spec.in_channels > 1):
        raise invalid("network.in_channels", "must be 1, or in two dimensions an odd number of slices")
    if isinstance(spec, UNet3DSpec):
        if spec.z_halvings >= len(spec.features):
            raise invalid("network.z_halvings", "must be fewer than there are widths")
        if not 1 <= spec.slices <= LARGEST_WINDOW or spec.slices % 2**spec.z_halvings:
            raise invalid("network.slices", f"must be a multiple of {2**spec.z_halvings}, at most {LARGEST_WINDOW}")


def organs(entries: list[Any], spec: UNetSpec) -> tuple[Organ, ...]:
    """Return the organs from the description's "labels": one for each class but background, in order."""
    found = tuple(_organ(entry, f"labels[{index}]") for index, entry in enumerate(entries))
    if [organ.label for organ in found] != list(range(1, spec.classes)):
        raise invalid("labels", f"must be the labels 1 to {spec.classes - 1} in this order, as the network has them")
    if len({organ.name for organ in found}) < len(found):
        raise invalid("labels", "has a name twice")
    return found


def _organ(entry: Any, where: str) -> Organ:
    if not isinstance(entry, dict):
        raise invalid(where, "must be an object")
    where += "."
    colour = take(entry, "colour", list, where)
    if len(colour) != 3:
        raise invalid(where + "colour", "must be three numbers")
    parts = _numbered(colour)
    red, green, blue = (whole(parts, part, 0, 255, where + "colour ") for part in parts)
    modifier = entry.get("modifier")
    return Organ(
        label=whole(entry, "label", 1, LARGEST_CLASSES - 1, where),
        name=text(entry, "name", where),
        code=_code(take(entry, "code", dict, where), where + "code."),
        colour=(red, green, blue),
        modifier=None if modifier is None else _code(take(entry, "modifier", dict, where), where + "modifier."),
    )


def _code(data: dict[str, Any], where: str) -> Code:
    return Code(*(text(data, field, where) for field in ("scheme", "value", "meaning")))


def working_spacing(data: dict[str, Any]) -> tuple[float, float] | None:
    """Return row and column spacing in mm, or None for the CT's own."""
    if "working_spacing" in data and data["working_spacing"] is None:
        return None
    values = _numbered(take(data, "working_spacing", list))
    spacing = tuple(number(values, axis, "working_spacing ") for axis in values)
    if len(spacing) != 2 or min(spacing) <= 0:
        raise invalid("working_spacing", "must be null or two positive numbers, row and column spacing in mm")
    return spacing


def grid(data: dict[str, Any], spec: UNetSpec) -> tuple[int, int]:
    """Return rows and columns, multiples of the network's divisor."""
    values = _numbered(take(data, "grid", list))
    sides = tuple(whole(values, axis, 1, LARGEST_SIDE, "grid ") for axis in values)
    if len(sides) != 2 or any(side % spec.divisor for side in sides):
        raise invalid("grid", f"must be rows and columns, both multiples of {spec.divisor}")
    return sides


def normalisation(data: dict[str, Any]) -> Normalisation:
    """Return the HU constants."""
    constants = Normalisation(*(number(data, field, "normalisation.") for field in ("lower", "upper", "mean", "sd")))
    if constants.lower >= constants.upper:
        raise invalid("normalisation.upper", "must be above \"lower\"")
    if constants.sd <= 0:
        raise invalid("normalisation.sd", "must be positive")
    return constants
