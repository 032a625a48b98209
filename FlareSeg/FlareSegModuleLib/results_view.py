"""The table of a result: volume, mean HU and warnings of each organ."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _


class ResultsView:
    """A table and a line below it."""

    def __init__(self, table, label):
        self._table, self._label = table, label
        headers = (_("Organ"), _("Volume (ml)"), _("Mean HU"), _("Warnings"))
        table.setColumnCount(len(headers))
        table.setHorizontalHeaderLabels(list(headers))
        for column in range(len(headers)):
            table.horizontalHeader().setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setSectionResizeMode(len(headers) - 1, qt.QHeaderView.Stretch)
        table.verticalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.verticalHeader().hide()

    def show(self, report: dict | None) -> None:
        """Show a report (`FlareSegLib.results.report.report_dict`), or nothing."""
        organs = report["organs"] if report else []
        self._table.setRowCount(len(organs))
        for row, organ in enumerate(organs):
            for column, text in enumerate(_cells(organ, report["warnings"])):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(text)
                self._table.setItem(row, column, item)
        self._label.text = _summary(report) if report else _("No result yet.")


def _cells(organ: dict, warnings: list[str]) -> tuple[str, ...]:
    """Warnings are sentences that name their organ (`FlareSegLib.results.plausibility`)."""
    own = " ".join(sentence for sentence in warnings if f" {organ['name']} " in sentence)
    if not organ["voxels"]:
        return organ["name"], _("not found"), "-", own
    return organ["name"], f"{organ['volume_ml']:.1f}", f"{organ['mean_hu']:.0f}", own


def _summary(report: dict) -> str:
    took = _("{model}: {slices} slices in {seconds:.1f} s on {device} ({precision}).").format(
        model=report["model"], slices=report["slices_run"], seconds=report["seconds"], device=report["device"],
        precision=report["precision"])
    return " ".join((took, *report["notes"]))
