"""Ways from a result into other modules."""

from __future__ import annotations

import slicer


def open_segment_editor(segmentation_node, volume_node) -> None:
    """Open the Segment Editor on a segmentation and its volume."""
    slicer.util.selectModule("SegmentEditor")
    editor = slicer.modules.segmenteditor.widgetRepresentation().self().editor
    editor.setSegmentationNode(segmentation_node)
    if hasattr(editor, "setSourceVolumeNode"):
        editor.setSourceVolumeNode(volume_node)


def open_segment_statistics(segmentation_node, volume_node) -> None:
    """Open Segment Statistics on a segmentation and its volume."""
    slicer.util.selectModule("SegmentStatistics")
    widget = slicer.modules.segmentstatistics.widgetRepresentation().self()
    widget.segmentationSelector.setCurrentNode(segmentation_node)
    widget.scalarSelector.setCurrentNode(volume_node)
