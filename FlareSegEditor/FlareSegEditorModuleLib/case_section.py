"""The section Case: which CT, which organs, which edit; segmenting first where there is no segmentation."""

from __future__ import annotations

import slicer
from FlareSegModuleLib.dependencies import NotReady
from FlareSegModuleLib.run import RunOptions
from FlareSegModuleLib.scene_job import SceneJob
from slicer.i18n import tr as _

from FlareSegLib.errors import FlareSegError

from . import autosaving, edit_node
from .synthetic_patient import load_synthetic_patient


class CaseSection:
    """Chooses and begins edits.

    Parameters
    ----------
    panel : Panel
        Of the editing tab.
    on_open : callable
        ``on_open(editing)`` when another edit is open; None for none.
    """

    def __init__(self, panel, on_open):
        self.ui, self._panel, self._on_open = panel.ui, panel, on_open
        self.parameters = None
        self._segmentation = self._mapped = None
        self._job = None
        self._opening = False
        self.sentence = ""
        self.ui.beginButton.connect("clicked()", self.begin)
        self.ui.segmentButton.connect("clicked()", self.segment)
        self.ui.phantomButton.connect("clicked()", self.load_synthetic_patient)

    @property
    def open_node(self):
        """The text node of the edit that is open; None for none."""
        editing = self._panel.work.editing
        return editing.node if editing is not None else None

    def show(self, parameters) -> None:
        """Show the parameters, and open the edit that they name."""
        self.parameters = parameters
        if parameters is None:
            return
        segmentation = parameters.inputSegmentation
        mapped = (segmentation, segmentation.GetSegmentation().GetMTime()) if segmentation is not None else None
        if mapped != self._mapped:
            self._mapped = mapped
            self._panel.mapping.show(segmentation)
        if parameters.edit is not self.open_node and not self._opening:
            self.open(parameters.edit)
        self.show_what_can_be_done()

    def hindrance(self) -> str:
        """Why no edit can be begun now; empty where one can."""
        if self._panel.busy:
            return self._panel.busy
        if self.parameters is None or self.parameters.inputVolume is None:
            return _("Choose a CT.")
        if self.parameters.inputSegmentation is None:
            return _("Choose the segmentation of its organs, or segment them first.")
        return self._panel.mapping.hindrance

    def show_what_can_be_done(self) -> None:
        """Enable what can be done now."""
        ui, hindrance = self.ui, self.hindrance()
        ui.beginButton.enabled = not hindrance
        ui.beginButton.toolTip = hindrance or _("Make clones of the CT and of the organs, and begin to edit them.")
        no_ct = self.parameters is None or self.parameters.inputVolume is None
        ui.segmentButton.enabled = not no_ct and not self._panel.busy
        ui.mappingTable.setVisible(self.parameters is not None and self.parameters.inputSegmentation is not None)
        for widget in (ui.inputSelector, ui.segmentationSelector, ui.editSelector, ui.phantomButton):
            widget.enabled = not self._panel.busy
        editing = self._panel.work.editing
        if editing is not None:
            volume = _("Editing {volume}: {count} operations, {memory:.1f} MB for undo.").format(
                volume=editing.canvas.ct.GetName(), count=len(editing.entries),
                memory=editing.session.memory_bytes / 1e6)
            ui.statusLabel.text = self.sentence or volume
        else:
            ui.statusLabel.text = self.sentence or hindrance or _("Press \"Begin editing\".")

    def begin(self) -> None:
        """The button: a new edit of the chosen CT."""
        try:
            self._panel.setup.ensure()
        except NotReady as error:
            slicer.util.errorDisplay(str(error), windowTitle=_("Disease Simulation Editor"))
            return
        self.parameters.edit = edit_node.new_edit_node(self.parameters.inputVolume, self.parameters.inputSegmentation,
                                                       self._panel.mapping.organs)

    def open(self, node) -> None:
        """Open an edit of the scene, or none; what hinders is shown, and the edit rests."""
        self._opening = True  # nodes are made meanwhile, and the parameters tell of them
        try:
            self._open(node)
        finally:
            self._opening = False

    def _open(self, node) -> None:
        work = self._panel.work
        self.sentence = ""
        if node is None:
            work.close()
            self._on_open(None)
            return
        try:
            with slicer.util.WaitCursor():
                from FlareSegLib.disease.catalogue import DISEASES

                self._panel.cards.fill(DISEASES)
                work.open(node)
        except (ValueError, FlareSegError) as error:
            work.close()
            self._fail(node, str(error))
            return
        self._offer_interrupted(work.editing)
        self._on_open(work.editing)

    def _fail(self, node, sentence: str) -> None:
        self.parameters.edit = None
        try:
            empty = not edit_node.read_edit(node, lambda name: None).entries
        except Exception:  # a text that is no edit is not ours to delete
            empty = False
        if empty:
            slicer.mrmlScene.RemoveNode(node)
        self.sentence = sentence
        slicer.util.errorDisplay(sentence, windowTitle=_("Disease Simulation Editor"))

    def _offer_interrupted(self, editing) -> None:
        kept = autosaving.interrupted(editing)
        if kept is None:
            return
        question = _("An edit of this CT with {count} operations was interrupted. Go on with it?").format(
            count=len(kept.entries))
        if slicer.util.confirmYesNoDisplay(question, windowTitle=_("Disease Simulation Editor")):
            self._panel.work.attempt(editing.set_entries, kept.entries)
        else:
            autosaving.forget(editing)

    def load_synthetic_patient(self) -> None:
        """The button: something to try the editor on."""
        self._set_busy(_("A synthetic CT is being made..."))
        try:
            ct, segmentation = load_synthetic_patient()
        finally:
            self._set_busy("")
        if self.parameters is not None:
            self.parameters.inputVolume, self.parameters.inputSegmentation = ct, segmentation

    def segment(self) -> None:
        """The button: let the module FlareSeg find the organs, then choose its result."""
        try:
            self._panel.setup.ensure()
            self._job = SceneJob(self.parameters.inputVolume, None, RunOptions(), self._progress, self._segmented)
        except (ValueError, NotReady) as error:
            slicer.util.errorDisplay(str(error), windowTitle=_("Disease Simulation Editor"))
            return
        self._set_busy(_("The CT is being segmented."))

    def _progress(self, message: dict) -> None:
        if message.get("type") == "progress":
            self.sentence = _("Segmenting: {stage}, {done} of {total}").format(**{key: message[key] for key in (
                "stage", "done", "total")})
            self.ui.statusLabel.text = self.sentence

    def _segmented(self, job) -> None:
        self._job = None
        self.sentence = "" if job.error is None else str(job.error)
        if job.error is None and self.parameters is not None:
            self.parameters.inputSegmentation = job.segmentation
        self._set_busy("")

    def _set_busy(self, reason: str) -> None:
        self._panel.busy = reason
        self._panel.refresh()
        self.show_what_can_be_done()

    def stop(self) -> None:
        """The panel closes."""
        if self._job is not None:
            self._job.abandon()
            self._job = None
