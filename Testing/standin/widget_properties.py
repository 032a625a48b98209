"""Qt properties of the stand-in widgets: known to Qt, to the .ui loader and, with their setters, to Python."""

from __future__ import annotations

from collections.abc import Callable

from PySide6 import QtCore

from .qt_semantics import CONVERSIONS, converted_value

#: Python type: the type that Qt's meta object names.
TYPES = {bool: bool, int: int, float: float, str: str, list: "QVariantList", object: "QVariant"}


def computed(kind: type, read: Callable, write: Callable) -> QtCore.Property:
    """Return a property that is read from and written to something else."""
    conversion = kind if kind in CONVERSIONS.values() else None
    return QtCore.Property(TYPES[kind], read, lambda self, value: write(self, converted_value(value, conversion, "")))


def stored(name: str, kind: type, default, after: Callable | None = None) -> tuple[QtCore.Property, Callable]:
    """Return a property and its setter, for a class body.

    ``collapsed, setCollapsed = stored("collapsed", bool, False)``.
    `after(self)` runs when the value has changed.
    """
    key = f"_property_{name}"
    conversion = kind if kind in CONVERSIONS.values() else None

    def read(self):
        return self.__dict__.get(key, default)

    def write(self, value):
        value = converted_value(value, conversion, f"{type(self).__name__}.{name}")
        if value != read(self):
            self.__dict__[key] = value
            if after is not None:
                after(self)

    return QtCore.Property(TYPES[kind], read, write), write
