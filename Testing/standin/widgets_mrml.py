"""Stand-ins of Slicer's widgets for nodes, over the real MRML scene."""

from __future__ import annotations

import qt
import slicer
import vtk
from shiboken6 import isValid

from .widget_properties import computed, stored

CREATE = "create"  # item data of the entry that makes a new node; no node has that ID


class qMRMLWidget(qt.QWidget):
    """A widget that knows the scene."""

    mrmlSceneChanged = qt.Signal(object)
    cpp_signals = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}
    _scene = None

    def setMRMLScene(self, scene):
        self._scene = scene
        self._scene_set()
        self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self):
        return self._scene

    def _scene_set(self):
        """For subclasses."""


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """What a scripted module's widget gets as parent; `isEntered` is a property, as in C++."""

    isEntered = computed(bool, lambda self: self._entered, lambda self, value: setattr(self, "_entered", value))
    _entered = False
    _python_widget = None

    def self(self):
        return self._python_widget

    def hold(self, python_widget):
        """Slicer keeps the Python object of a panel in its C++ one."""
        self._python_widget = python_widget

    def enter(self):
        """The user opens the module."""
        self._entered = True
        self._call("enter")

    def exit(self):
        """The user opens another one."""
        self._entered = False
        self._call("exit")

    def _call(self, name):
        if hasattr(self._python_widget, name):
            getattr(self._python_widget, name)()


class qMRMLNodeComboBox(qMRMLWidget):
    """Shows the nodes of some classes and chooses one."""

    currentNodeChanged, currentNodeIDChanged, validNodeChanged = qt.Signal(object), qt.Signal(str), qt.Signal(bool)
    nodeAdded, nodeAddedByUser, nodeActivated = qt.Signal(object), qt.Signal(object), qt.Signal(object)
    cpp_signals = {"currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged",
                   "currentNodeChanged(bool)": "validNodeChanged",
                   "currentNodeIDChanged(QString)": "currentNodeIDChanged",
                   "nodeAdded(vtkMRMLNode*)": "nodeAdded", "nodeAddedByUser(vtkMRMLNode*)": "nodeAddedByUser",
                   "nodeActivated(vtkMRMLNode*)": "nodeActivated"}
    SCENE_EVENTS = ("NodeAddedEvent", "NodeRemovedEvent", "EndBatchProcessEvent", "EndCloseEvent", "EndImportEvent")

    def __init__(self, parent=None):
        super().__init__(parent)
        self._combo_box = qt.QComboBox()
        layout = qt.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo_box)
        self._combo_box.setFocusProxy(self)  # as in Slicer: the Tab key reaches neither
        self._attributes, self._observed, self._node_id = [], [], ""
        self._combo_box.activated.connect(self._activated)
        self.destroyed.connect(_unobserver(self._observed))

    def _refill(self):
        if not isValid(self) or (self._scene is not None and self._scene.IsBatchProcessing()):
            return
        nodes = self._nodes()
        box = self._combo_box
        box.clear()
        if self.noneEnabled or not nodes:
            box.addItem(self.noneDisplay if self.noneEnabled else f"Select a {self._tag()}", "")
        for node in nodes:
            box.addItem(node.GetName(), node.GetID())
        if self.addEnabled and self.nodeTypes:
            box.addItem(f"Create new {self._tag()}", CREATE)
        identifiers = [node.GetID() for node in nodes]
        kept = self._node_id if self._node_id in identifiers else ""
        self._select(kept or ("" if self.noneEnabled or not identifiers or not self._node_id else identifiers[0]))

    nodeTypes, setNodeTypes = stored("nodeTypes", list, [], _refill)
    noneEnabled, setNoneEnabled = stored("noneEnabled", bool, False, _refill)
    noneDisplay, setNoneDisplay = stored("noneDisplay", str, "None", _refill)
    showChildNodeTypes, setShowChildNodeTypes = stored("showChildNodeTypes", bool, True, _refill)
    showHidden, setShowHidden = stored("showHidden", bool, False, _refill)
    addEnabled, setAddEnabled = stored("addEnabled", bool, True, _refill)
    removeEnabled, setRemoveEnabled = stored("removeEnabled", bool, True)
    renameEnabled, setRenameEnabled = stored("renameEnabled", bool, False)
    editEnabled, setEditEnabled = stored("editEnabled", bool, False)
    selectNodeUponCreation, setSelectNodeUponCreation = stored("selectNodeUponCreation", bool, True)
    baseName, setBaseName = stored("baseName", str, "")

    def _scene_set(self):
        _unobserver(self._observed)()
        if self._scene is not None:
            for name in self.SCENE_EVENTS:
                event = getattr(slicer.vtkMRMLScene, name)
                self._observed.append((self._scene, self._scene.AddObserver(event, lambda *_: self._refill())))
        self._refill()
        if not self.noneEnabled and not self._node_id and self._nodes():
            self._select(self._nodes()[0].GetID())

    def _nodes(self):
        if self._scene is None:
            return []
        nodes = (self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes()))
        return [node for node in nodes if self._offers(node)]

    def _offers(self, node):
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        for kind, name, value in self._attributes:
            if node.IsA(kind) and (node.GetAttribute(name) is None or value not in (None, node.GetAttribute(name))):
                return False
        return any(node.IsA(kind) if self.showChildNodeTypes else node.GetClassName() == kind
                   for kind in self.nodeTypes)

    def _tag(self):
        return "/".join(kind.removeprefix("vtkMRML").removesuffix("Node") for kind in self.nodeTypes)

    def _select(self, node_id):
        self._combo_box.setCurrentIndex(max(0, self._combo_box.findData(node_id)))
        if node_id != self._node_id:
            self._node_id = node_id
            node = self.currentNode()
            self.currentNodeChanged.emit(node)
            self.validNodeChanged.emit(node is not None)
            self.currentNodeIDChanged.emit(node_id)

    def _activated(self, index):
        chosen = self._combo_box.itemData(index)
        if chosen == CREATE:
            self._select(self._node_id)
            self.nodeAddedByUser.emit(self.addNode())
        else:
            self._select(chosen)
            self.nodeActivated.emit(self.currentNode())

    def currentNode(self):
        return self._scene.GetNodeByID(self._node_id) if self._scene is not None and self._node_id else None

    def setCurrentNode(self, node):
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, node_id):
        self._refill()
        self._select(node_id if node_id in [node.GetID() for node in self._nodes()] else "")

    currentNodeID = computed(str, lambda self: self._node_id, setCurrentNodeID)

    def addNode(self, kind=None):
        node = self._scene.CreateNodeByClass(kind or self.nodeTypes[0])
        node.UnRegister(None)
        node.SetName(self._scene.GenerateUniqueName(self.baseName or self._tag()))
        for _kind, name, value in self._attributes:
            node.SetAttribute(name, value or "")
        self._scene.AddNode(node)
        self.nodeAdded.emit(node)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        return node

    def addAttribute(self, kind, name, value=None):
        self._attributes.append((kind, name, None if value is None else str(value)))
        self._refill()

    def removeCurrentNode(self):
        self._scene.RemoveNode(self.currentNode())

    def nodeCount(self):
        return len(self._nodes())

    def nodeFromIndex(self, index):
        return self._nodes()[index]


def _unobserver(observed: list):
    """Return a function that takes observers away; it holds the list, not the widget."""
    def unobserve(*_):
        for observed_object, tag in observed:
            observed_object.RemoveObserver(tag)
        observed.clear()
    return unobserve


class qMRMLSegmentationShow3DButton(qt.QPushButton):
    """Makes surfaces of the segments, and shows whether there are any."""

    _segmentation_node = None

    def __init__(self, parent=None):
        super().__init__(parent)
        self._observed = []
        self.setText("Show 3D")
        self.setCheckable(True)
        self.setEnabled(False)
        self.clicked.connect(self._clicked)
        self.destroyed.connect(_unobserver(self._observed))

    def setSegmentationNode(self, node):
        _unobserver(self._observed)()
        self._segmentation_node = node
        if node is not None:
            self._observed.append((node, node.AddObserver(vtk.vtkCommand.AnyEvent, lambda *_: self._update())))
        self._update()

    def segmentationNode(self):
        return self._segmentation_node

    def _update(self):
        if isValid(self):
            node = self._segmentation_node
            there = node is not None and node.GetScene() is not None  # it may have been removed meanwhile
            name = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
            self.setEnabled(there and node.GetSegmentation().GetNumberOfSegments() > 0)
            self.setChecked(there and node.GetSegmentation().ContainsRepresentation(name))

    def _clicked(self, checked):
        if checked:
            self._segmentation_node.CreateClosedSurfaceRepresentation()
        else:
            self._segmentation_node.RemoveClosedSurfaceRepresentation()


class qMRMLSegmentEditorWidget(qMRMLWidget):
    """Keeps its nodes; there are no effects."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self._nodes = {"parameters": None, "segmentation": None, "volume": None}

    def setMRMLSegmentEditorNode(self, node):
        self._nodes["parameters"] = node

    def mrmlSegmentEditorNode(self):
        return self._nodes["parameters"]

    def setSegmentationNode(self, node):
        self._nodes["segmentation"] = node

    def segmentationNode(self):
        return self._nodes["segmentation"]

    def setSourceVolumeNode(self, node):
        self._nodes["volume"] = node

    def sourceVolumeNode(self):
        return self._nodes["volume"]


WIDGETS = (qMRMLWidget, qSlicerScriptedLoadableModuleWidget, qMRMLNodeComboBox, qMRMLSegmentationShow3DButton,
           qMRMLSegmentEditorWidget)
