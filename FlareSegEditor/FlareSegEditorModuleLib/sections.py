"""All parts of the module's panel, and what they have to tell each other."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from FlareSegLib.errors import FlareSegError

from . import recipe_files
from .batch_section import BatchSection
from .case_section import CaseSection
from .export_section import ExportSection
from .panel import Panel


class Sections:
    """The panel.

    Parameters
    ----------
    ui
        The widgets of FlareSegEditor.ui by name.
    """

    def __init__(self, ui):
        self.ui = ui
        self.parameters = None
        self.panel = Panel(ui, self.show_what_can_be_done)
        self.case = CaseSection(self.panel, self._opened)
        self.exports = ExportSection(ui, self.panel.work, self._set_busy)
        self.batch = BatchSection(ui, self.panel.work)
        self.panel.on_refresh = self.show_what_can_be_done
        ui.loadRecipeButton.connect("clicked()", self._load_recipe)
        ui.saveRecipeButton.connect("clicked()", self._save_recipe)
        self.show_what_can_be_done()

    def show(self, parameters) -> None:
        """Show these parameters; None while the scene closes or another module is open."""
        self.parameters = parameters
        self.exports.parameters = self.batch.parameters = parameters
        self.case.show(parameters)
        self.show_what_can_be_done()

    def enter(self) -> None:
        """The module is in view."""
        self.panel.shortcut.setEnabled(True)
        self.panel.setup.resume()
        if not self.panel.setup.missing:
            self.batch.fill()
            self.show_what_can_be_done()

    def exit(self) -> None:
        """Another module is in view; the edit stays open, but no click is waited for."""
        self.panel.shortcut.setEnabled(False)
        self.panel.work.placement.stop()

    def stop(self) -> None:
        """The panel closes."""
        self.case.stop()
        self.exports.stop()
        self.batch.stop()
        self.panel.stop()

    def show_what_can_be_done(self) -> None:
        """Enable what can be done now."""
        self.case.show_what_can_be_done()
        self.exports.show_what_can_be_done()
        self.batch.show_what_can_be_done()
        open_ = self.panel.work.editing is not None and not self.panel.busy
        self.ui.loadRecipeButton.enabled = open_
        self.ui.saveRecipeButton.enabled = open_ and any(entry.shown for entry in self.panel.work.editing.entries)

    def _opened(self, editing) -> None:
        self.exports.suggest_names(editing)
        self.panel.refresh()

    def _set_busy(self, reason: str) -> None:
        self.panel.busy = reason
        self.panel.refresh()

    def _load_recipe(self) -> None:
        path = qt.QFileDialog.getOpenFileName(None, _("Load a recipe"), "", _("Recipes (*.json)"))
        if not path:
            return
        editing = self.panel.work.editing

        def load():
            editing.set_entries((*editing.entries, *recipe_files.load_recipe(editing, path)))

        with slicer.util.WaitCursor():
            self.panel.work.attempt(load)

    def _save_recipe(self) -> None:
        path = qt.QFileDialog.getSaveFileName(None, _("Save the recipe"), "recipe.json", _("Recipes (*.json)"))
        if not path:
            return
        try:
            with slicer.util.WaitCursor():
                recipe_files.save_recipe(self.panel.work.editing, path, self.parameters.operatorName)
        except FlareSegError as error:
            slicer.util.errorDisplay(str(error), windowTitle=_("Disease Simulation Editor"))
