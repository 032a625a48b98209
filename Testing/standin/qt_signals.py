"""``sender.connect("signal(type)", slot)`` as in PythonQt, on PySide6 objects.

Python stand-ins of C++ classes name their C++ signals in `cpp_signals`, a dict from the C++ signature to the name of
the PySide6 signal.
"""

from __future__ import annotations

import inspect
import re

from PySide6 import QtCore

QObject = QtCore.QObject
_original_getattribute = QObject.__getattribute__


class UnknownSignal(RuntimeError):
    """PythonQt would print a line and return False; here it fails."""


def connect(self, *arguments):
    """``connect(signature, callable)`` or ``connect(signature, receiver, "slot()")``."""
    if _is_internal(arguments):
        return _original_getattribute(self, "connect")(*arguments)
    signature, receiver = _normalised(arguments[0]), _slot(*arguments[1:])
    signal, sent = _signal(self, signature)
    accepted = _accepted_arguments(receiver)
    count = sent if accepted is None else min(sent, accepted)

    def relay(*values):
        receiver(*values[:count])

    signal.connect(relay)
    _connections(self).append((signature, receiver, signal, relay))
    return True


def disconnect(self, *arguments):
    """Undo `connect`; False where there is no such connection, as in PythonQt."""
    if _is_internal(arguments):
        return _original_getattribute(self, "disconnect")(*arguments)
    signature = _normalised(arguments[0])
    receiver = _slot(*arguments[1:]) if len(arguments) > 1 else None
    _signal(self, signature)
    gone = [each for each in _connections(self) if each[0] == signature and receiver in (None, each[1])]
    for connection in gone:
        connection[2].disconnect(connection[3])
        _connections(self).remove(connection)
    return bool(gone)


def _is_internal(arguments) -> bool:
    """PySide6 calls connect() itself, with a code before the signature."""
    return not arguments or not isinstance(arguments[0], str) or arguments[0][:1] in "12"


def _connections(sender) -> list:
    return sender.__dict__.setdefault("_string_connections", [])


def _normalised(signature: str) -> str:
    return re.sub(r"\s+|\bconst\b|&", "", signature)


def _slot(receiver, name: str | None = None):
    slot = getattr(receiver, name.partition("(")[0]) if name else receiver
    if not callable(slot):
        raise TypeError(f"{slot!r} is no slot")
    return slot


def _signal(sender, signature: str):
    """Return the bound PySide6 signal and the number of arguments that the signature sends."""
    types = re.fullmatch(r"(\w+)\((.*)\)", signature)
    aliases = {alias: name for cls in type(sender).__mro__ for alias, name in vars(cls).get("cpp_signals", {}).items()}
    if types is None or signature not in _qt_signatures(sender) | aliases.keys():
        raise UnknownSignal(f"{type(sender).__name__} has no signal '{signature}'")
    sent = len(types[2].split(",")) if types[2] else 0
    if signature in aliases:
        return getattr(sender, aliases[signature]), sent
    signal = getattr(sender, types[1])
    try:
        return signal[types[2]], sent
    except (KeyError, IndexError, TypeError):  # not overloaded
        return signal, sent


def _qt_signatures(sender) -> set[str]:
    meta = sender.metaObject()
    methods = (meta.method(index) for index in range(meta.methodCount()))
    return {bytes(method.methodSignature()).decode() for method in methods
            if method.methodType() == QtCore.QMetaMethod.MethodType.Signal}


def _accepted_arguments(function) -> int | None:
    """How many arguments PythonQt passes to a Python function: all that it takes, defaults included."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return None
    return sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in parameters)
