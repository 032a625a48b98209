"""Bring the stand-in up: qt, ctk, slicer.app, the scene, Slicer's own modules, slicer's Python modules."""

from __future__ import annotations

import atexit
import os
import sys
import tempfile
import types

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("PYSIDE6_OPTION_PYTHON_ENUM", "2")  # enums equal to ints, as in PythonQt; before PySide6


def start():
    """Return the module `slicer`, once a process."""
    import slicer

    if hasattr(slicer, "app"):
        return slicer
    from . import failures, qt_semantics

    qt = sys.modules["qt"] = qt_semantics.build_qt()
    _isolate_settings(qt)
    _add_widgets(qt, slicer)
    _add_python_modules(slicer)
    _add_application(qt, slicer)
    failures.install()
    # As Slicer does before it ends: otherwise the last of the logics takes its colours from a scene whose volumes are
    # watched by slice logics that are half gone.
    atexit.register(slicer.mrmlScene.Clear, 0)
    return slicer


def _isolate_settings(qt) -> None:
    """No setting of the user is read or written."""
    qt.QCoreApplication.setOrganizationName("FlareSegStandIn")
    qt.QCoreApplication.setApplicationName("Slicer")
    qt.QSettings.setDefaultFormat(qt.QSettings.IniFormat)
    qt.QSettings.setPath(qt.QSettings.IniFormat, qt.QSettings.UserScope, tempfile.mkdtemp(prefix="standin-"))


def _add_widgets(qt, slicer) -> None:
    from . import widgets_ctk

    sys.modules["ctk"] = ctk = widgets_ctk.build_ctk()
    from . import dialogs, ui_loader, widgets_mrml

    ctk.ctkMessageBox = dialogs.ctkMessageBox
    for cls in widgets_mrml.WIDGETS:
        setattr(slicer, cls.__name__, cls)
    qt.QUiLoader = ui_loader.loader_class(widgets_ctk.WIDGETS + widgets_mrml.WIDGETS)
    dialogs.install()


def _add_python_modules(slicer) -> None:
    from . import parameter_nodes, python_modules, scripted_modules

    for module in (python_modules.build_i18n(), python_modules.build_packaging(), parameter_nodes.build_module(),
                   scripted_modules.build_module()):
        sys.modules[module.__name__] = module
        setattr(slicer, module.__name__.partition(".")[2], module)
    sys.modules["SampleData"] = python_modules.build_sample_data()


def _add_application(qt, slicer) -> None:
    from . import application, core_modules, scene_files

    slicer.modules = sys.modules["slicer.modules"] = types.ModuleType("slicer.modules")
    slicer.mrmlScene = slicer.vtkMRMLScene()
    slicer.app = application.SlicerApplication()
    slicer.app.setStyle("Fusion")
    slicer.app.applicationLogic().SetMRMLScene(slicer.mrmlScene)
    slicer.app.make_main_window()
    core_modules.add_core_modules()
    slicer.app.layoutManager().add_slice()
    scene_files.set_up_cache()
