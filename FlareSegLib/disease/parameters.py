"""Typed parameters of diseases: unit, default, range and prior stand with each field; nothing else need know them.

A disease's parameters are a frozen dataclass whose fields are made with `quantity`, `choice` and `switch`. Checks,
random draws, jitter, JSON and the editor's sliders all come from those fields.

Examples
--------
>>> @dataclasses.dataclass(frozen=True)
... class Cyst:
...     diameter: float = quantity(25, 5, 120, "mm", "Diameter", usual=(10, 60))
>>> check("cyst", Cyst(500.0))
Traceback (most recent call last):
...
FlareSegLib.errors.FlareSegError: cyst: diameter is 500 mm; choose 5 to 120 mm.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import FlareSegError
from .document import shown

#: No parameter comes near it; infinities and whole numbers that no float can hold are beyond.
HUGE = 1e300


@dataclass(frozen=True)
class Quantity:
    """A number's meaning.

    Attributes
    ----------
    default : float or int or None
        None: chosen by the disease for the organ and contrast phase at hand (see `automatic`).
    low, high : float
        The range that is accepted.
    unit : str
        "mm", "HU", "ml", "°", "" for a plain number or share.
    text : str
        What a person reads beside the slider.
    usual : tuple of float
        The range that the prior draws from.
    whole : bool
        Whole numbers only.
    skewed : bool
        Small values are commoner: the prior is uniform in the logarithm.
    automatic : bool
        None is accepted.
    main : bool
        Shown at once; the others stand under "Advanced".
    """

    default: float | None
    low: float
    high: float
    unit: str
    text: str
    usual: tuple[float, float]
    whole: bool = False
    skewed: bool = False
    automatic: bool = False
    main: bool = True

    def fault(self, value: Any) -> str:
        """Why a value is refused; empty where it is not."""
        if value is None and self.automatic:
            return ""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not -HUGE < value < HUGE:
            return f"is {shown(value)}, which is no number"
        if self.whole and value != int(value):
            return f"is {value:g}, which is no whole number"
        unit = f" {self.unit}" if self.unit else ""
        if not self.low <= value <= self.high:
            return f"is {value:g}{unit}; choose {self.low:g} to {self.high:g}{unit}"
        return ""

    def sample(self, rng: np.random.Generator) -> float | int | None:
        """Draw from the prior; an automatic value stays automatic."""
        if self.automatic:
            return None
        low, high = self.usual
        if self.whole and self.skewed:
            return min(int(high), int(math.exp(rng.uniform(math.log(low), math.log(high + 1)))))
        if self.whole:
            return int(rng.integers(int(low), int(high) + 1))
        if self.skewed:
            return round(math.exp(rng.uniform(math.log(low), math.log(high))), 3)
        return round(float(rng.uniform(low, high)), 3)

    def jittered(self, value: float | None, rng: np.random.Generator, share: float) -> float | None:
        """A value near another, within the accepted range."""
        if value is None or self.whole:
            return value
        return float(np.clip(value * (1 + rng.uniform(-share, share)), self.low, self.high))


@dataclass(frozen=True)
class Choice:
    """One of several words; `text` is what a person reads beside it."""

    default: Any
    options: tuple[Any, ...]
    text: str
    main: bool = True

    def fault(self, value: Any) -> str:
        """Why a value is refused; empty where it is not."""
        if any(value is option or (type(value) is type(option) and value == option) for option in self.options):
            return ""
        return f"is {shown(value)}; choose {', '.join(map(str, self.options))}"

    def sample(self, rng: np.random.Generator) -> Any:
        """Draw with equal chances."""
        return self.options[int(rng.integers(len(self.options)))]

    def jittered(self, value: Any, rng: np.random.Generator, share: float) -> Any:
        """Words have no neighbours: the same."""
        return value


def quantity(default: float | None, low: float, high: float, unit: str, text: str,
             usual: tuple[float, float] | None = None, **more: Any) -> Any:
    """A dataclass field for a number, see `Quantity`; `usual` is the whole range where it is left out."""
    meaning = Quantity(default, low, high, unit, text, usual or (low, high), automatic=default is None, **more)
    return dataclasses.field(default=default, metadata={"meaning": meaning})


def choice(default: Any, options: Iterable[Any], text: str, **more: Any) -> Any:
    """A dataclass field for one of several words, see `Choice`."""
    return dataclasses.field(default=default, metadata={"meaning": Choice(default, tuple(options), text, **more)})


def switch(default: bool, text: str, **more: Any) -> Any:
    """A dataclass field for yes or no."""
    return choice(default, (False, True), text, **more)


def meanings(kind: type) -> dict[str, Quantity | Choice]:
    """The fields of a parameter dataclass by name, in order."""
    return {field.name: field.metadata["meaning"] for field in dataclasses.fields(kind)}


def check(disease: str, parameters: Any) -> None:
    """Refuse parameters out of range.

    Raises
    ------
    FlareSegError
        "bad_disease_parameter", which names the parameter and its range.
    """
    for name, meaning in meanings(type(parameters)).items():
        fault = meaning.fault(getattr(parameters, name))
        if fault:
            raise FlareSegError("bad_disease_parameter", f"{disease}: {name} {fault}.")


def sample(kind: type, rng: np.random.Generator) -> Any:
    """Draw all parameters from their priors."""
    return kind(**{name: meaning.sample(rng) for name, meaning in meanings(kind).items()})


def jittered(parameters: Any, rng: np.random.Generator, share: float = 0.2) -> Any:
    """Parameters near others: every number within ± `share`, kept in range."""
    return type(parameters)(**{name: meaning.jittered(getattr(parameters, name), rng, share)
                               for name, meaning in meanings(type(parameters)).items()})


def from_json(disease: str, kind: type, data: Any) -> Any:
    """Parameters from a JSON object; what is left out has its default.

    Raises
    ------
    FlareSegError
        "bad_disease_parameter" for names that the disease does not have and values out of range.
    """
    known = meanings(kind)
    if not isinstance(data, dict):
        raise FlareSegError("bad_disease_parameter", f"{disease}: the parameters are {shown(data)}, no object.")
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise FlareSegError("bad_disease_parameter", f"{disease}: there is no parameter {shown(unknown[0])}; "
                                                     f"it has {', '.join(known) or 'none'}.")
    parameters = kind(**data)
    check(disease, parameters)
    return parameters
