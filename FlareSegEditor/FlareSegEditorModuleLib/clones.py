"""What is edited: a clone of the CT and one of the segmentation, of which only changed boxes are ever written."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from FlareSegModuleLib.result_import import REPORT_ATTRIBUTE, import_result
from FlareSegModuleLib.run import RunResult
from FlareSegModuleLib.volume_nodes import volume_from_node
from slicer.i18n import tr as _
from vtk.util import numpy_support

from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.volumes.orientation import AxisOrder, from_axial, to_axial
from FlareSegLib.volumes.volume import Volume

LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()


def label_volume(segmentation_node, organs: dict[str, str], ct_node) -> Volume:
    """Return the segments as FLARE21's label map on the CT's grid.

    Parameters
    ----------
    organs : dict
        Segment ID to organ; segments that are left out or have none are not used.

    Raises
    ------
    ValueError
        With a sentence for the user.
    """
    if segmentation_node.GetParentTransformNode() is not ct_node.GetParentTransformNode():
        raise ValueError(_("The CT and its segmentation lie under different transforms; put both under the same one."))
    ct = volume_from_node(ct_node)
    labels = np.zeros(ct.array.shape, np.uint8)
    for organ in FLARE_ORGANS:
        for segment_id in (each for each, name in organs.items() if name == organ.name):
            if segmentation_node.GetSegmentation().GetSegment(segment_id) is not None:
                mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation_node, segment_id, ct_node)
                if mask is not None:
                    labels[(mask > 0) & (labels == 0)] = organ.label
    return Volume(labels, ct.spacing, ct.origin, ct.direction)


def clone_ct(ct_node, name: str):
    """Return a clone of a CT, its sibling, whose voxels can hold any HU."""
    clone = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, ct_node, name)  # makes the name unique
    voxels = slicer.util.arrayFromVolume(ct_node)
    if not np.can_cast(np.int16, voxels.dtype):
        slicer.util.updateVolumeFromArray(clone, np.clip(voxels, -(2**15), 2**15 - 1).astype(np.int16))
    if clone.GetDisplayNode() is None:
        clone.CreateDefaultDisplayNodes()
    clone.GetDisplayNode().SetAutoWindowLevel(False)  # or each edit would look for the brightest voxel
    put_beside(clone, ct_node)
    return clone


def clone_segmentation(labels: Volume, ct_clone, name: str, node=None):
    """Return a segmentation of a label map's organs over the cloned CT; an existing node is made like new."""
    present = [organ for organ in FLARE_ORGANS if (labels.array == organ.label).any()]
    node = import_result(RunResult({}, labels.array, (0, 0, 0)), present, ct_clone, node)
    node.SetName(node.GetName() if node.GetName().startswith(name) else slicer.mrmlScene.GenerateUniqueName(name))
    node.RemoveAttribute(REPORT_ATTRIBUTE)
    return node


def put_beside(node, other) -> None:
    """Make a node the sibling of another one in the subject hierarchy."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    top = hierarchy.GetSceneItemID()
    items = [hierarchy.GetItemByDataNode(each) or hierarchy.CreateItem(top, each) for each in (other, node)]
    hierarchy.SetItemParent(items[1], hierarchy.GetItemParent(items[0]))


class Canvas:
    """The clones, as the result of an edit is written into them.

    Parameters
    ----------
    original : numpy.ndarray
        The CT's own voxels (k, j, i) as stored, of any type; what no disease touches is taken from here.
    case : Case
        The originals; axial.
    order : AxisOrder
        From stored to axial.
    ct_clone, segmentation_clone
        The nodes.

    Attributes
    ----------
    surfaces_lost : bool
        Slicer has dropped the organs' surfaces, as it does when labels change, and nobody has made new ones yet.
    """

    def __init__(self, original: np.ndarray, case, order: AxisOrder, ct_clone, segmentation_clone):
        self._original = _axial(original, order)
        self._case, self._order = case, order
        #: Most CTs are int16 already: their voxels are the case's own.
        self._same = original.dtype == np.int16 and np.array_equal(self._original, case.hu)
        self.ct, self.segmentation = ct_clone, segmentation_clone
        self.surfaces_lost = False

    def write(self, case, box) -> None:
        """Show a box (k, j, i) of a result and nothing else."""
        voxels = _axial(slicer.util.arrayFromVolume(self.ct), self._order)
        voxels[box] = case.hu[box] if self._same else np.where(case.hu[box] != self._case.hu[box], case.hu[box],
                                                               self._original[box])
        slicer.util.arrayFromVolumeModified(self.ct)
        image = self._label_image()
        if image is not None and not np.array_equal(_axial(_array_of(image), self._order)[box], case.labels[box]):
            self.surfaces_lost |= self.segmentation.GetSegmentation().ContainsRepresentation(SURFACE)
            _axial(_array_of(image), self._order)[box] = case.labels[box]
            image.GetPointData().GetScalars().Modified()
            image.Modified()

    def _label_image(self):
        """The one image that all segments share; made anew where something else has cropped or replaced it."""
        segmentation = self.segmentation.GetSegmentation()
        if segmentation.GetNumberOfSegments() == 0:
            return None
        image = segmentation.GetNthSegment(0).GetRepresentation(LABELMAP)
        whole = tuple(reversed(from_axial(self._case.labels, self._order).shape))
        if image is None or image.GetDimensions() != whole:
            raise ValueError(_("The edited segmentation was changed by something else; choose the edit again."))
        return image


def _axial(array: np.ndarray, order: AxisOrder) -> np.ndarray:
    """A view of stored voxels in axial order."""
    return to_axial(Volume(array, (1.0, 1.0, 1.0), direction=_direction_of(order)))[0].array


def _direction_of(order: AxisOrder) -> tuple[float, ...]:
    """A direction matrix that `to_axial` brings into axial order the same way."""
    direction = np.zeros((3, 3))
    for axis, (stored, flipped) in enumerate(zip(order.axes, order.flips)):
        direction[axis, stored] = -1.0 if flipped else 1.0
    return tuple(direction.ravel().tolist())


def _array_of(image) -> np.ndarray:
    """The voxels of a vtkImageData, (k, j, i), not a copy."""
    return numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])


def matrix_of(rows: np.ndarray):
    """A (4, 4) array as vtkMatrix4x4."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(rows, float).ravel().tolist())
    return matrix
