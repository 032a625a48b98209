"""slicer.app, the main window and its module selector."""

from __future__ import annotations

import sys
import tempfile

import qt
import slicer
import vtk

from . import event_loop
from .widget_properties import computed, stored

MODULES_BY_CORE = "slicer-core ships logics, no modules; FlareSeg's stand-in knows only the modules it uses"


class ModuleManager(qt.QObject):
    """Knows the modules (`core_modules`, `scripted_modules`)."""

    moduleAboutToBeUnloaded = qt.Signal(str)
    cpp_signals = {"moduleAboutToBeUnloaded(QString)": "moduleAboutToBeUnloaded"}

    def __init__(self):
        super().__init__()
        self._modules = {}

    def add(self, module) -> None:
        """Make a module known, also as ``slicer.modules.<name in lower case>``."""
        self._modules[module.name] = module
        setattr(slicer.modules, module.name.lower(), module)

    def module(self, name):
        return self._modules.get(name)

    def modulesNames(self):
        return list(self._modules)


class ModuleSelector(qt.QWidget):
    """Opens modules; tests ask `selectedModule` which one."""

    selectedModule = computed(str, lambda self: self._selected, lambda self, name: self.selectModule(name))
    _selected = ""

    def selectModule(self, name):
        manager = slicer.app.moduleManager()
        if manager.module(name) is None:
            raise LookupError(f"there is no module {name}: {MODULES_BY_CORE}")
        self.leave()
        self._selected = name
        manager.module(name).widgetRepresentation().enter()

    def leave(self):
        """Close the module that is open."""
        if self._selected:
            slicer.app.moduleManager().module(self._selected).widgetRepresentation().exit()
        self.forget()

    def forget(self):
        """No module is open, whatever has become of the last one."""
        self._selected = ""


class MainWindow(qt.QMainWindow):
    """Has a module selector and nothing else."""

    def __init__(self):
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._module_selector = ModuleSelector(self)

    def moduleSelector(self):
        return self._module_selector


class LayoutManager(qt.QObject):
    """One slice, with the real logic; there are no views."""

    def add_slice(self, name="Red"):
        """Once slicer.app and the scene are there."""
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(slicer.mrmlScene)
        self._slice, logics = slicer.vtkMRMLSliceLogic(), vtk.vtkCollection()
        self._slice.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._slice.SetMRMLScene(slicer.mrmlScene)
        self._slice.AddSliceNode(name)
        logics.AddItem(self._slice)
        slicer.app.applicationLogic().SetSliceLogics(logics)

    def mrmlSliceLogics(self):
        return slicer.app.applicationLogic().GetSliceLogics()


class ExtensionsManagerModel(qt.QObject):
    """No extension is installed, and no server is there."""

    interactive, setInteractive = stored("interactive", bool, True)

    def isExtensionInstalled(self, name):
        return False

    def installExtensionFromServer(self, name, restart=True, update=False):
        return False


class SlicerApplication(qt.QApplication):
    """slicer.app."""

    startupCompleted = qt.Signal()
    cpp_signals = {"startupCompleted()": "startupCompleted"}

    temporaryPath, setTemporaryPath = stored("temporaryPath", str, tempfile.gettempdir())
    majorVersion, _ = stored("majorVersion", int, 5)
    minorVersion, _ = stored("minorVersion", int, 13)
    revision, _ = stored("revision", str, "stand-in")

    def __init__(self):
        super().__init__([sys.executable])
        self._testing = False
        self._module_manager, self._layout_manager = ModuleManager(), LayoutManager()
        self._extensions = ExtensionsManagerModel()
        self._logic = slicer.vtkSlicerApplicationLogic()
        self._main_window = None

    def make_main_window(self) -> None:
        """Once slicer.app is there."""
        self._main_window = MainWindow()

    def processEvents(self, flags=0):
        """As in Slicer, threads of Python wait meanwhile."""
        event_loop.process_events(flags)

    def setTestingEnabled(self, testing: bool) -> None:
        """As with Slicer's option --testing: slicer.util answers its dialogs itself."""
        self._testing = testing

    def testingEnabled(self):
        return self._testing

    def moduleManager(self):
        return self._module_manager

    def layoutManager(self):
        return self._layout_manager

    def applicationLogic(self):
        return self._logic

    def mrmlScene(self):
        return slicer.mrmlScene

    def extensionsManagerModel(self):
        return self._extensions

    def startupEnvironment(self):
        return qt.QProcessEnvironment.systemEnvironment()

    def pauseRender(self):
        """There are no views."""

    def resumeRender(self):
        """There are no views."""

    def restart(self):
        raise AssertionError("the module restarts Slicer")
