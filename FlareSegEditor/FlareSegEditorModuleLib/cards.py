"""The diseases to choose from: a card each, with a picture, its organs and one line; made from the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
from slicer.i18n import tr as _

from FlareSegLib.organs import FLARE_ORGANS

PICTURE_PIXELS = 64
NAME_ROLE = qt.Qt.UserRole


class Cards:
    """A list of cards.

    Parameters
    ----------
    list_widget : QListWidget
    organ_box : QComboBox
        Chooses the organ whose diseases are listed.
    search : QLineEdit
        Words that a card must have.
    pictures : Path
        Folder of NAME.png; a disease without one gets a plain card in its organ's colour.
    on_choose : callable
        ``on_choose(disease)``.
    """

    def __init__(self, list_widget, organ_box, search, pictures: Path, on_choose: Callable):
        self._list, self._organ_box, self._search = list_widget, organ_box, search
        self._pictures, self._on_choose = pictures, on_choose
        self._diseases: dict[str, object] = {}
        list_widget.setIconSize(qt.QSize(PICTURE_PIXELS, PICTURE_PIXELS))
        organ_box.addItem(_("All organs"))
        organ_box.addItems([organ.name for organ in FLARE_ORGANS])
        organ_box.connect("currentIndexChanged(int)", lambda index: self._filter())
        search.connect("textChanged(QString)", lambda text: self._filter())
        list_widget.connect("itemSelectionChanged()", self._chosen)

    def fill(self, diseases: dict[str, object]) -> None:
        """List a catalogue; the first time the panel is opened, for it takes a moment to load."""
        if self._diseases:
            return
        self._diseases = dict(diseases)
        for name, disease in self._diseases.items():
            organs = ", ".join(disease.organs) or _("whole scan")
            item = qt.QListWidgetItem(self._icon(disease), f"{_(disease.title)} ({organs})\n{_(disease.description)}")
            item.setData(NAME_ROLE, name)
            item.setToolTip(_(disease.description))
            self._list.addItem(item)

    @property
    def chosen(self):
        """The disease whose card is chosen; None for none."""
        items = self._list.selectedItems()
        return self._diseases[str(items[0].data(NAME_ROLE))] if items else None

    def choose(self, name: str | None) -> None:
        """Choose a card; None: none."""
        self._list.clearSelection()
        if name is not None:
            self._list.setCurrentItem(self._list.item(list(self._diseases).index(name)))

    def _chosen(self) -> None:
        self._on_choose(self.chosen)

    def _filter(self) -> None:
        organ = self._organ_box.currentText if self._organ_box.currentIndex > 0 else ""
        words = self._search.text.lower().split()
        for index, disease in enumerate(self._diseases.values()):
            text = f"{disease.title} {disease.description} {' '.join(disease.organs)}".lower()
            fits = (not organ or organ in disease.organs) and all(word in text for word in words)
            self._list.item(index).setHidden(not fits)

    def _icon(self, disease):
        path = self._pictures / f"{disease.name}.png"
        if path.is_file():
            return qt.QIcon(str(path))
        colours = {organ.name: organ.colour for organ in FLARE_ORGANS}
        picture = qt.QPixmap(PICTURE_PIXELS, PICTURE_PIXELS)
        picture.fill(qt.QColor(*colours.get(disease.organs[0] if disease.organs else "", (120, 120, 120))))
        return qt.QIcon(picture)
