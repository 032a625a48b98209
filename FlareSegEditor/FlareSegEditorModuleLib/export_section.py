"""The section Export: checks what is asked for, and exports beside the GUI."""

from __future__ import annotations

import re
from pathlib import Path

import slicer
from FlareSegModuleLib.background import in_background
from slicer.i18n import tr as _

from FlareSegLib.errors import FlareSegError

from .exporting import ExportJob, export
from .sharing import Sharing


class ExportSection:
    """Names for the case, and the button.

    Parameters
    ----------
    ui
        The panel's widgets.
    work : Workspace
    on_busy : callable
        ``on_busy(reason)`` while an export runs; "" when it has ended.
    """

    def __init__(self, ui, work, on_busy):
        self.ui, self._work, self._on_busy = ui, work, on_busy
        self.parameters = None
        self._follower = None
        self._sharing = Sharing()
        ui.exportButton.connect("clicked()", self.export)
        for edit in (ui.caseNameEdit, ui.patientEdit):
            edit.connect("textChanged(QString)", lambda text: self.show_what_can_be_done())

    def suggest_names(self, editing) -> None:
        """Suggest names for another edit."""
        name = editing_name(editing)
        if name and not self.ui.patientEdit.text:
            self.ui.patientEdit.text = name
        if name:
            self.ui.caseNameEdit.text = f"{self.ui.patientEdit.text}_edited"

    def hindrance(self) -> str:
        """Why nothing can be exported now; empty where it can."""
        if self._follower is not None:
            return _("An export is running.")
        if self._work.editing is None or not any(entry.shown for entry in self._work.editing.entries):
            return _("There is nothing to export yet: begin editing and add a disease.")
        if self.parameters is None or str(self.parameters.exportFolder) in ("", "."):
            return _("Choose the data set's folder.")
        if not self.ui.caseNameEdit.text or not self.ui.patientEdit.text:
            return _("Give the case and the patient a name.")
        return ""

    def show_what_can_be_done(self) -> None:
        """Enable the button, or say in its tooltip what is missing."""
        hindrance = self.hindrance()
        self.ui.exportButton.enabled = not hindrance
        self.ui.exportButton.toolTip = hindrance or _("Check the case as training does, then add it: all of its files "
                                                      "or none.")

    def job(self) -> ExportJob:
        """What the section asks for."""
        editing, parameters = self._work.editing, self.parameters
        return ExportJob(editing.case, editing.order, editing.volume,
                         tuple(entry.operation for entry in editing.entries if entry.shown), editing.find,
                         Path(parameters.exportFolder), parameters.layout.value, self.ui.caseNameEdit.text,
                         self.ui.patientEdit.text, parameters.operatorName, parameters.withOriginal)

    def export(self) -> None:
        """The button; the windows stay alive meanwhile."""
        job = self.job()
        self._say(_("Exporting: replaying, checking and writing the case..."))
        self._follower = in_background(lambda: export(job), self._ended)
        self._sharing.start()
        self._on_busy(_("An export is running."))

    @property
    def running(self) -> bool:
        """Whether an export is under way."""
        return self._follower is not None

    def stop(self) -> None:
        """The panel closes: the export ends by itself, all of its files or none; nobody is told."""
        if self._follower is not None:
            self._follower.stop()
            self._follower = None
        self._sharing.stop()

    def _ended(self, background) -> None:
        self._sharing.stop()
        self._follower = None
        self._on_busy("")
        if background.error is None:
            names, passed = background.value
            text = _("Added {names}.").format(names=", ".join(names))
            self._say(text if passed else text + " " + _("The quality gate found figures beyond their limits; they are "
                                                         "in the recipe."))
            return
        sentence = str(background.error)
        if not isinstance(background.error, FlareSegError):
            name = type(background.error).__name__
            sentence = _("The export failed unexpectedly; nothing was written.") + f" ({name})"
        self._say(sentence)
        slicer.util.errorDisplay(sentence, windowTitle=_("Disease Simulation Editor"))

    def _say(self, sentence: str) -> None:
        self.ui.exportLabel.text = sentence


def editing_name(editing) -> str:
    """A name for files out of the CT's; it may be a patient's, so the person sees it before anything is written."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", editing.ct.GetName()).strip("_-")[:40] if editing is not None else ""
