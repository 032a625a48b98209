"""The operation list as a table: shown or hidden, what and where, volume, contrast, and the quality gate's mark."""

from __future__ import annotations

import operator
from collections.abc import Callable

import qt
from slicer.i18n import tr as _

SHOWN, TITLE, ORGAN, VOLUME, CONTRAST, LABELS, MARK = range(7)
KEY_ROLE = qt.Qt.UserRole
PASSED, FAILED = "\u2713", "!"


def headings() -> list[str]:
    """Of the columns."""
    return ["", _("Disease"), _("Organ"), _("ml"), _("\u0394HU"), _("Organ ml"), ""]


class OperationsTable:
    """Shows an edit's list.

    Parameters
    ----------
    table : QTableWidget
    on_choose : callable
        ``on_choose(key)`` when the person chooses a row; None for none.
    on_show : callable
        ``on_show(key, shown)`` when the person ticks or unticks one.
    """

    def __init__(self, table, on_choose: Callable, on_show: Callable):
        self._table, self._on_choose, self._on_show = table, on_choose, on_show
        self._quiet = False
        self._rows: list[tuple] = []  # what is shown: entry, done, mark
        table.setColumnCount(len(headings()))
        table.setHorizontalHeaderLabels(headings())
        table.verticalHeader().setVisible(False)
        table.horizontalHeader().setStretchLastSection(False)
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setSectionResizeMode(TITLE, qt.QHeaderView.Stretch)
        table.connect("itemSelectionChanged()", self._selection_changed)
        table.connect("itemChanged(QTableWidgetItem*)", self._item_changed)

    def show(self, editing, chosen: str | None, marks: dict[str, tuple[bool, str]]) -> None:
        """Show the list; `marks` are what the quality gate said, by key: whether it passed, and why not."""
        self._quiet = True
        try:
            entries = editing.entries if editing is not None else ()
            rows = [(entry, editing.done(entry.key), marks.get(entry.key)) for entry in entries]
            self._table.setRowCount(len(rows))
            for row, shown in enumerate(rows):
                if not (row < len(self._rows) and all(map(operator.is_, shown, self._rows[row]))):
                    self._show_row(row, *shown, editing)
            self._rows = rows
            self._table.clearSelection()
            for row, entry in enumerate(entries):
                if entry.key == chosen:
                    self._table.selectRow(row)
        finally:
            self._quiet = False

    @property
    def chosen(self) -> str | None:
        """Key of the chosen row."""
        row = self._table.currentRow()
        items = self._table.selectedItems()
        return str(self._table.item(row, SHOWN).data(KEY_ROLE)) if items and row >= 0 else None

    def _show_row(self, row: int, entry, done, mark, editing) -> None:
        disease = editing.find(entry.operation.disease)
        tick = qt.QTableWidgetItem()
        tick.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
        tick.setCheckState(qt.Qt.Checked if entry.shown else qt.Qt.Unchecked)
        tick.setData(KEY_ROLE, entry.key)
        tick.setToolTip(_("Unticked operations are left out of the result."))
        self._table.setItem(row, SHOWN, tick)
        parts = len(done.parts) if done is not None else 0
        title = _(disease.title) + (_(" ({count} parts)").format(count=parts) if disease.parts is not None and parts
                                    else "")
        self._text(row, TITLE, title)
        self._text(row, ORGAN, entry.operation.organ)
        self._text(row, VOLUME, volume_text(done))
        self._text(row, CONTRAST, contrast_text(done))
        self._text(row, LABELS, own_gain_text(done, entry.operation.organ), gained_text(done))
        passed, why = mark if mark is not None else (None, "")
        self._text(row, MARK, "" if passed is None else PASSED if passed else FAILED, why)

    def _text(self, row: int, column: int, text: str, tooltip: str = "") -> None:
        item = qt.QTableWidgetItem(text)
        item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
        item.setToolTip(tooltip or text)
        self._table.setItem(row, column, item)

    def _selection_changed(self) -> None:
        if not self._quiet:
            self._on_choose(self.chosen)

    def _item_changed(self, item) -> None:
        if not self._quiet and item.column() == SHOWN:
            self._rows = []  # it may be refused
            self._on_show(str(item.data(KEY_ROLE)), item.checkState() == qt.Qt.Checked)


def _notes(done) -> list:
    return [note for note in (done.notes if done is not None else ()) if note is not None]


def volume_text(done) -> str:
    """Volume of the lesion, or of all parts' lesions."""
    volumes = [note.lesion_ml for note in _notes(done) if note.lesion_ml is not None]
    return f"{sum(volumes):.1f}" if volumes else ""


def contrast_text(done) -> str:
    """Contrast to the organ: what was reached, weighted by volume over the parts."""
    found = [(note.achieved_hu, note.lesion_ml or 1.0) for note in _notes(done) if note.achieved_hu is not None]
    return f"{sum(hu * ml for hu, ml in found) / sum(ml for _hu, ml in found):+.0f}" if found else ""


def _gained(done) -> dict[str, float]:
    gained: dict[str, float] = {}
    for note in _notes(done):
        for organ, ml in note.gained_ml.items():
            gained[organ] = gained.get(organ, 0.0) + ml
    return gained


def own_gain_text(done, organ: str) -> str:
    """What the operation's own organ gained or lost."""
    return f"{_gained(done).get(organ, 0.0):+.1f}" if done is not None and organ else ""


def gained_text(done) -> str:
    """What all organs gained or lost."""
    gained = _gained(done)
    return ", ".join(_("{organ} {ml:+.1f} ml").format(organ=organ, ml=ml)
                     for organ, ml in gained.items() if abs(ml) >= 0.05)
