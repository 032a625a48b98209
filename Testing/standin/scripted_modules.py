"""slicer.ScriptedLoadableModule, and loading a module from its file as Slicer does."""

from __future__ import annotations

import importlib.util
import os
import sys
import types
import unittest

import qt
import slicer

from .widget_properties import stored


class qSlicerScriptedLoadableModule(qt.QObject):
    """The `parent` of a module's description; only what is listed here can be set, as in C++."""

    title, setTitle = stored("title", str, "")
    categories, setCategories = stored("categories", list, [])
    dependencies, setDependencies = stored("dependencies", list, [])
    contributors, setContributors = stored("contributors", list, [])
    helpText, setHelpText = stored("helpText", str, "")
    acknowledgementText, setAcknowledgementText = stored("acknowledgementText", str, "")
    icon, setIcon = stored("icon", object, None)
    hidden, setHidden = stored("hidden", bool, False)
    index, setIndex = stored("index", int, -1)
    path, _ = stored("path", str, "")

    def __init__(self, name: str, path: str):
        super().__init__()
        self.setObjectName(name)
        self._widget = None
        self.path = path

    def widgetRepresentation(self):
        """The module's panel, made when it is asked for first."""
        if self._widget is None:
            self._widget = slicer.qSlicerScriptedLoadableModuleWidget()
            self._widget.setLayout(qt.QVBoxLayout())
            self._widget.setMRMLScene(slicer.mrmlScene)
            widget = getattr(sys.modules[self.name], f"{self.name}Widget")(self._widget)
            self._widget.hold(widget)
            setattr(slicer.modules, f"{self.name}Widget", widget)
            widget.setup()
        return self._widget

    def close(self):
        """Unload the panel, as at Slicer's end; the next `widgetRepresentation` makes a new one."""
        widget, self._widget = self._widget, None
        if widget is not None:
            slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(self.name)
            widget.deleteLater()


class ScriptedLoadableModule:
    """Base class of a module's description."""

    def __init__(self, parent):
        self.parent = parent
        self.moduleName = type(self).__name__
        icons = (self.resourcePath(f"Icons/{self.moduleName}.{suffix}") for suffix in ("svg", "png"))
        icon = next((path for path in icons if os.path.isfile(path)), None)
        if icon:
            parent.icon = qt.QIcon(icon)

    def resourcePath(self, filename):
        return os.path.join(os.path.dirname(self.parent.path), "Resources", filename)


class ScriptedLoadableModuleWidget:
    """Base class of a module's panel."""

    def __init__(self, parent=None):
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False
        self.parent, self.layout = parent, parent.layout()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, filename):
        return os.path.join(os.path.dirname(slicer.util.modulePath(self.moduleName)), "Resources", filename)

    def setup(self):
        """The developer's section is left out."""

    def cleanup(self):
        """For subclasses."""

    def _onModuleAboutToBeUnloaded(self, moduleName):
        if moduleName == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)


class ScriptedLoadableModuleLogic:
    """Base class of a module's logic; one parameter node a module."""

    def __init__(self, parent=None):
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self):
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)  # created with a reference that belongs to the caller
            node.SetSingletonTag(self.moduleName)
            node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
            node = slicer.mrmlScene.AddNode(node)
        node.SetAttribute("ModuleName", self.moduleName)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base class of a module's self-tests."""

    def delayDisplay(self, message, requestedDelay=None, msec=None):
        slicer.app.processEvents()


def load_scripted_module(path: str):
    """Import a module's file, make its description known and return the Python module.

    The panel is ``slicer.modules.<name>.widgetRepresentation()``.
    """
    path = os.path.abspath(path)
    name = os.path.splitext(os.path.basename(path))[0]
    if os.path.dirname(path) not in sys.path:
        sys.path.insert(0, os.path.dirname(path))
    specification = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    parent = qSlicerScriptedLoadableModule(name, path)
    slicer.app.moduleManager().add(parent)
    setattr(slicer.modules, f"{name}Instance", getattr(module, name)(parent))
    return module


def build_module() -> types.ModuleType:
    """Return the module slicer.ScriptedLoadableModule."""
    module = types.ModuleType("slicer.ScriptedLoadableModule")
    for cls in (ScriptedLoadableModule, ScriptedLoadableModuleWidget, ScriptedLoadableModuleLogic,
                ScriptedLoadableModuleTest):
        setattr(module, cls.__name__, cls)
    return module
