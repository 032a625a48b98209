"""Slicer's own modules: the real logics of slicer-core, and the panels that FlareSeg opens as mere selectors."""

from __future__ import annotations

import tempfile
import types
from pathlib import Path

import qt
import slicer
import vtk

#: Module: its logic. Colors first, for Volumes asks it for colour tables.
LOGICS = {"Colors": "vtkSlicerColorLogic", "Volumes": "vtkSlicerVolumesLogic",
          "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
          "Terminologies": "vtkSlicerTerminologiesModuleLogic",
          "Segmentations": "vtkSlicerSegmentationsModuleLogic", "Markups": "vtkSlicerMarkupsLogic"}
IN_HIERARCHY = ("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode")
_observers = []


def add_core_modules() -> None:
    """Make the logics and panels known to slicer.app and slicer.modules."""
    application = slicer.app.applicationLogic()
    vtk.vtkObject.GlobalWarningDisplayOff()  # Slicer's lists of terms and colours are in no package
    for name, kind in LOGICS.items():
        logic = getattr(slicer, kind)()
        logic.SetMRMLApplicationLogic(application)
        if name == "Terminologies":  # it looks for Slicer's lists there, and writes user's lists beside them
            logic.SetModuleShareDirectory(str(Path(tempfile.mkdtemp(prefix="standin-"))))
        application.SetModuleLogic(name, logic)
        logic.SetMRMLScene(slicer.mrmlScene)
        slicer.app.moduleManager().add(types.SimpleNamespace(name=name, path="", logic=lambda logic=logic: logic))
    vtk.vtkObject.GlobalWarningDisplayOn()
    slicer.app.moduleManager().add(_PanelModule("SegmentEditor", _SegmentEditorPanel))
    slicer.app.moduleManager().add(_PanelModule("SegmentStatistics", _SegmentStatisticsPanel))
    _observe_nodes()


def _observe_nodes() -> None:
    """Give nodes their place in the subject hierarchy and take it away, as the plugins of Slicer's GUI do."""
    scene = slicer.mrmlScene
    hierarchy_of = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def add(caller, event, node):
        if any(node.IsA(kind) for kind in IN_HIERARCHY) and not scene.IsImporting():
            hierarchy_of(scene).CreateItem(hierarchy_of(scene).GetSceneItemID(), node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def remove(caller, event, node):
        if any(node.IsA(kind) for kind in IN_HIERARCHY) and not scene.IsClosing():
            hierarchy_of(scene).RemoveItem(hierarchy_of(scene).GetItemByDataNode(node), False)

    _observers.append(scene.AddObserver(scene.NodeAddedEvent, add))
    _observers.append(scene.AddObserver(scene.NodeAboutToBeRemovedEvent, remove))


class _PanelModule:
    """A module with a widget and no logic."""

    def __init__(self, name: str, panel: type):
        self.name, self.path = name, ""
        self._panel, self._widget = panel, None

    def widgetRepresentation(self):
        if self._widget is None:
            self._widget = slicer.qSlicerScriptedLoadableModuleWidget()
            self._widget.hold(self._panel(self._widget))
        return self._widget


class _SegmentEditorPanel:
    def __init__(self, parent):
        self.editor = slicer.qMRMLSegmentEditorWidget(parent)


class _SegmentStatisticsPanel:
    def __init__(self, parent):
        layout = qt.QVBoxLayout(parent)
        self.segmentationSelector = _selector(layout, "vtkMRMLSegmentationNode")
        self.scalarSelector = _selector(layout, "vtkMRMLScalarVolumeNode")


def _selector(layout, kind: str):
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes, selector.noneEnabled, selector.addEnabled = [kind], True, False
    selector.setMRMLScene(slicer.mrmlScene)
    layout.addWidget(selector)
    return selector
