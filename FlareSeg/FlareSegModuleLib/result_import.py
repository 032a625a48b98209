"""From a finished run to a segmentation node over its CT."""

from __future__ import annotations

import json

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util import numpy_support

from FlareSegLib.organs import Organ
from FlareSegLib.results.seg_nrrd import terminology_entry

from .compatibility import set_terminology
from .run import RunResult

REPORT_ATTRIBUTE = "FlareSeg.Report"
LABELMAP = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


def import_result(result: RunResult, organs: tuple[Organ, ...], volume_node, segmentation_node=None):
    """Put a result into the scene and return its segmentation node.

    Parameters
    ----------
    result : RunResult
        The labels and the report.
    organs : tuple of Organ
        One segment each.
    volume_node : vtkMRMLScalarVolumeNode
        The CT that was segmented, its grid unchanged.
    segmentation_node : vtkMRMLSegmentationNode, optional
        Where to put it: segments of the same organs are replaced, others stay, and so does the transform that they are
        under. A new node, or one without segments, gets the CT's transform.

    Raises
    ------
    ValueError
        See `check_output`; nothing has been changed.
    """
    check_output(volume_node, segmentation_node)
    node = segmentation_node or _new_node(volume_node)
    modified = node.StartModify()
    try:
        if not _holds_segments(node):
            node.SetAndObserveTransformNodeID(volume_node.GetTransformNodeID())
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume_node)  # under its transform; the reference, too
        _set_segments(node, organs, _labelmap(result, _ijk_to_segmentation(volume_node, node)))
        node.SetAttribute(REPORT_ATTRIBUTE, json.dumps(result.report))
        _put_beside(node, volume_node)
    except BaseException:
        if segmentation_node is None:
            slicer.mrmlScene.RemoveNode(node)
        raise
    finally:
        node.EndModify(modified)
    return node


def check_output(volume_node, segmentation_node) -> None:
    """Refuse a segmentation whose own segments would not stay what they are; None is always good.

    Raises
    ------
    ValueError
        Where the segments are surfaces, or under a transform that differs from the CT's by more than a matrix.
    """
    if segmentation_node is None or not _holds_segments(segmentation_node):
        return
    if segmentation_node.GetSegmentation().GetSourceRepresentationName() != LABELMAP:
        raise ValueError(_("The output segmentation holds surfaces, no label maps; choose a new segmentation."))
    _ijk_to_segmentation(volume_node, segmentation_node)


def report_of(segmentation_node) -> dict | None:
    """Return the report that came with a segmentation; None where there is none."""
    text = segmentation_node.GetAttribute(REPORT_ATTRIBUTE) if segmentation_node is not None else None
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None


def held_organs(segmentation_node, organs: tuple[Organ, ...]) -> list[str]:
    """Return the names of those organs for which the node holds a segment already."""
    if segmentation_node is None:
        return []
    return [organ.name for organ in organs if segmentation_node.GetSegmentation().GetSegment(organ.name)]


def _new_node(volume_node):
    name = slicer.mrmlScene.GenerateUniqueName(_("{volume} organs").format(volume=volume_node.GetName()))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    return node


def _holds_segments(node) -> bool:
    return node.GetSegmentation().GetNumberOfSegments() > 0


def _ijk_to_segmentation(volume_node, segmentation_node):
    """From the CT's voxel indices to the coordinates of a segmentation, which may be under another transform."""
    transforms = slicer.vtkMRMLTransformNode
    between, linear, matrix = vtk.vtkGeneralTransform(), vtk.vtkTransform(), vtk.vtkMatrix4x4()
    transforms.GetTransformBetweenNodes(volume_node.GetParentTransformNode(),
                                        segmentation_node.GetParentTransformNode(),
                                        between)
    if not transforms.IsGeneralTransformLinear(between, linear):
        raise ValueError(_("The CT and the output segmentation are under different transforms, one of them not linear; "
                           "choose a new segmentation."))
    volume_node.GetIJKToRASMatrix(matrix)
    vtk.vtkMatrix4x4.Multiply4x4(linear.GetMatrix(), matrix, matrix)
    return matrix


def _labelmap(result: RunResult, ijk_to_segmentation):
    """The labels as Slicer's image, on the CT's grid; it covers the part that holds organs."""
    image = slicer.vtkOrientedImageData()
    extent = []
    for first, size in zip(result.first_voxel, reversed(result.labels.shape)):
        extent += [first, first + size - 1]
    image.SetExtent(*extent)
    image.SetGeometryFromImageToWorldMatrix(ijk_to_segmentation)
    scalars = numpy_support.numpy_to_vtk(np.ravel(result.labels), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR)
    scalars.SetName("ImageScalars")
    image.GetPointData().SetScalars(scalars)
    return image


def _set_segments(node, organs: tuple[Organ, ...], image) -> None:
    """One segment an organ, all on the same image: one layer, whose values are the organs' labels.

    `ImportLabelmapToSegmentationNode` would number the segments by their order, wrong for some of the organs.
    """
    segmentation = node.GetSegmentation()
    node.RemoveClosedSurfaceRepresentation()  # of the segments that are replaced; "Show 3D" makes new ones
    for organ in organs:
        segment = segmentation.GetSegment(organ.name)
        known = segment is not None
        segment = segment or slicer.vtkSegment()
        segment.SetName(organ.name)
        segment.SetColor(*(level / 255 for level in organ.colour))
        set_terminology(segment, terminology_entry(organ))
        segment.RemoveAllRepresentations()
        segment.SetLabelValue(organ.label)
        segment.AddRepresentation(LABELMAP, image)
        if not known:
            segmentation.AddSegment(segment, organ.name)


def _put_beside(node, volume_node) -> None:
    """Make the segmentation a sibling of its CT. Without Slicer's windows nodes may have no item yet."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    top = hierarchy.GetSceneItemID()
    volume_item = hierarchy.GetItemByDataNode(volume_node) or hierarchy.CreateItem(top, volume_node)
    item = hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(top, node)
    hierarchy.SetItemParent(item, hierarchy.GetItemParent(volume_item))
