"""qt.QUiLoader that refuses what it does not know: widgets, properties, enum values, signals, slots, buddies."""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ElementTree
from collections import Counter

from PySide6 import QtCore, QtUiTools, QtWidgets

#: In .ui files but no Qt properties: QFormBuilder treats them itself.
BUILDER_PROPERTIES = {"QLabel": {"buddy"}, "QTabWidget": {"currentTabText"}, "Line": {"orientation"}}
MARGINS = {"margin", "leftMargin", "topMargin", "rightMargin", "bottomMargin"}
LAYOUT_PROPERTIES = {"QGridLayout": {"horizontalSpacing", "verticalSpacing"}}
#: Element of a value in a .ui file: types of the Qt properties that take it. Other elements are not checked.
VALUE_TYPES = {"bool": {"bool"}, "number": {"int", "double", "uint", "qlonglong"}, "double": {"double", "float"},
               "string": {"QString", "QKeySequence", "QUrl", "QVariant"},
               "stringlist": {"QStringList", "QVariantList"}}


class UiError(RuntimeError):
    """The .ui file asks for something that is not there."""


def loader_class(standins: tuple[type, ...]) -> type:
    """Return the class that takes QUiLoader's place; `standins` are the widgets written in Python."""
    classes = {cls.__name__: cls for cls in standins}
    for cls in standins:
        _qt_properties(cls)

    class QUiLoader(QtUiTools.QUiLoader):
        """The loader that slicer.util.loadUI uses."""

        def createWidget(self, class_name, parent=None, name=""):
            if class_name not in classes:
                return super().createWidget(class_name, parent, name)
            widget = classes[class_name](parent)
            widget.setObjectName(name)
            return widget

        def load(self, device, parent=None):
            root = ElementTree.fromstring(bytes(device.readAll()))
            _check(root, classes)
            assignments = _take_standin_properties(root, classes)
            connections = _take_connections(root)
            buffer = QtCore.QBuffer()
            buffer.setData(ElementTree.tostring(root))
            buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
            widget = super().load(buffer, parent)
            if widget is None:
                raise UiError(self.errorString())
            for name, attribute, value in assignments:
                setattr(_named(widget, name), attribute, _value(value, type(_named(widget, name))))
            for sender, signal, receiver, slot in connections:
                _connect(_named(widget, sender), signal, _named(widget, receiver), slot)
            return widget

    return QUiLoader


def _check(root, classes) -> None:
    names = Counter(widget.get("name") for widget in root.iter("widget"))
    repeated = [name for name, count in names.items() if count > 1]
    if repeated:
        raise UiError(f"several widgets are named {', '.join(map(repr, repeated))}")
    for widget in root.iter("widget"):
        cls = _class_of(widget.get("class"), classes)
        for each in widget.findall("property"):
            if each.get("stdset") == "0" or each.get("name") in BUILDER_PROPERTIES.get(widget.get("class"), ()):
                continue
            _check_property(cls, each, widget.get("name"))
        buddy = widget.findtext("property[@name='buddy']/cstring")
        if buddy is not None and buddy not in names:
            raise UiError(f"the buddy '{buddy}' of '{widget.get('name')}' does not exist")
    for layout in root.iter("layout"):
        cls = _class_of(layout.get("class"), classes)
        known = MARGINS | LAYOUT_PROPERTIES.get(layout.get("class"), set())
        for each in layout.findall("property"):
            if each.get("name") not in known:
                _check_property(cls, each, layout.get("name"))


def _class_of(name: str, classes) -> type:
    cls = classes.get(name) or getattr(QtWidgets, "QFrame" if name == "Line" else name, None)
    if cls is None:
        raise UiError(f"there is no widget class '{name}'; if Slicer has it, it wants a stand-in in Testing/standin")
    return cls


def _check_property(cls: type, element, where: str) -> None:
    name, value = element.get("name"), element[0]
    if name not in _qt_properties(cls):
        raise UiError(f"'{where}': {cls.__name__} has no property '{name}'")
    type_name, enum_keys = _qt_properties(cls)[name]
    keys = {key.rpartition("::")[2] for key in (value.text or "").split("|")}
    if enum_keys:
        valid = value.tag in ("enum", "set") and keys <= enum_keys
    elif value.tag in ("enum", "set"):
        valid = all(hasattr(cls, key) for key in keys)
    else:
        valid = type_name in VALUE_TYPES.get(value.tag, {type_name})
    if not valid:
        raise UiError(f"'{where}': property '{name}' of {cls.__name__} does not take {value.tag} '{value.text}'")


@functools.cache
def _qt_properties(cls: type) -> dict[str, tuple[str, frozenset[str]]]:
    """Type and, for an enum, the keys of each property of a class.

    Asked once a class: PySide6 drops the meta object of a Python class now and then.
    """
    meta = cls.staticMetaObject
    return {each.name(): (each.typeName(), _keys(each)) for each in map(meta.property, range(meta.propertyCount()))}


def _keys(found) -> frozenset[str]:
    if not found.isEnumType():
        return frozenset()
    enumerator = found.enumerator()
    return frozenset(enumerator.key(index) for index in range(enumerator.keyCount()))


def _take_standin_properties(root, classes) -> list[tuple]:
    """Take out the properties that are declared in Python; return (widget, property, element of the value)."""
    taken = []
    for widget in root.iter("widget"):
        cls = classes.get(widget.get("class"))
        for each in list(widget.findall("property")) if cls else []:
            if each.get("stdset") != "0" and isinstance(getattr(cls, each.get("name"), None), QtCore.Property):
                taken.append((widget.get("name"), each.get("name"), each[0]))
                widget.remove(each)
    return taken


def _take_connections(root) -> list[tuple]:
    connections = root.find("connections")
    if connections is None:
        return []
    root.remove(connections)
    return [tuple(each.findtext(key) for key in ("sender", "signal", "receiver", "slot")) for each in connections]


def _named(root, name: str):
    widget = root if root.objectName == name else root.findChild(QtCore.QObject, name)
    if widget is None:
        raise UiError(f"there is no widget '{name}'")
    return widget


def _connect(sender, signal: str, receiver, slot: str) -> None:
    function = getattr(receiver, slot.partition("(")[0], None)
    if not callable(function):
        raise UiError(f"{type(receiver).__name__} has no slot '{slot}'")
    sender.connect(signal, function)


def _value(element, cls: type):
    text = element.text or ""
    if element.tag == "bool":
        return text == "true"
    if element.tag == "number":
        return int(text)
    if element.tag == "double":
        return float(text)
    if element.tag == "stringlist":
        return [each.text or "" for each in element.findall("string")]
    if element.tag in ("enum", "set"):
        return sum(getattr(cls, key.rpartition("::")[2]) for key in text.split("|"))
    return text
