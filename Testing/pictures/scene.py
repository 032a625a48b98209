"""A MRML scene without Slicer's application: slicer-core's scene and logics, and the module's own code on them.

slicer-core (PyPI) brings the real MRML, logics and displayable managers, but no Qt, no application and no
translations. What the import of a result asks for beyond slicer-core is added here and nowhere else: the names
`slicer.mrmlScene` and `slicer.modules`, `slicer.i18n` that hands texts back unchanged, and an empty module `qt`, which
`FlareSegModuleLib` imports and this import never uses.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import slicer
import vtk

REPOSITORY = Path(__file__).resolve().parents[2]
LOGICS = {"Volumes": "vtkSlicerVolumesLogic", "Segmentations": "vtkSlicerSegmentationsModuleLogic",
          "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic", "Cameras": "vtkSlicerCamerasModuleLogic"}


def open_scene():
    """Make an empty scene, Slicer's own for this process, and return the application logic; it keeps all alive."""
    scene = slicer.mrmlScene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    application.SetSliceLogics(vtk.vtkCollection())
    application.SetViewLogics(vtk.vtkCollection())
    application.GetColorLogic().SetMRMLScene(scene)
    application.GetColorLogic().AddDefaultColorNodes()
    logics = {name.lower(): _start(name, getattr(slicer, logic)(), application) for name, logic in LOGICS.items()}
    slicer.modules = SimpleNamespace(**{name: SimpleNamespace(logic=lambda logic=logic: logic)
                                        for name, logic in logics.items()})
    return application


def use_module_code() -> None:
    """Let `FlareSegLib` and `FlareSegModuleLib` be imported from the source tree."""
    sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "FlareSeg")]
    i18n = ModuleType("slicer.i18n")
    i18n.tr = lambda text: text
    sys.modules.setdefault("slicer.i18n", i18n)
    sys.modules.setdefault("qt", ModuleType("qt"))


def _start(name: str, logic, application):
    logic.SetMRMLApplicationLogic(application)
    logic.SetMRMLScene(application.GetMRMLScene())
    application.SetModuleLogic(name, logic)
    return logic
