"""Looking at what was done: before and after by a key, and the difference over the image."""

from __future__ import annotations

import numpy as np
import slicer
from slicer.i18n import tr as _

from .clones import matrix_of
from .edit_node import as_helper

FULL_DIFFERENCE_HU = 100
#: Differences up to this share of the full one are as good as none: nothing is laid over the image.
CLEAR = 0.15
OPACITY = 0.6


def composites() -> list:
    """What each slice view shows."""
    return slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")


def show_before(editing, before: bool) -> None:
    """Show the originals in the views that show the edited case, or the other way round."""
    pairs = [(editing.canvas.ct, editing.ct), (editing.canvas.segmentation, editing.segmentation)]
    (old_ct, new_ct), (old_labels, new_labels) = pairs if before else [pair[::-1] for pair in pairs]
    for composite in composites():
        if composite.GetBackgroundVolumeID() == old_ct.GetID():
            composite.SetBackgroundVolumeID(new_ct.GetID())
    for node, visible in ((old_labels, False), (new_labels, True)):
        if node.GetDisplayNode() is not None:
            node.GetDisplayNode().SetVisibility(visible)


def show_edited(editing) -> None:
    """Show the edited case in all slice views, its organs as outlines."""
    slicer.util.setSliceViewerLayers(background=editing.canvas.ct)
    for node, visible in ((editing.segmentation, False), (editing.canvas.segmentation, True)):
        if node.GetDisplayNode() is not None:
            node.GetDisplayNode().SetVisibility(visible)
    display = editing.canvas.segmentation.GetDisplayNode()
    if display is not None:
        display.SetVisibility2DFill(False)


class Difference:
    """Edited minus original as a layer over the image: red brighter, blue darker. Made when it is first wanted."""

    def __init__(self):
        self._node = self._colours = None
        self.shown = False

    def show(self, editing, shown: bool) -> None:
        """Lay it over the image, or take it away and give its memory back."""
        self.shown = shown and editing is not None
        if not self.shown:
            self.remove()
            return
        if self._node is None or not slicer.mrmlScene.IsNodePresent(self._node):
            self._make(editing)
        self.update(editing, editing.case.grid.whole)
        for composite in composites():
            if composite.GetBackgroundVolumeID() in (editing.canvas.ct.GetID(), editing.ct.GetID()):
                composite.SetForegroundVolumeID(self._node.GetID())
                composite.SetForegroundOpacity(OPACITY)

    def update(self, editing, box) -> None:
        """A box of the edit has changed."""
        if not self.shown or box is None or self._node is None or not slicer.mrmlScene.IsNodePresent(self._node):
            return
        slicer.util.arrayFromVolume(self._node)[box] = editing.session.case.hu[box] - editing.case.hu[box]
        slicer.util.arrayFromVolumeModified(self._node)
        if self._node.GetTransformNodeID() != editing.ct.GetTransformNodeID():
            self._node.SetAndObserveTransformNodeID(editing.ct.GetTransformNodeID())

    def remove(self) -> None:
        """Take its nodes out of the scene."""
        self.shown = False
        for composite in composites():
            if self._node is not None and composite.GetForegroundVolumeID() == self._node.GetID():
                composite.SetForegroundVolumeID(None)
        for node in (self._node, self._colours):
            if node is not None and slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node)
        self._node = self._colours = None

    def _make(self, editing) -> None:
        """On the case's axial grid, which is the CT's with axes permuted and flipped."""
        scene = slicer.mrmlScene
        self._node = as_helper(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", _("Difference")), True)
        slicer.util.updateVolumeFromArray(self._node, np.zeros(editing.case.hu.shape, np.int16))
        grid = editing.case.grid
        rows = np.eye(4)
        rows[:3, :3], rows[:3, 3] = grid.matrix, grid.origin
        rows[:2] *= -1.0
        self._node.SetIJKToRASMatrix(matrix_of(rows))
        self._node.SetAndObserveTransformNodeID(editing.ct.GetTransformNodeID())
        self._colours = as_helper(_colour_node(), True)
        self._node.CreateDefaultDisplayNodes()
        display = self._node.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetAndObserveColorNodeID(self._colours.GetID())
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(2 * FULL_DIFFERENCE_HU, 0)
        display.SetInterpolate(False)


def _colour_node():
    """Blue over nothing to red."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", _("Difference colours"))
    node.SetTypeToUser()
    node.SetNumberOfColors(256)
    for index in range(256):
        share = (index - 127.5) / 127.5
        strength = 0.0 if abs(share) < CLEAR else 0.35 + 0.65 * abs(share)
        node.SetColor(index, f"{share * FULL_DIFFERENCE_HU:+.0f} HU", float(share > 0), 0.25, float(share < 0),
                      strength)
    return node
