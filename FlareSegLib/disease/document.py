"""Strict reading of small JSON documents (recipes, mixes) that may come from anybody: every field typed and bounded."""

from __future__ import annotations

import json
import math
import unicodedata
from pathlib import Path
from typing import Any, Literal, NoReturn, overload

from ..errors import FlareSegError

#: No recipe of `MOST_ITEMS` operations comes near it.
LARGEST_BYTES = 4 * 1024**2
LONGEST_TEXT = 200
LONGEST_SHOWN = 60
MOST_ITEMS = 500
_NONE_GIVEN = object()


def read_document(path: str | Path) -> Any:
    """Read a JSON file of at most `LARGEST_BYTES`.

    Raises
    ------
    FlareSegError
        "not_found", "unreadable", "bad_recipe" for what is too large or no JSON.
    """
    path = Path(path)
    if not path.is_file():
        raise FlareSegError("not_found", f"{path} does not exist; check the path.")
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise FlareSegError("unreadable", f"{path} cannot be read ({error.strerror}).") from error
    if len(data) > LARGEST_BYTES:
        raise FlareSegError("bad_recipe", f"{path} is larger than {LARGEST_BYTES // 1024**2} MB; it is no recipe.")
    try:
        return json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise FlareSegError("bad_recipe", f"{path} is no JSON document: look at line {error.lineno}, column "
                                          f"{error.colno} ({error.msg}).") from error
    except (ValueError, RecursionError) as error:
        raise FlareSegError("bad_recipe", f"{path} is no JSON document; give one that FlareSeg wrote.") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def shown(value: Any) -> str:
    """A stranger's value for a message: without control characters, and of long ones only the beginning.

    Examples
    --------
    >>> shown("\x1b[31m"), shown(10**400)[:12], shown([[1]])
    ("'\\x1b[31m'", '100000000000', 'a list')
    """
    text = repr(value) if isinstance(value, (str, int, float, bool, type(None))) else f"a {type(value).__name__}"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN - 3]}…"


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)


def whole_text(document: Any) -> str:
    """The document as text, always the same for the same content."""
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


class Fields:
    """A JSON object that is read field by field; each refusal names the field.

    Parameters
    ----------
    data : object
        What was read.
    where : str
        What to call it in messages: "recipe", "recipe: operations[2]".

    Raises
    ------
    FlareSegError
        All methods: "bad_recipe".

    Examples
    --------
    >>> Fields({"seed": -1}, "recipe").whole("seed", 0, 9)
    Traceback (most recent call last):
    ...
    FlareSegLib.errors.FlareSegError: recipe: seed is -1; it must be a whole number from 0 to 9.
    """

    def __init__(self, data: Any, where: str) -> None:
        self.where, self._data = where, data
        self._read: set[str] = set()
        if not isinstance(data, dict):
            self.refuse("", data, "an object with named fields")

    def refuse(self, name: str, value: Any, wanted: str) -> NoReturn:
        """Say what is wrong with a field; of long values only the beginning."""
        place = self._inner(name) if name else self.where
        raise FlareSegError("bad_recipe", f"{place} is {shown(value)}; it must be {wanted}.")

    def value(self, name: str, wanted: str, default: Any = _NONE_GIVEN) -> Any:
        """A field as it is."""
        self._read.add(name)
        if name in self._data:
            return self._data[name]
        if default is not _NONE_GIVEN:
            return default
        raise FlareSegError("bad_recipe", f"{self._inner(name)} is missing; it must be {wanted}.")

    def text(self, name: str, default: Any = _NONE_GIVEN, longest: int = LONGEST_TEXT) -> str:
        """A text of bounded length, without control characters and halves of letters, which no file takes."""
        wanted = f"a text of at most {longest} characters"
        value = self.value(name, wanted, default)
        if not isinstance(value, str) or len(value) > longest or _has_controls(value):
            self.refuse(name, value, wanted)
        return value

    def whole(self, name: str, low: int, high: int, default: Any = _NONE_GIVEN) -> int:
        """A whole number in a range."""
        wanted = f"a whole number from {low} to {high}"
        value = self.value(name, wanted, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(name, value, wanted)
        return value

    @overload
    def number(self, name: str, low: float = ..., high: float = ..., default: Any = ...,
               optional: Literal[False] = ...) -> float: ...

    @overload
    def number(self, name: str, low: float = ..., high: float = ..., default: Any = ..., *,
               optional: bool) -> float | None: ...

    def number(self, name: str, low: float = -1e9, high: float = 1e9, default: Any = _NONE_GIVEN,
               optional: bool = False) -> float | None:
        """A number in a range; None where that is accepted."""
        wanted = f"a number from {low:g} to {high:g}" + (" or null" if optional else "")
        value = self.value(name, wanted, default)
        if value is None and optional:
            return None
        if not _is_number(value) or not low <= value <= high:
            self.refuse(name, value, wanted)
        return float(value)

    @overload
    def numbers(self, name: str, count: int, low: float = ..., high: float = ...,
                optional: Literal[False] = ...) -> tuple[float, ...]: ...

    @overload
    def numbers(self, name: str, count: int, low: float = ..., high: float = ..., *,
                optional: bool) -> tuple[float, ...] | None: ...

    def numbers(self, name: str, count: int, low: float = -1e9, high: float = 1e9,
                optional: bool = False) -> tuple[float, ...] | None:
        """A list of so many numbers."""
        wanted = f"a list of {count} numbers from {low:g} to {high:g}" + (" or null" if optional else "")
        values = self.value(name, wanted)
        if values is None and optional:
            return None
        if not isinstance(values, list) or len(values) != count or not all(map(_is_number, values)):
            self.refuse(name, values, wanted)
        if not all(low <= value <= high for value in values):
            self.refuse(name, values, wanted)
        return tuple(map(float, values))

    def fields(self, name: str, default: Any = _NONE_GIVEN) -> Fields:
        """An object in the object."""
        return Fields(self.value(name, "an object", default), self._inner(name))

    def objects(self, name: str, most: int = MOST_ITEMS, default: Any = _NONE_GIVEN) -> list[Fields]:
        """A list of at most so many objects."""
        wanted = f"a list of at most {most} objects"
        values = self.value(name, wanted, default)
        if not isinstance(values, list) or len(values) > most:
            self.refuse(name, values, wanted)
        return [Fields(value, self._inner(f"{name}[{number}]")) for number, value in enumerate(values)]

    def names(self) -> list[str]:
        """The fields that are there."""
        return list(self._data)

    def close(self) -> None:
        """Refuse fields that nobody asked for."""
        unknown = sorted(set(self._data) - self._read)
        if unknown:
            raise FlareSegError("bad_recipe", f"{self.where}: there is no field {shown(unknown[0])}; it has "
                                              f"{', '.join(sorted(self._read))}.")

    def _inner(self, name: str) -> str:
        return f"{self.where}.{name}" if ":" in self.where else f"{self.where}: {name}"


def _is_number(value: Any) -> bool:
    """Also refuses whole numbers beyond a float's range."""
    return not isinstance(value, bool) and (isinstance(value, float) and math.isfinite(value)
                                            or isinstance(value, int) and abs(value) < 2**63)


def check_format(fields: Fields, name: str, version: int) -> None:
    """Refuse a document of another kind or of a version that this program does not know."""
    found = fields.value("format", repr(name))
    if found != name:
        fields.refuse("format", found, repr(name))
    number = fields.whole("version", 0, 10**6)
    if number != version:
        raise FlareSegError("bad_recipe", f"{fields.where}: version is {number}; this program reads version {version}. "
                                          "Update FlareSeg.")
