"""Ways from a result into other modules."""

from __future__ import annotations

import slicer


def open_segment_editor(parameters) -> None:
    """Open the Segment Editor on the last result and its volume; `parameters` is the FlareSegParameterNode."""
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    editor.setSegmentationNode(parameters.lastResult)
    editor.setSourceVolumeNode(volume_of(parameters))


def open_segment_statistics(parameters) -> None:
    """Open Segment Statistics on the last result and its volume."""
    slicer.util.selectModule("SegmentStatistics")
    widget = slicer.modules.segmentstatistics.widgetRepresentation().self()
    widget.segmentationSelector.setCurrentNode(parameters.lastResult)
    widget.scalarSelector.setCurrentNode(volume_of(parameters))


def volume_of(parameters):
    """Return the volume that the last result belongs to, whatever is selected as input by now."""
    node = parameters.lastResult
    return node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) or parameters.inputVolume
