"""Which widget takes which type of parameter, after Slicer's table (developer guide, "Parameter nodes").

As in Slicer the widget's class counts exactly: a ctkComboBox is no QComboBox.
"""

from __future__ import annotations

import enum
import pathlib
from collections.abc import Callable
from dataclasses import dataclass

import ctk
import qt
import slicer

from .parameter_types import Choice, Decimals, Maximum, Minimum, SingleStep, ValueType, WithinRange

NO_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class Connector:
    """How to read and write a widget's value; `signal` tells of changes."""

    read: Callable[[], object]
    write: Callable[[object], None]
    signal: object


def connector(widget, value_type: ValueType) -> Connector:
    """Return the way between a widget and a parameter; raise RuntimeError where Slicer has none."""
    for fits, make in CONNECTORS:
        if fits(type(widget), value_type.type):
            return make(widget, value_type)
    raise RuntimeError(f"Unable to create GUI connector from datatype '{value_type.type}' to widget type "
                       f"'{type(widget).__name__}'")


def _attribute(widget, name: str, signal: str) -> Connector:
    return Connector(lambda: getattr(widget, name), lambda value: setattr(widget, name, value),
                     getattr(widget, signal))


def _button(widget, value_type: ValueType) -> Connector:
    widget.checkable = True
    return _attribute(widget, "checked", "toggled")


def _number(widget, value_type: ValueType) -> Connector:
    """Sliders want limits, spin boxes take all numbers by default."""
    within, least, most = (value_type.annotation(kind) for kind in (WithinRange, Minimum, Maximum))
    low, high = (within.minimum, within.maximum) if within else (least and least.minimum, most and most.maximum)
    if type(widget) in (qt.QSlider, ctk.ctkSliderWidget) and None in (low, high):
        raise RuntimeError(f"{type(widget).__name__} needs a parameter with limits (WithinRange)")
    for annotation, setter in ((Decimals, "setDecimals"), (SingleStep, "setSingleStep")):
        if value_type.annotation(annotation):
            getattr(widget, setter)(value_type.annotation(annotation).value)
    widget.setRange(-NO_LIMIT if low is None else low, NO_LIMIT if high is None else high)
    return _attribute(widget, "value", "valueChanged")


def _choices(widget, items: list, labels: list[str]) -> Connector:
    widget.clear()
    widget.addItems(labels)
    return Connector(lambda: items[widget.currentIndex],
                     lambda value: setattr(widget, "currentIndex", items.index(value)), widget.currentIndexChanged)


def _enumeration(widget, value_type: ValueType) -> Connector:
    members = list(value_type.type)
    return _choices(widget, members, [each.label() if hasattr(each, "label") else each.name for each in members])


def _choice(widget, value_type: ValueType) -> Connector:
    choice = value_type.annotation(Choice)
    if choice is None:
        raise RuntimeError("a QComboBox needs a parameter with the Choice annotation, or an enum")
    return _choices(widget, list(choice.choices), [str(each) for each in choice.choices])


def _text_edit(widget, value_type: ValueType) -> Connector:
    def write(text):
        if text != widget.toPlainText():  # the cursor stays where it is
            widget.setPlainText(text)
    return Connector(widget.toPlainText, write, widget.textChanged)


def _path(widget, value_type: ValueType) -> Connector:
    return Connector(lambda: value_type.type(widget.currentPath),
                     lambda value: setattr(widget, "currentPath", str(value)), widget.currentPathChanged)


def _node(widget, value_type: ValueType) -> Connector:
    return Connector(widget.currentNode, widget.setCurrentNode, widget.currentNodeChanged)


def _is(kinds, base):
    return lambda widget, kind: widget in kinds and isinstance(kind, type) and issubclass(kind, base)


def _is_exactly(kinds, allowed):
    return lambda widget, kind: widget in kinds and kind in allowed


CONNECTORS = (
    (_is_exactly((qt.QCheckBox,), (bool,)), lambda widget, _: _attribute(widget, "checked", "toggled")),
    (_is_exactly((qt.QPushButton,), (bool,)), _button),
    (_is_exactly((qt.QSlider, qt.QSpinBox), (int,)), _number),
    (_is_exactly((qt.QDoubleSpinBox, ctk.ctkSliderWidget), (float,)), _number),
    (_is_exactly((qt.QComboBox,), (int, float, str, bool)), _choice),
    (_is((qt.QComboBox,), enum.Enum), _enumeration),
    (_is_exactly((qt.QLineEdit,), (str,)), lambda widget, _: _attribute(widget, "text", "textChanged")),
    (_is_exactly((qt.QTextEdit,), (str,)), _text_edit),
    (_is((ctk.ctkPathLineEdit,), pathlib.PurePath), _path),
    (_is((slicer.qMRMLNodeComboBox,), slicer.vtkMRMLNode), _node),
)
