"""The editing tab: its parts put together, and what can be done now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import FlareSegModuleLib
import qt
import slicer
from FlareSegModuleLib.organ_choice import take_keyboard_focus
from FlareSegModuleLib.setup_section import SetupSection
from slicer.i18n import tr as _

from .cards import Cards
from .edit_node import ATTRIBUTE
from .mapping_view import MappingView
from .operations_table import OperationsTable
from .parameter_view import ParameterView
from .workspace import Workspace

REQUIREMENTS = Path(FlareSegModuleLib.__file__).resolve().parents[1] / "Resources" / "FlareSegRequirements.txt"
PICTURES = Path(__file__).resolve().parents[1] / "Resources" / "DiseasePictures"
RULES = {"keep": "as they were", "join": "lesion is organ", "background": "lesion is no organ"}


class Panel:
    """Shows the open edit and the parameters of what is chosen; hands what the person does to the workspace.

    Parameters
    ----------
    ui
        The widgets of FlareSegEditor.ui by name.
    on_mapping : callable
        Called without arguments when the person has mapped a segment.

    Attributes
    ----------
    busy : str
        Why nothing can be edited now; empty where it can.
    on_refresh : callable
        Called without arguments when something else is shown.
    """

    def __init__(self, ui, on_mapping: Callable[[], None]):
        self.ui = ui
        self.parameters = None
        self.busy = ""
        self.on_refresh = lambda: None
        self.work = Workspace(self.refresh, self.say)
        self.setup = SetupSection(ui.setupCollapsibleButton, ui.setupLabel, ui.setupButton, str(REQUIREMENTS),
                                  self.refresh)
        self.mapping = MappingView(ui.mappingTable, on_mapping)
        self.cards = Cards(ui.diseaseList, ui.organFilterComboBox, ui.searchLineEdit, PICTURES, self._card_chosen)
        self.sliders = ParameterView(ui.mainParameters, ui.advancedParameters, ui.advancedCollapsibleButton,
                                     self._parameters_chosen, self._sliding)
        self.table = OperationsTable(ui.operationsTable, self._row_chosen, self._shown_chosen)
        self._rules: tuple[str, ...] = ()
        self._quiet = False
        for selector in (ui.inputSelector, ui.segmentationSelector, ui.editSelector):
            take_keyboard_focus(selector)
        ui.editSelector.addAttribute("vtkMRMLTextNode", ATTRIBUTE)
        self._connect()
        self.setup.refresh()
        self.refresh()

    def _connect(self) -> None:
        ui, work = self.ui, self.work
        for button, slot in (
                (ui.placeButton, self._place_or_stop), (ui.addButton, self._add), (ui.reshapeButton, work.reshape),
                (ui.drawAllButton, self.sliders.draw_all), (ui.duplicateButton, work.duplicate),
                (ui.deleteButton, lambda: work.attempt(work.editing.remove, work.chosen)),
                (ui.upButton, lambda: work.attempt(work.editing.shift, work.chosen, -1)),
                (ui.downButton, lambda: work.attempt(work.editing.shift, work.chosen, 1)),
                (ui.undoButton, lambda: work.attempt(work.editing.undo)),
                (ui.redoButton, lambda: work.attempt(work.editing.redo))):
            button.connect("clicked()", slot)
        ui.beforeButton.connect("toggled(bool)", work.show_before)
        ui.differenceCheckBox.connect("toggled(bool)", lambda shown: work.difference.show(work.editing, shown))
        ui.labelRuleComboBox.connect("currentIndexChanged(int)", self._rule_chosen)
        self.shortcut = self._key("X", self.toggle_before)  # B and F step through slices in Slicer
        self.escape = self._key("Escape", work.placement.stop)  # Slicer ends placing by a right click alone

    def _key(self, name: str, slot: Callable):
        """A key that does something wherever the mouse is; at first it does not."""
        shortcut = qt.QShortcut(slicer.util.mainWindow() or self.ui.beforeButton)
        shortcut.setKey(qt.QKeySequence(name))
        shortcut.connect("activated()", slot)
        shortcut.setEnabled(False)
        return shortcut

    def toggle_before(self) -> None:
        """The key: before, after, before."""
        if self.work.editing is not None:
            self.ui.beforeButton.checked = not self.ui.beforeButton.checked

    @property
    def disease(self):
        """What parameters are shown of: the chosen operation's disease, else the chosen card's; None for none."""
        entry = self._entry()
        return self.work.editing.find(entry.operation.disease) if entry is not None else self.cards.chosen

    def _choose_card(self, name: str | None) -> None:
        self._quiet = True
        try:
            self.cards.choose(name)
        finally:
            self._quiet = False

    def _entry(self):
        return self.work.editing.entry(self.work.chosen) if self.work.editing is not None else None

    def say(self, sentence: str) -> None:
        """Why something was refused."""
        self.ui.messageLabel.text = sentence

    # What the person does

    def _card_chosen(self, disease) -> None:
        if disease is None or self._quiet:
            return
        self.work.choose(None)
        self._show_parameters(disease, disease.parameters(), disease.label_rules[0])
        self.refresh()
        if disease.place is not None and self.work.editing is not None and not self.busy:
            self.place()

    def _place_or_stop(self) -> None:
        """The button: a second press ends waiting."""
        if self.work.placement.active:
            self.work.placement.stop()
        else:
            self.place()

    def place(self) -> None:
        """Wait for a click that says where the disease is to be."""
        disease = self.disease
        self._choose_card(disease.name)
        self.work.choose(None)
        self.work.place(disease, lambda: self.sliders.parameters, lambda: self.rule)
        self.refresh()

    def _add(self) -> None:
        disease = self.disease
        self.work.add_somewhere(disease, self.sliders.parameters, self.ui.organComboBox.currentText, self.rule)

    def _parameters_chosen(self, parameters) -> None:
        if self._entry() is not None:
            self.work.change_parameters(parameters)

    def _sliding(self, name: str, value: float) -> None:
        if self._entry() is not None:
            self.work.slide(name, value)

    def _rule_chosen(self, index: int) -> None:
        if not self._quiet and index >= 0 and self._entry() is not None:
            self.work.change_rule(self.rule)

    def _row_chosen(self, key: str | None) -> None:
        self.work.placement.stop()
        self.work.choose(key)

    def _shown_chosen(self, key: str, shown: bool) -> None:
        self.work.attempt(self.work.editing.set_shown, key, shown)

    @property
    def rule(self) -> str:
        """The label rule that is chosen."""
        index = self.ui.labelRuleComboBox.currentIndex
        return self._rules[index] if 0 <= index < len(self._rules) else ""

    # What is shown

    def refresh(self) -> None:
        """Show the open edit and what can be done."""
        if "_quiet" not in vars(self):  # parts tell of changes while others are still being made
            return
        work = self.work
        self.table.show(work.editing, work.chosen, work.marks)
        self.ui.verdictLabel.text = work.verdict
        entry = self._entry()
        if entry is not None:
            self._choose_card(None)
            self._show_parameters(self.disease, entry.operation.parameters, entry.operation.label_rule)
        elif self.cards.chosen is None and self.sliders.parameters is not None and not work.placement.active:
            self._show_parameters(None, None, "")
        self._show_subject(entry)
        self._show_what_can_be_done(entry)
        if self.ui.beforeButton.checked != work.before:
            self.ui.beforeButton.checked = work.before
        if self.ui.differenceCheckBox.checked != work.difference.shown:
            self.ui.differenceCheckBox.checked = work.difference.shown
        self.on_refresh()

    def _show_parameters(self, disease, parameters, rule: str) -> None:
        self._quiet = True
        try:
            self.sliders.show(parameters)
            rules = disease.label_rules if disease is not None else ()
            if rules != self._rules:
                self._rules = rules
                self.ui.labelRuleComboBox.clear()
                self.ui.labelRuleComboBox.addItems([_(RULES[each]) for each in rules])
            if rule in rules:
                self.ui.labelRuleComboBox.currentIndex = rules.index(rule)
            self._show_organs(disease)
        finally:
            self._quiet = False

    def _show_organs(self, disease) -> None:
        box = self.ui.organComboBox
        there = [] if disease is None or self.work.editing is None else [
            organ for organ in disease.organs if self.work.editing.session.scene.has(organ)]
        if [box.itemText(index) for index in range(box.count)] != there:
            box.clear()
            box.addItems(there)

    def _show_subject(self, entry) -> None:
        disease = self.disease
        if entry is not None:
            number = 1 + [each.key for each in self.work.editing.entries].index(entry.key)
            text = _("Of operation {number}, {title} ({organ}).").format(
                number=number, title=_(disease.title), organ=entry.operation.organ or _("whole scan"))
        elif disease is not None:
            text = _("Of the {title} that is placed next.").format(title=_(disease.title))
        else:
            text = _("Choose a disease or an operation.")
        self.ui.subjectLabel.text = text

    def _show_what_can_be_done(self, entry) -> None:
        ui, work, disease = self.ui, self.work, self.disease
        open_ = work.editing is not None and not self.busy
        waiting = work.placement.active
        self.escape.setEnabled(waiting)
        ui.placeButton.enabled = open_ and (waiting or disease is not None and disease.place is not None)
        ui.placeButton.text = _("Click in a view... (stop)") if waiting else _("Place by clicking")
        ui.addButton.enabled = open_ and disease is not None and (ui.organComboBox.count > 0 or not disease.organs)
        ui.organComboBox.enabled = ui.addButton.enabled
        ui.addButton.text = _("Add") if disease is not None and disease.place is None else _("Add at random")
        chosen = open_ and entry is not None
        keys = [each.key for each in work.editing.entries] if work.editing is not None else []
        for widget, possible in (
                (ui.duplicateButton, chosen), (ui.deleteButton, chosen), (ui.reshapeButton, chosen),
                (ui.upButton, chosen and keys[0] != entry.key), (ui.downButton, chosen and keys[-1] != entry.key),
                (ui.undoButton, open_ and work.editing.session.can_undo),
                (ui.redoButton, open_ and work.editing.session.can_redo),
                (ui.drawAllButton, not self.busy and self.sliders.parameters is not None),
                (ui.labelRuleComboBox, not self.busy and len(self._rules) > 1),
                (ui.beforeButton, open_), (ui.differenceCheckBox, open_), (ui.operationsTable, open_),
                (ui.diseaseList, not self.busy)):
            widget.enabled = bool(possible)
        self.sliders.enable(not self.busy)

    def stop(self) -> None:
        """The panel closes."""
        self.shortcut.setEnabled(False)
        self.work.close()
