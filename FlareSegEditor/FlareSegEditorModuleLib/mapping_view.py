"""A table of the segments with the organ of each, for the person to check and to complete."""

from __future__ import annotations

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from FlareSegLib.organs import FLARE_ORGANS

from .mapping import OTHER, map_segments

NAMES = [organ.name for organ in FLARE_ORGANS]


class MappingView:
    """Shows which segment is which organ; unsure ones wait for an answer.

    Parameters
    ----------
    table : QTableWidget
    on_change : callable
        Called without arguments when the person chooses an organ.
    """

    def __init__(self, table, on_change: Callable[[], None]):
        self._table, self._on_change = table, on_change
        self._organs: dict[str, str | None] = {}
        table.setColumnCount(2)
        table.setHorizontalHeaderLabels([_("Segment"), _("Organ")])
        table.verticalHeader().setVisible(False)
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)

    def show(self, segmentation_node) -> None:
        """Show a segmentation's segments; None for none."""
        self._organs = map_segments(segmentation_node) if segmentation_node is not None else {}
        self._table.setRowCount(len(self._organs))
        for row, (segment_id, organ) in enumerate(self._organs.items()):
            segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
            name = qt.QTableWidgetItem(segment.GetName())
            name.setFlags(qt.Qt.ItemIsEnabled)
            self._table.setItem(row, 0, name)
            self._table.setCellWidget(row, 1, self._choice(segment_id, organ))

    def _choice(self, segment_id: str, organ: str | None):
        box = qt.QComboBox()
        box.setObjectName(f"organ_of_{segment_id}")
        box.addItems([_("choose..."), *NAMES, _("none of them")])
        box.toolTip = _("The organ that this segment is (both kidneys are one organ).")
        box.currentIndex = 0 if organ is None else 1 + NAMES.index(organ) if organ in NAMES else 1 + len(NAMES)
        box.connect("currentIndexChanged(int)", lambda index: self._chosen(segment_id, index))
        return box

    def _chosen(self, segment_id: str, index: int) -> None:
        self._organs[segment_id] = None if index == 0 else NAMES[index - 1] if index <= len(NAMES) else OTHER
        self._on_change()

    @property
    def organs(self) -> dict[str, str]:
        """Segment IDs and their organs, those that are known."""
        return {segment_id: organ for segment_id, organ in self._organs.items() if organ}

    @property
    def hindrance(self) -> str:
        """What is missing; empty where nothing is."""
        unsure = sum(organ is None for organ in self._organs.values())
        if unsure:
            return _("Choose the organ of each segment in the table ({count} are unsure).").format(count=unsure)
        return "" if self.organs else _("The segmentation holds none of the four organs; choose another one.")
