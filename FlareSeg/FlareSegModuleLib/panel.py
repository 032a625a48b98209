"""What the panel shows: the parts put together, and what can be done now."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from .device_line import DeviceLine
from .diagnostics import without_private_paths
from .input_verdict import InputVerdict
from .model_choice import ModelChoice
from .organ_choice import OrganChoice, take_keyboard_focus
from .progress_view import ProgressView
from .result_import import held_organs, report_of
from .results_view import ResultsView
from .run import RunOptions
from .run_log import RunLog
from .setup_section import SetupSection
from .volume_nodes import grid_text


class Panel:
    """The parts of the panel; shows parameters and never changes them.

    Parameters
    ----------
    ui
        The widgets of FlareSeg.ui by name.
    requirements_path : str
        The requirements file.
    on_model, on_organs : callable
        ``on_model(name)`` and ``on_organs()`` when the user chooses others.

    Attributes
    ----------
    parameters : FlareSegParameterNode or None
        What is shown.
    running : bool
        Whether a segmentation is under way.
    """

    def __init__(self, ui, requirements_path: str, on_model: Callable[[str], None], on_organs: Callable[[], None]):
        self.ui = ui
        self.parameters = None
        self.running = False
        self.setup = SetupSection(ui.setupCollapsibleButton, ui.setupLabel, ui.setupButton, requirements_path,
                                  self._packages_changed)
        self.verdict = InputVerdict(ui.inputVerdictLabel, self.show_what_can_be_done)
        take_keyboard_focus(ui.inputSelector)
        self.organs = OrganChoice(ui.organsWidget, take_keyboard_focus(ui.outputSelector), on_organs)
        self.models = ModelChoice(ui.modelComboBox, on_model, self.log)
        self.device = DeviceLine(ui.deviceLabel)
        self.progress = ProgressView(ui.progressBar, ui.progressLabel)
        self.results = ResultsView(ui.resultsTable, ui.resultsLabel)
        self.run_log = RunLog(self.log, self._findings)
        self.setup.refresh()
        self.models.refresh()

    def show(self, parameters) -> None:
        """Show these parameters; None while the scene closes or another module is open."""
        self.parameters = parameters
        if parameters is not None:
            self.models.choose(parameters.model)
            model = self.models.chosen
            self.organs.show(model.organs if model else (), set(parameters.skippedOrgans.split(",")))
            self.verdict.watch(parameters.inputVolume)
            self.device.show(parameters.device.value, parameters.exact, str(model.folder) if model else "default",
                             self.setup.missing)
            self.results.show(report_of(parameters.lastResult))
        self.show_what_can_be_done()

    def show_what_can_be_done(self) -> None:
        """Enable what can be done now; the tooltip of the button says what hinders."""
        ui, idle = self.ui, not self.running
        hindrance = self.hindrance()
        ui.applyButton.enabled = not hindrance
        ui.applyButton.toolTip = hindrance or _("Segment the organs of the selected CT.")
        ui.cancelButton.enabled = self.running
        for widget in (ui.inputSelector, ui.outputSelector, ui.modelComboBox, ui.deviceComboBox, ui.exactCheckBox,
                       ui.keepLargestCheckBox, ui.phantomButton):
            widget.enabled = idle
        self.organs.enable(idle)
        ui.clearModelsButton.enabled = idle and bool(self.models.imported)
        ui.removeModelButton.enabled = idle and self.models.chosen in self.models.imported
        result = self.parameters.lastResult if self.parameters is not None else None
        ui.show3DButton.setSegmentationNode(result)  # enables itself
        for widget in (ui.segmentEditorButton, ui.statisticsButton):
            widget.enabled = result is not None

    def hindrance(self) -> str:
        """Why no segmentation can be started now; empty where it can."""
        if self.running:
            return _("A segmentation is running.")
        if self.parameters is None or self.parameters.inputVolume is None:
            return _("Choose a CT first.")
        if self.models.chosen is None:
            return _("There is no model; import one in the section Advanced.")
        if not self.organs.chosen:
            return _("Choose at least one organ.")
        return self.verdict.refusal

    def options(self) -> RunOptions:
        """What the panel asks for."""
        return RunOptions(self.organs.chosen, str(self.models.chosen.folder), self.parameters.device.value,
                          self.parameters.exact, self.parameters.keepLargest)

    def may_replace(self) -> bool:
        """Ask where the chosen output holds one of the chosen organs already."""
        chosen = [organ for organ in self.models.chosen.organs if organ.name in self.organs.chosen]
        held = held_organs(self.parameters.outputSegmentation, chosen)
        question = _("The segmentation holds {organs} already. Replace them?").format(organs=", ".join(held))
        return not held or slicer.util.confirmYesNoDisplay(question, "FlareSeg")

    def begin(self) -> None:
        """A segmentation has begun."""
        self.running = True
        self.progress.begin()
        self.run_log.begin(grid_text(self.parameters.inputVolume), self.ui.modelComboBox.currentText, self.options())
        self.show_what_can_be_done()

    def follow(self, message: dict) -> None:
        """Show a message of the worker."""
        self.progress.follow(message)
        self.run_log.follow(message)

    def end(self, sentence: str, report: dict | None = None) -> None:
        """The segmentation has ended, with this to say; `report` where it has a result."""
        self.running = False
        self.progress.end(sentence)
        self.run_log.end(sentence, report)

    def say(self, sentence: str) -> None:
        """Show a sentence below the button and in the log."""
        self.progress.end(sentence)
        self.log(sentence)

    def log(self, sentence: str) -> None:
        """Add a line to the log."""
        if sentence:
            self.ui.logText.appendPlainText(without_private_paths(sentence))

    def stop(self) -> None:
        """Nothing goes on in the background any more."""
        for part in (self.verdict, self.device, self.models):
            part.stop()

    def _findings(self) -> list[str]:
        found = ((_("Input check: {line}"), self.verdict.verdict), (_("Device: {line}"), self.device.answer))
        return [text.format(line=line) for text, line in found if line]

    def _packages_changed(self) -> None:
        self.device.forget()
        self.show(self.parameters)
