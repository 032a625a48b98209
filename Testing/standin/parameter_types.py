"""What a parameter may be: annotations, validators, and how values are written into a vtkMRMLScriptedModuleNode.

The text form of values is that of Slicer (developer guide, "Parameter nodes"): str() of numbers and paths, "True" and
"False", names of enum members, node references, ``pack.member`` for packs. Lists and dicts are JSON here.
"""

from __future__ import annotations

import enum
import json
import pathlib
import types
import typing
from dataclasses import dataclass

import slicer


class Validator:
    """Base class of the annotations that check a value."""

    def validate(self, value) -> None:
        raise NotImplementedError


class NotNone(Validator):
    def validate(self, value) -> None:
        if value is None:
            raise ValueError("Value must not be None")


@dataclass
class IsInstance(Validator):
    classtype: type | tuple[type, ...]

    def validate(self, value) -> None:
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"Value must be of type '{self.classtype}', is {value!r}")


@dataclass
class WithinRange(Validator):
    minimum: float
    maximum: float

    def validate(self, value) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


@dataclass
class Minimum(Validator):
    minimum: float

    def validate(self, value) -> None:
        if value < self.minimum:
            raise ValueError(f"Value must be at least {self.minimum}, is {value}")


@dataclass
class Maximum(Validator):
    maximum: float

    def validate(self, value) -> None:
        if value > self.maximum:
            raise ValueError(f"Value must be at most {self.maximum}, is {value}")


@dataclass
class Choice(Validator):
    choices: typing.Sequence

    def validate(self, value) -> None:
        if value not in self.choices:
            raise ValueError(f"Value is {value!r}, but must be one of {self.choices}")


@dataclass
class Exclude(Validator):
    excludedValues: typing.Sequence

    def validate(self, value) -> None:
        if value in self.excludedValues:
            raise ValueError(f"Value is {value!r}, one of the excluded {self.excludedValues}")


@dataclass
class Default:
    """Annotation: the value of a parameter that has not been set."""

    value: object


@dataclass
class Decimals:
    """Annotation for a spin box or slider."""

    value: int


@dataclass
class SingleStep:
    """Annotation for a spin box or slider."""

    value: float


@dataclass(frozen=True)
class ValueType:
    """A Python type, its annotations and its text form.

    Attributes
    ----------
    type : type
        Without annotations and without None.
    annotations : tuple
        What stood in ``Annotated[...]``.
    """

    type: type
    annotations: tuple = ()

    def annotation(self, kind: type):
        """The first annotation of this kind, or None."""
        return next((each for each in self.annotations if isinstance(each, kind)), None)

    @property
    def is_node(self) -> bool:
        return isinstance(self.type, type) and issubclass(self.type, slicer.vtkMRMLNode)

    @property
    def is_pack(self) -> bool:
        return hasattr(self.type, "allPackParameters")

    def default(self):
        """The value where neither the class nor an annotation names one."""
        if self.annotation(Default):
            return self.annotation(Default).value
        if self.is_node:
            return None
        return next(iter(self.type)) if issubclass(self.type, enum.Enum) else _plain(self.type)()

    def validate(self, value) -> None:
        """Raise ValueError or TypeError for a value that the parameter must not have."""
        allowed = (int, float) if self.type is float else _plain(self.type)
        if not self.is_node:
            NotNone().validate(value)
        IsInstance(allowed).validate(value)
        for each in self.annotations:
            if isinstance(each, Validator):
                each.validate(value)

    def write(self, node, name: str, value) -> None:
        self.validate(value)
        if self.is_node:
            # Like Slicer: an empty parameter says that the reference, perhaps to nothing, has been set.
            node.SetParameter(name, "")
            node.SetNodeReferenceID(name, value.GetID() if value is not None else None)
        else:
            node.SetParameter(name, self._text(value))

    def read(self, node, name: str):
        return node.GetNodeReference(name) if self.is_node else self._parsed(node.GetParameter(name))

    def _text(self, value) -> str:
        if isinstance(value, enum.Enum):
            return value.name
        return json.dumps(value) if isinstance(value, (list, dict)) else str(value)

    def _parsed(self, text: str):
        if self.type is bool:
            return text == "True"
        if _plain(self.type) in (list, dict):
            return json.loads(text)
        return self.type[text] if issubclass(self.type, enum.Enum) else self.type(text)


def value_type(hint) -> ValueType:
    """Return the type of a parameter from its annotation in the class; raise TypeError for what is not emulated."""
    annotations: tuple = ()
    if typing.get_origin(hint) is typing.Annotated:
        hint, *annotations = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        members = [each for each in typing.get_args(hint) if each is not type(None)]
        if len(members) != 1:
            raise TypeError(f"the stand-in knows no unions such as {hint}")
        hint = members[0]
    found = ValueType(hint, tuple(annotations))
    plain = _plain(hint)
    known = plain in (bool, int, float, str, list, dict) or found.is_node or found.is_pack or (
        isinstance(plain, type) and issubclass(plain, (enum.Enum, pathlib.PurePath)))
    unused = [each for each in annotations if not isinstance(each, (Validator, Default, Decimals, SingleStep))]
    if not known or unused:
        raise TypeError(f"the stand-in knows no parameter type {hint} with annotations {unused}")
    return found


def _plain(hint) -> type:
    """``list`` for ``list[str]``."""
    return typing.get_origin(hint) or hint
