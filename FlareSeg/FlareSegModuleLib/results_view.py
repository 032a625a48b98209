"""A result in the panel: a row for each organ, and below it what the reader should look at."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

from FlareSegLib.organs import FLARE_ORGANS

COLOURS = {organ.name: organ.colour for organ in FLARE_ORGANS}
WARNING = "\u26a0"


class ResultsView:
    """A table and a label below it."""

    def __init__(self, table, label):
        self._table, self._label = table, label
        headers = (_("Organ"), _("Volume (ml)"), _("Mean HU"), _("Warnings"))
        table.setColumnCount(len(headers))
        table.setHorizontalHeaderLabels(list(headers))
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        table.verticalHeader().hide()

    def show(self, report: dict | None) -> None:
        """Show a report (`FlareSegLib.results.report.report_dict`), or nothing."""
        organs = report["organs"] if report else []
        self._table.setRowCount(len(organs))
        for row, organ in enumerate(organs):
            self._show_organ(row, organ, _warnings_of(organ, report["warnings"]))
        self._table.visible = bool(organs)
        self._label.text = "\n".join(_lines(report)) if report else _("No result yet.")

    def _show_organ(self, row: int, organ: dict, warnings: list[str]) -> None:
        for column, text in enumerate(_cells(organ, warnings)):
            item = qt.QTableWidgetItem(text)
            item.setToolTip("\n".join(warnings) or text)
            if column:
                item.setTextAlignment(qt.Qt.AlignCenter)
            elif organ["name"] in COLOURS:
                item.setData(qt.Qt.DecorationRole, qt.QColor(*COLOURS[organ["name"]]))
            self._table.setItem(row, column, item)


def _warnings_of(organ: dict, warnings: list[str]) -> list[str]:
    """Warnings are sentences that name their organ (`FlareSegLib.results.plausibility`)."""
    return [sentence for sentence in warnings if f" {organ['name']} " in sentence]


def _cells(organ: dict, warnings: list[str]) -> tuple[str, ...]:
    mark = f"{WARNING} {len(warnings)}" if warnings else "-"
    if not organ["voxels"]:
        return organ["name"], _("not found"), "-", mark
    return organ["name"], f"{organ['volume_ml']:.1f}", f"{organ['mean_hu']:.0f}", mark


def _lines(report: dict) -> list[str]:
    took = _("{model}: {slices} slices in {seconds:.1f} s on {device} ({precision}).").format(
        model=report["model"], slices=report["slices_run"], seconds=report["seconds"], device=report["device"],
        precision=report["precision"])
    return [*(f"{WARNING} {sentence}" for sentence in report["warnings"]), *report["notes"], took]
