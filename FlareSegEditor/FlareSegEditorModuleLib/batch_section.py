"""The batch tab: many variants of many cases in a process of its own, with progress, cancelling and a contact sheet."""

from __future__ import annotations

import threading
from pathlib import Path

import qt
import slicer
from FlareSegModuleLib.background import Background, Follower
from FlareSegModuleLib.python_process import python_command, python_environment
from slicer.i18n import tr as _

from FlareSegLib.errors import FlareSegError

from .contact_sheet_view import show_picture

DISEASE, WEIGHT = range(2)


class BatchSection:
    """Shows and runs a batch.

    Parameters
    ----------
    ui
        The panel's widgets.
    work : Workspace
        Its open edit may be the model of all variants.
    """

    def __init__(self, ui, work):
        self.ui, self._work = ui, work
        self.parameters = None
        self._worker = self._follower = None
        self._sheet: Path | None = None  # the one that was shown last
        self._diseases: list[str] = []
        ui.batchStartButton.connect("clicked()", self.start)
        ui.batchCancelButton.connect("clicked()", self.cancel)
        ui.contactSheetButton.connect("clicked()", self.show_contact_sheet)
        ui.mixTable.setColumnCount(2)
        ui.mixTable.setHorizontalHeaderLabels([_("Disease"), _("Weight")])
        ui.mixTable.verticalHeader().setVisible(False)
        ui.mixTable.horizontalHeader().setSectionResizeMode(DISEASE, qt.QHeaderView.Stretch)

    def fill(self) -> None:
        """List the catalogue with the default mix' weights, once."""
        if self._diseases:
            return
        from FlareSegLib.disease.catalogue import DISEASES
        from FlareSegLib.disease.mix import default_mix

        self._mix = default_mix(DISEASES)
        weights = {entry.disease: entry.weight for entry in self._mix.entries}
        self._diseases = sorted(DISEASES, key=lambda name: -weights.get(name, 0))
        self.ui.mixTable.setRowCount(len(self._diseases))
        for row, name in enumerate(self._diseases):
            item = qt.QTableWidgetItem(_(DISEASES[name].title))
            item.setFlags(qt.Qt.ItemIsEnabled)
            item.setToolTip(_(DISEASES[name].description))
            self.ui.mixTable.setItem(row, DISEASE, item)
            box = qt.QDoubleSpinBox()
            box.setObjectName(f"weight_{name}")
            box.decimals, box.minimum, box.maximum = 0, 0.0, 1000.0
            box.value = float(weights.get(name, 0))
            box.toolTip = _("How often this disease comes, relative to the others.")
            self.ui.mixTable.setCellWidget(row, WEIGHT, box)

    @property
    def weights(self) -> dict[str, float]:
        """Disease to weight, those that come at all."""
        found = {name: self.ui.mixTable.cellWidget(row, WEIGHT).value for row, name in enumerate(self._diseases)}
        return {name: float(weight) for name, weight in found.items() if weight > 0}

    def model(self) -> dict:
        """The JSON document that variants are made from: a recipe or a mix."""
        import json
        from dataclasses import replace

        from FlareSegLib.disease.mix import Entry, mix_text
        from FlareSegLib.disease.recipe import recipe_text

        from .recipe_files import recipe_of

        if self.parameters.batchLikeEdit:
            return json.loads(recipe_text(recipe_of(self._work.editing)))
        known = {entry.disease: entry for entry in self._mix.entries}
        entries = tuple(replace(known.get(name, Entry(name, weight)), weight=weight)
                        for name, weight in self.weights.items())
        return json.loads(mix_text(replace(self._mix, entries=entries)))

    def hindrance(self) -> str:
        """Why no batch can be started now; empty where one can."""
        if self._worker is not None:
            return _("A batch is running.")
        if self.parameters is None or str(self.parameters.batchCases) in ("", "."):
            return _("Choose the folder of the cases.")
        if str(self.parameters.batchOutput) in ("", "."):
            return _("Choose the folder of the new data set.")
        if self.parameters.batchLikeEdit and (self._work.editing is None or not any(
                entry.shown for entry in self._work.editing.entries)):
            return _("No edit with operations is open to be like.")
        if not self.parameters.batchLikeEdit and self._diseases and not self.weights:
            return _("Give at least one disease a weight.")
        return ""

    def show_what_can_be_done(self) -> None:
        """Enable the buttons, or say in the tooltip what is missing."""
        hindrance, ui = self.hindrance(), self.ui
        ui.batchStartButton.enabled = not hindrance
        ui.batchStartButton.toolTip = hindrance or _("Make the variants in a process of its own; Slicer can be used "
                                                     "meanwhile.")
        ui.batchCancelButton.enabled = self._worker is not None
        ui.mixTable.enabled = self._worker is None and self.parameters is not None and not self.parameters.batchLikeEdit
        sheets = self.sheets()
        ui.contactSheetButton.enabled = bool(sheets)
        ui.contactSheetButton.text = _("Contact sheet {number} of {total}").format(
            number=sheets.index(self._sheet) + 1, total=len(sheets)) if self._sheet in sheets else _("Contact sheet")

    def job(self):
        """What the tab asks for.

        Raises
        ------
        FlareSegError
            Where the open edit cannot be made a recipe.
        """
        from FlareSegLib.disease.simulate_job import SimulateJob

        p = self.parameters
        return SimulateJob((str(p.batchCases),), str(p.batchOutput), p.batchLayout.value, self.model(), p.batchVariants,
                           p.batchSeed, p.batchJobs, p.batchOriginals)

    @property
    def running(self) -> bool:
        """Whether a batch is under way."""
        return self._worker is not None

    def start(self) -> None:
        """The button."""
        from FlareSegLib.worker.client import WorkerProcess

        self._sheet = None
        try:
            with slicer.util.WaitCursor():
                job = self.job()
            worker = self._worker = WorkerProcess(job, python_command(), python_environment()).start()
        except FlareSegError as error:
            self._fail(str(error))
            return
        self.ui.batchProgressBar.value = 0
        self.ui.batchLabel.text = _("The cases are being read...")
        self._follower = Follower(Background(lambda post: _followed(worker, post)).start(), self._ended, self._progress)
        self.show_what_can_be_done()

    def _progress(self, message: dict) -> None:
        if message["type"] == "progress":
            self.ui.batchProgressBar.maximum = max(1, message["total"])
            self.ui.batchProgressBar.value = message["done"]
            self.ui.batchLabel.text = _("{done} of {total} cases are complete.").format(**{
                key: message[key] for key in ("done", "total")})

    def _ended(self, background) -> None:
        self._worker = self._follower = None
        if background.error is not None:
            raise background.error
        message = background.value
        if message["type"] == "error":
            cancelled = message.get("code") == "cancelled"
            if cancelled:
                self.ui.batchLabel.text = _("Stopped. What is complete stays; the same settings go on from there.")
            else:
                self._fail(message["message"])
        else:
            self.ui.batchLabel.text = summary(message)
        self.show_what_can_be_done()

    def cancel(self) -> None:
        """The button; the end comes within a second."""
        self.ui.batchCancelButton.enabled = False
        threading.Thread(target=self._worker.cancel, daemon=True).start()

    def stop(self) -> None:
        """The panel closes: no process is left behind."""
        if self._worker is not None:
            self._follower.stop()
            self._worker.cancel()
            self._worker = self._follower = None

    def sheets(self) -> list[Path]:
        """The contact sheets that lie in the folder of the new data set."""
        if self.parameters is None or str(self.parameters.batchOutput) in ("", "."):
            return []
        return sorted(Path(self.parameters.batchOutput).glob("contact_sheet_*.png"))

    def show_contact_sheet(self) -> None:
        """The button: the variants' pictures in a slice view; each press shows the next sheet."""
        sheets = self.sheets()
        number = sheets.index(self._sheet) + 1 if self._sheet in sheets else 0
        self._sheet = sheets[number % len(sheets)]
        show_picture(str(self._sheet), _("Contact sheet"))
        self.show_what_can_be_done()

    def _fail(self, sentence: str) -> None:
        self.ui.batchLabel.text = sentence
        slicer.util.errorDisplay(sentence, windowTitle=_("Disease Simulation Editor"))
        self.show_what_can_be_done()


def _followed(worker, post) -> dict:
    """Hand on what a process says; return its last word."""
    for message in worker.messages():
        post(message)
    return message


def summary(message: dict) -> str:
    """What became of a batch, in sentences."""
    text = _("{made} cases were made, {kept} were there.").format(made=message["made"], kept=message["kept"])
    if message["doubtful"]:
        text += " " + _("Beyond the quality gate's limits: {cases}.").format(cases="; ".join(message["doubtful"]))
    if message["failed"]:
        text += " " + _("Not usable: {cases}").format(cases="; ".join(message["failed"]))
    return text
