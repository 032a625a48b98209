"""slicer.parameterNodeWrapper: typed attributes over a vtkMRMLScriptedModuleNode, connected to widgets.

The values live in the node, so that they are saved, loaded and observed as in Slicer.
"""

from __future__ import annotations

import types
import typing

import qt
import slicer
import vtk

from . import parameter_types
from .parameter_gui import connector
from .parameter_types import ValueType, value_type

PARAMETER_NAME = "SlicerParameterName"
#: Methods of the node that a wrapper has, too.
FORWARDED = ("StartModify", "EndModify", "AddObserver", "RemoveObserver", "Modified")


class _Parameter:
    """An attribute of a wrapper or of a pack."""

    def __init__(self, name: str, hint, owner: type):
        self.name = name
        self.value_type: ValueType = value_type(hint)
        self.given_default = vars(owner).get(name)

    def default(self):
        return self.value_type.default() if self.given_default is None else self.given_default

    def __get__(self, instance, owner=None):
        return self if instance is None else instance._read(self)

    def __set__(self, instance, value):
        instance._write(self, value)


def _parameters(cls: type) -> dict[str, _Parameter]:
    found = {name: _Parameter(name, hint, cls) for name, hint in typing.get_type_hints(cls,
                                                                                       include_extras=True).items()}
    for name, parameter in found.items():
        setattr(cls, name, parameter)
    return found


class _DottedNames:
    """``getValue("pack.member")`` and its like."""

    def _parameter(self, name: str) -> _Parameter:
        known = self.allParameters
        if name not in known:
            raise ValueError(f"Cannot find a param with the given name: {name}; there are {', '.join(known)}")
        return known[name]

    def getValue(self, name: str):
        head, _, rest = name.partition(".")
        value = getattr(self, self._parameter(head).name)
        return value.getValue(rest) if rest else value

    def setValue(self, name: str, value) -> None:
        head, _, rest = name.partition(".")
        if rest:
            getattr(self, self._parameter(head).name).setValue(rest, value)
        else:
            setattr(self, self._parameter(head).name, value)

    def _type_of(self, name: str) -> ValueType:
        head, _, rest = name.partition(".")
        found = self._parameter(head).value_type
        return found.type()._type_of(rest) if rest else found


class _Pack(_DottedNames):
    """What `parameterPack` makes of a class: values of its own, or a view on a node."""

    _place = None

    def __init__(self, **values):
        self._values = {name: parameter.default() for name, parameter in self.allPackParameters.items()}
        for name, value in values.items():
            setattr(self, self._parameter(name).name, value)

    @property
    def allParameters(self):
        return self.allPackParameters

    def _read(self, parameter):
        if self._place is None:
            return self._values[parameter.name]
        return _read(parameter, *self._place)

    def _write(self, parameter, value):
        if self._place is None:
            parameter.value_type.validate(value)
            self._values[parameter.name] = value
        else:
            _write(parameter, value, *self._place)

    def __eq__(self, other):
        return type(other) is type(self) and all(getattr(self, name) == getattr(other, name)
                                                 for name in self.allPackParameters)

    __hash__ = None


def parameterPack(cls=None):
    """Decorate a class whose annotated attributes belong together."""
    if cls is None:
        return parameterPack
    pack = type(cls.__name__, (_Pack, cls), {"__module__": cls.__module__, "__init__": _Pack.__init__})
    pack.allPackParameters = _parameters(cls)
    return pack


class _Wrapper(_DottedNames):
    """What `parameterNodeWrapper` makes of a class."""

    def __init__(self, parameterNode, prefix: str = ""):
        self.parameterNode, self._prefix = parameterNode, prefix or ""
        self._guis: dict[int, _Gui] = {}
        for parameter in self.allParameters.values():
            _write_missing(parameter, parameterNode, self._prefix, parameter.default())

    def _read(self, parameter):
        return _read(parameter, self.parameterNode, self._prefix)

    def _write(self, parameter, value):
        _write(parameter, value, self.parameterNode, self._prefix)

    def default(self, name: str):
        return parameter_types.Default(self._parameter(name).default())

    def dataType(self, name: str):
        return self._type_of(name).type

    def connectGui(self, gui) -> int:
        widgets = gui.findChildren(qt.QWidget) if hasattr(gui, "findChildren") else vars(gui).values()
        return self.connectParametersToGui(
            {each.property(PARAMETER_NAME): each for each in widgets if each.property(PARAMETER_NAME)})

    def connectParametersToGui(self, mapping: dict) -> int:
        tag = max(self._guis, default=-1) + 1
        connectors = {name: connector(widget, self._type_of(name)) for name, widget in mapping.items()}
        self._guis[tag] = _Gui(self, connectors)
        return tag

    def disconnectGui(self, tag: int) -> None:
        gui = self._guis.pop(tag, None)
        if gui is not None:
            gui.disconnect()


for _name in FORWARDED:
    setattr(_Wrapper, _name, lambda self, *arguments, _name=_name: getattr(self.parameterNode, _name)(*arguments))


def parameterNodeWrapper(cls=None):
    """Decorate a class whose annotated attributes are parameters in a node."""
    if cls is None:
        return parameterNodeWrapper
    reserved = [name for name in typing.get_type_hints(cls) if hasattr(_Wrapper, name)]
    if reserved:
        raise ValueError(f"Cannot use reserved name '{reserved[0]}' in a parameterNodeWrapper")
    wrapper = type(cls.__name__, (_Wrapper, cls), {"__module__": cls.__module__, "__doc__": cls.__doc__,
                                                   "__init__": _Wrapper.__init__})
    wrapper.allParameters = _parameters(cls)
    return wrapper


class _Gui:
    """The connection between a wrapper and widgets, both ways, until `disconnect`."""

    def __init__(self, wrapper: _Wrapper, connectors: dict):
        self._wrapper, self._connectors, self._busy = wrapper, connectors, False
        self._slots = {name: (lambda *_, name=name: self._to_node(name)) for name in connectors}
        self._to_widgets()
        for name, each in connectors.items():
            each.signal.connect(self._slots[name])
        self._tag = wrapper.AddObserver(vtk.vtkCommand.ModifiedEvent, self._to_widgets)

    def _to_widgets(self, caller=None, event=None):
        if self._busy:
            return
        self._busy = True
        try:
            for name, each in self._connectors.items():
                each.write(self._wrapper.getValue(name))
        finally:
            self._busy = False

    def _to_node(self, name: str):
        if not self._busy:
            with slicer.util.NodeModify(self._wrapper):
                self._wrapper.setValue(name, self._connectors[name].read())

    def disconnect(self):
        self._wrapper.RemoveObserver(self._tag)
        for name, each in self._connectors.items():
            each.signal.disconnect(self._slots[name])


def _read(parameter: _Parameter, node, prefix: str):
    if parameter.value_type.is_pack:
        pack = parameter.value_type.type()
        pack._place = node, f"{prefix}{parameter.name}."
        return pack
    return parameter.value_type.read(node, prefix + parameter.name)


def _write(parameter: _Parameter, value, node, prefix: str) -> None:
    if not parameter.value_type.is_pack:
        with slicer.util.NodeModify(node):
            parameter.value_type.write(node, prefix + parameter.name, value)
        return
    for each in parameter.value_type.type.allPackParameters.values():
        _write(each, getattr(value, each.name), node, f"{prefix}{parameter.name}.")


def _write_missing(parameter: _Parameter, node, prefix: str, default) -> None:
    """Write the default where the node has no value yet."""
    if parameter.value_type.is_pack:
        for each in parameter.value_type.type.allPackParameters.values():
            _write_missing(each, node, f"{prefix}{parameter.name}.", getattr(default, each.name))
    elif not node.HasParameter(prefix + parameter.name):
        _write(parameter, default, node, prefix)


def build_module() -> types.ModuleType:
    """Return the module slicer.parameterNodeWrapper."""
    module = types.ModuleType("slicer.parameterNodeWrapper")
    module.parameterNodeWrapper, module.parameterPack = parameterNodeWrapper, parameterPack
    module.isParameterNodeWrapper = lambda each: isinstance(each, _Wrapper) or (
        isinstance(each, type) and issubclass(each, _Wrapper))
    for name in ("Validator", "NotNone", "IsInstance", "WithinRange", "Minimum", "Maximum", "Choice", "Exclude",
                 "Default", "Decimals", "SingleStep"):
        setattr(module, name, getattr(parameter_types, name))
    return module
