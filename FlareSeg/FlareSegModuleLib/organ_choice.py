"""Check boxes for the organs that a model knows."""

from __future__ import annotations

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from FlareSegLib.organs import Organ

COLUMNS = 4


def take_keyboard_focus(selector):
    """Let the Tab key reach a qMRMLNodeComboBox and return its inner combo box.

    Slicer makes the selector the combo box's focus proxy, and the selector itself accepts no focus.
    """
    box = selector.findChild(qt.QComboBox)
    box.setFocusProxy(None)
    return box


class OrganChoice:
    """One check box an organ, in a widget with a grid layout.

    Parameters
    ----------
    container : QWidget
        Gets the check boxes; theirs are the object names "organ_liver" and so on.
    before : QWidget
        What comes before them in the keyboard order.
    on_change : callable
        Called without arguments when the user ticks or unticks one.
    """

    def __init__(self, container, before, on_change: Callable[[], None]):
        self._container, self._before, self._on_change = container, before, on_change
        self._boxes: dict[str, object] = {}

    def show(self, organs: tuple[Organ, ...], skipped: set[str]) -> None:
        """Offer these organs, ticked unless skipped."""
        names = [organ.name for organ in organs]
        if names != list(self._boxes):
            self._build(names)
        for name, box in self._boxes.items():
            blocked = box.blockSignals(True)
            box.checked = name not in skipped
            box.blockSignals(blocked)

    @property
    def chosen(self) -> tuple[str, ...]:
        """Names of the ticked organs, in the model's order."""
        return tuple(name for name, box in self._boxes.items() if box.checked)

    @property
    def skipped(self) -> tuple[str, ...]:
        """Names of the others."""
        return tuple(name for name, box in self._boxes.items() if not box.checked)

    def enable(self, enabled: bool) -> None:
        """Let the user choose, or not (during a run)."""
        for box in self._boxes.values():
            box.setEnabled(enabled)

    def _build(self, names: list[str]) -> None:
        layout = self._container.layout()
        for box in self._boxes.values():
            layout.removeWidget(box)
            box.hide()
            box.deleteLater()
        self._boxes = {}
        before = self._before
        for index, name in enumerate(names):
            box = qt.QCheckBox(name, self._container)
            box.objectName = f"organ_{name}"
            box.toolTip = _("Make a segment for the {organ}.").format(organ=name)
            layout.addWidget(box, index // COLUMNS, index % COLUMNS)
            box.connect("toggled(bool)", self._toggled)
            qt.QWidget.setTabOrder(before, box)
            before = self._boxes[name] = box

    def _toggled(self, checked: bool) -> None:
        self._on_change()
