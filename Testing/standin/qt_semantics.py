"""The module `qt` as PythonQt presents it, on top of PySide6, whose classes are changed in place.

PythonQt's rules, as observed on PythonQt 4.1 (github.com/MeVisLab/pythonqt) built with Qt 5.15:

* a Qt property is an attribute: ``button.text`` is the text, ``button.text()`` an error;
* assigning an attribute that a C++ object does not have is an error, unless it is a dynamic property;
* enum values are attributes of the class and of its objects, and equal to ints;
* all of Qt lies in one flat module; objects have ``name``, ``className()``, ``delete()``, dialogs ``exec_()``.

Known differences: ``isinstance(button, qt.QWidget)`` is true here and false there, `sizeHint` and `minimumSizeHint`
are methods here and properties there. Neither belongs into a module.
"""

from __future__ import annotations

import enum
import inspect
import types

from PySide6 import QtCore, QtGui, QtNetwork, QtUiTools, QtWidgets

from . import qt_signals

QObject = QtCore.QObject
MODULES = (QtCore, QtGui, QtWidgets, QtNetwork, QtUiTools)
#: Virtual methods that must stay methods; QTimer.singleShot is the static method, as in PythonQt.
KEPT_METHODS = {"sizeHint", "minimumSizeHint", "singleShot"}
CONVERSIONS = {"bool": bool, "int": int, "double": float, "QString": str}
OWN_PACKAGE = __name__.rpartition(".")[0] + "."


class QtProperty(property):
    """A Qt property on objects; on the class the static method of the same name, where there is one.

    ``qt.QCoreApplication.applicationName()`` and ``slicer.app.applicationName`` are both right.
    """

    def __init__(self, read, write, original):
        super().__init__(read, write)
        self._original = original

    def __get__(self, instance, owner=None):
        if instance is None and self._original is not None:
            return self._original
        return super().__get__(instance, owner)


def build_qt() -> types.ModuleType:
    """Return the module; call it once a process."""
    qt = types.ModuleType("qt", "Stand-in: PySide6 with PythonQt's semantics.")
    for module in MODULES:
        for name in dir(module):  # PySide6 creates its classes when they are asked for
            if name.startswith("Q"):
                setattr(qt, name, getattr(module, name))
    changed: set[type] = set()
    for value in list(vars(qt).values()):
        if isinstance(value, type):
            _lift_enums(value)
            if issubclass(value, QObject):
                _change_class(value, changed)
    for cls in changed:
        _change_attribute_access(cls)
    QObject.name = property(lambda self: self.objectName, lambda self, name: self.setObjectName(name))
    QObject.className = lambda self: self.metaObject().className()
    QObject.delete = lambda self: self.deleteLater()
    for cls in (QtWidgets.QDialog, QtWidgets.QMenu, QtCore.QCoreApplication, QtCore.QEventLoop):
        cls.exec_ = cls.exec
    qt.Signal, qt.Slot, qt.Property = QtCore.Signal, QtCore.Slot, QtCore.Property
    return qt


def _lift_enums(cls: type) -> None:
    for value in list(vars(cls).values()):
        if isinstance(value, type) and issubclass(value, enum.Enum):
            for name, member in value.__members__.items():
                if name not in vars(cls):
                    setattr(cls, name, member)


def _change_class(cls: type, changed: set[type]) -> None:
    """Make the properties that a class declares itself Python properties; base classes first."""
    if cls in changed:
        return
    changed.add(cls)
    for base in cls.__bases__:
        if issubclass(base, QObject):
            _change_class(base, changed)
    meta = cls.staticMetaObject
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        name = meta.property(index).name()
        if name not in KEPT_METHODS and not isinstance(inspect.getattr_static(cls, name, None), property):
            setattr(cls, name, _property(cls, name, meta.property(index).typeName()))


def _property(cls: type, name: str, type_name: str) -> QtProperty:
    capitalised = name[0].upper() + name[1:]
    getter = _method(cls, "is" + capitalised) or _method(cls, name)
    setter = _method(cls, "set" + capitalised)
    conversion = CONVERSIONS.get(type_name)

    def read(self):
        return getter(self) if getter is not None else QObject.property(self, name)

    def write(self, value):
        converted = converted_value(value, conversion, f"{type(self).__name__}.{name}")
        if setter is not None:
            setter(self, converted)
        elif not QObject.setProperty(self, name, converted):
            raise AttributeError(f"property '{name}' of {type(self).__name__} cannot be written")

    return QtProperty(read, write, getattr(cls, name, None))


def _method(cls: type, name: str):
    """The method of this name; None where there is none, or a static one (QCoreApplication.applicationName)."""
    static = isinstance(inspect.getattr_static(cls, name, None), (staticmethod, types.BuiltinFunctionType))
    found = getattr(cls, name, None)
    return found if callable(found) and not static else None


def converted_value(value, conversion: type | None, where: str):
    """Convert as PythonQt does when a property is set: numbers and truth values freely, text into numbers never."""
    if conversion is None or isinstance(value, conversion):
        return value
    if conversion in (int, float) and not isinstance(value, (int, float)):
        raise AttributeError(f"property {where}: {value!r} cannot be converted to {conversion.__name__}")
    return conversion(value)


def _change_attribute_access(cls: type) -> None:
    if "__getattribute__" in vars(cls):
        cls.__getattribute__ = _reading(vars(cls)["__getattribute__"])
    if "__setattr__" in vars(cls):
        cls.__setattr__ = _writing()


def _reading(original):
    def __getattribute__(self, name):
        if name == "connect":  # the class's own __getattribute__ hides what is set on the class
            return types.MethodType(qt_signals.connect, self)
        if name == "disconnect":
            return types.MethodType(qt_signals.disconnect, self)
        try:
            return original(self, name)
        except AttributeError:
            if not name.startswith("_") and name in _dynamic_properties(self):
                return QObject.property(self, name)
            raise

    return __getattribute__


def _writing():
    def __setattr__(self, name, value):
        cls = type(self)
        attribute = inspect.getattr_static(cls, name, None)
        if isinstance(attribute, property):
            attribute.__set__(self, value)
        elif isinstance(attribute, QtCore.Property):
            attribute.fset(self, value)
        elif isinstance(value, QtCore.SignalInstance) or _takes_attribute(cls, name):
            self.__dict__[name] = value  # PySide6 keeps bound signals on the object
        elif attribute is not None:
            raise AttributeError(f"'{name}' of {cls.__name__} is a method and cannot be assigned")
        elif name in _dynamic_properties(self):
            QObject.setProperty(self, name, value)
        else:
            raise AttributeError(f"{cls.__name__} has no '{name}', and C++ objects get no new attributes")

    return __setattr__


def _takes_attribute(cls: type, name: str) -> bool:
    """A module's own subclass takes any; the stand-in of a C++ class keeps its inner state; Qt's classes take none."""
    return not cls.__module__.startswith("PySide6.") and (name[0] == "_" or not cls.__module__.startswith(OWN_PACKAGE))


def _dynamic_properties(instance) -> list[str]:
    return [bytes(name).decode() for name in QObject.dynamicPropertyNames(instance)]
