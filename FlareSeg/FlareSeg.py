"""FlareSeg: segment liver, kidneys, spleen and pancreas on an abdominal CT with one click.

What needs no Slicer is in FlareSegLib, what is longer than a few lines in FlareSegModuleLib.
"""

import time

import qt
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (ScriptedLoadableModule, ScriptedLoadableModuleLogic,
                                           ScriptedLoadableModuleTest, ScriptedLoadableModuleWidget)
from slicer.util import VTKObservationMixin

import FlareSegModuleLib  # noqa: F401  makes FlareSegLib importable
from FlareSegLib.errors import FlareSegError
from FlareSegLib.models.store import list_bundles
from FlareSegModuleLib import dependencies, links
from FlareSegModuleLib.device_line import Device
from FlareSegModuleLib.diagnostics import diagnostic_report
from FlareSegModuleLib.panel import Panel
from FlareSegModuleLib.result_import import report_of
from FlareSegModuleLib.run import RunOptions
from FlareSegModuleLib.sample_data import load_phantom
from FlareSegModuleLib.scene_job import SceneJob
from FlareSegModuleLib.startup import on_startup_completed
from FlareSegModuleLib.terminology import register_terminology
from FlareSegModuleLib.volume_nodes import first_volume

HOMEPAGE = "https://github.com/FlareSeg/SlicerFlareSeg"


class FlareSeg(ScriptedLoadableModule):
    """The module's description and what is registered when Slicer has started."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("FlareSeg")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Segmentations", "Terminologies"]
        self.parent.contributors = ["FlareSeg contributors"]
        self.parent.helpText = _(
            "Segments liver, kidneys, spleen and pancreas on abdominal CT. Choose a CT and press "
            "<b>Segment abdomen</b>. <b>For research, not for diagnosis or treatment.</b> "
            "See <a href=\"{url}\">the extension's page</a> for a tutorial, the model's training data and its limits."
        ).format(url=HOMEPAGE)
        self.parent.acknowledgementText = _(
            "The method is that of Witanto et al. (team DeepInsthink), MICCAI FLARE 2021: z-isotropification and a 2D "
            "nnU-Net on whole slices. Please cite that paper and Isensee et al., nnU-Net, Nature Methods 18 (2021), "
            "<a href=\"https://doi.org/10.1038/s41592-020-01008-z\">doi:10.1038/s41592-020-01008-z</a>.")
        slicer.app.connect("startupCompleted()", on_startup_completed)


@parameterNodeWrapper
class FlareSegParameterNode:
    """Parameters of the module, saved with the scene.

    inputVolume - CT to segment
    outputSegmentation - where the organs go; None for a new segmentation each run
    lastResult - segmentation that the results section shows
    skippedOrgans - names of the organs to leave out, comma-separated
    model - name of the model, or "default"
    device - where the model runs
    exact - float32 throughout
    keepLargest - remove stray islands
    """

    inputVolume: vtkMRMLScalarVolumeNode
    outputSegmentation: vtkMRMLSegmentationNode
    lastResult: vtkMRMLSegmentationNode
    skippedOrgans: str = ""
    model: str = "default"
    device: Device = Device.AUTOMATIC
    exact: bool = False
    keepLargest: bool = False


class FlareSegWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel's life with the scene, and what its buttons do; what it shows is `FlareSegModuleLib.panel`."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None
        self._job = None
        self._lastError = None

    def setup(self):
        """Build the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/FlareSeg.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = FlareSegLogic()
        self.panel = Panel(self.ui, self.resourcePath("FlareSegRequirements.txt"), self.onModelChanged,
                           self.onOrgansChanged)
        self._connectButtons()
        scene = slicer.mrmlScene
        for change in ("Close", "Import"):
            self.addObserver(scene, getattr(scene, f"Start{change}Event"), self.onSceneStartChange)
            self.addObserver(scene, getattr(scene, f"End{change}Event"), self.onSceneEndChange)
        self.initializeParameterNode()

    def _connectButtons(self):
        ui, models = self.ui, self.panel.models
        for button, slot in (
                (ui.applyButton, self.onApplyButton), (ui.cancelButton, self.onCancelButton),
                (ui.phantomButton, self.onPhantomButton),
                (ui.segmentEditorButton, lambda: links.open_segment_editor(self._parameterNode)),
                (ui.statisticsButton, lambda: links.open_segment_statistics(self._parameterNode)),
                (ui.importFolderButton, lambda: models.import_from(qt.QFileDialog.getExistingDirectory())),
                (ui.importZipButton, lambda: models.import_from(
                    qt.QFileDialog.getOpenFileName(None, _("Import a model"), "", _("Zip files (*.zip)")))),
                (ui.removeModelButton, lambda: models.remove([models.chosen])),
                (ui.clearModelsButton, lambda: models.remove(models.imported)),
                (ui.copyReportButton, self.onCopyReportButton)):
            button.connect("clicked()", slot)

    def cleanup(self):
        """The module is closed or reloaded: nothing may go on."""
        if self._job is not None:
            self._job.abandon()
        self.setParameterNode(None)
        self.panel.stop()
        self.removeObservers()

    def enter(self):
        """The user opens the module."""
        self.initializeParameterNode()
        self.panel.setup.resume()

    def exit(self):
        """The user opens another module; a run goes on."""
        self.setParameterNode(None)

    def onSceneStartChange(self, caller=None, event=None):
        """A scene is closed or loaded: let go of its nodes; a run stops by itself if its volume goes."""
        self.setParameterNode(None)
        self.panel.verdict.watch(None)

    def onSceneEndChange(self, caller=None, event=None):
        """Begin anew where the panel is in view."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self):
        """Use the scene's parameters; choose the first volume where none is chosen."""
        self.setParameterNode(self.logic.getParameterNode())
        if self._parameterNode.inputVolume is None and first_volume() is not None:
            self._parameterNode.inputVolume = first_volume()

    def setParameterNode(self, parameterNode):
        """Connect the panel to parameters, or to none."""
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self._parameterNode = parameterNode
        if parameterNode is not None:
            self._parameterNodeGuiTag = parameterNode.connectGui(self.ui)
            self.addObserver(parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self.panel.show(parameterNode)

    def onParametersModified(self, caller=None, event=None):
        """Show the parameters."""
        self.panel.show(self._parameterNode)

    def onModelChanged(self, name):
        """The user chose another model, or the list has changed."""
        self._parameterNode.model = name
        self.panel.show(self._parameterNode)

    def onOrgansChanged(self):
        """The user ticked or unticked an organ."""
        self._parameterNode.skippedOrgans = ",".join(self.panel.organs.skipped)

    def onApplyButton(self):
        """Segment, unless something is missing or would be replaced against the user's wish."""
        if not self.panel.may_replace():
            return
        try:
            self.panel.setup.ensure()
            self._job = self.logic.start(self._parameterNode.inputVolume, self._parameterNode.outputSegmentation,
                                         self.panel.options(), self.panel.follow, self.onEnd)
        except (ValueError, dependencies.NotReady) as error:
            self._fail(error, self.panel.say)
        else:
            self.panel.begin()

    def onCancelButton(self):
        """Stop the run; onEnd tells when it has ended."""
        self.ui.cancelButton.enabled = False
        self._job.cancel()

    def onEnd(self, job):
        """The run has ended, one way or another."""
        self._job = None
        if job.error is None:
            self.logic.getParameterNode().lastResult = job.segmentation
            self.panel.end(_("Done."), job.report)
        elif job.cancelled:
            self.panel.end(str(job.error))
        else:
            self._fail(job.error, self.panel.end)
        self.panel.show(self._parameterNode)

    def _fail(self, error, end):
        self._lastError = error
        known = isinstance(error, (FlareSegError, ValueError, dependencies.NotReady))
        sentence = str(error) if known else _("The segmentation failed unexpectedly; please send the diagnostic report "
                                              "(section Advanced).")
        details = {} if known else {"detailedText": str(error)}
        self.panel.log("" if known else str(error))
        end(sentence)
        slicer.util.errorDisplay(sentence, windowTitle="FlareSeg", **details)

    def onPhantomButton(self):
        """Make the synthetic CT and select it."""
        self.ui.phantomButton.enabled = False
        self.panel.progress.end(_("Making a synthetic CT..."))
        try:
            self.logic.getParameterNode().inputVolume = load_phantom()
        finally:
            self.panel.progress.end("")
            self.panel.show_what_can_be_done()

    def onCopyReportButton(self):
        """Put the diagnostic report on the clipboard."""
        parameters = self._parameterNode
        slicer.app.clipboard().setText(diagnostic_report(parameters.inputVolume, self.ui.deviceLabel.text,
                                                         report_of(parameters.lastResult), self._lastError))
        self.panel.log(_("The diagnostic report is on the clipboard."))


class FlareSegLogic(ScriptedLoadableModuleLogic):
    """Segmentation without a GUI, for scripts and notebooks."""

    def __init__(self):
        ScriptedLoadableModuleLogic.__init__(self)
        register_terminology()

    def getParameterNode(self):
        """Return the module's parameters in the scene."""
        return FlareSegParameterNode(super().getParameterNode())

    def start(self, inputVolume, outputSegmentation, options, onMessage=lambda message: None,
              onEnd=lambda job: None):
        """Begin a run and return its `SceneJob` at once; see there for the callbacks."""
        return SceneJob(inputVolume, outputSegmentation, options, onMessage, onEnd)

    def process(self, inputVolume, outputSegmentation=None, organs=None, model="default", device="auto", exact=False,
                keepLargest=False, progress=None):
        """Segment a CT and return the segmentation node; Slicer's windows stay alive meanwhile.

        :param inputVolume: CT volume node, in Hounsfield units
        :param outputSegmentation: segmentation node that gets the organs; None for a new one
        :param organs: names of the organs, for instance ["liver", "spleen"]; None for all
        :param model: name of an installed model, or a model's folder
        :param device: "auto", "cuda", "mps" or "cpu"
        :param exact: float32 throughout
        :param keepLargest: keep only the largest piece of each organ, two of the kidneys
        :param progress: called with (stage, done, total)
        :raises ValueError: with one clear sentence, where the input or a parameter cannot be used
        :raises RuntimeError: where it was stopped or failed unexpectedly; the scene is unchanged in either case
        """
        def onMessage(message):
            if progress is not None and message["type"] == "progress":
                progress(message["stage"], message["done"], message["total"])

        options = RunOptions(None if organs is None else tuple(organs), str(model), device, exact, keepLargest)
        job = self.start(inputVolume, outputSegmentation, options, onMessage)
        job.wait()
        if job.error is not None:
            kind = ValueError if isinstance(job.error, FlareSegError) and not job.cancelled else RuntimeError
            raise kind(str(job.error)) from job.error
        return job.segmentation


class FlareSegTest(ScriptedLoadableModuleTest):
    """Self-tests on a small synthetic CT; they need the packages and a model, no network and no GPU."""

    def setUp(self):
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear(0)
        self.logic = FlareSegLogic()
        self.models = [bundle.name for bundle in list_bundles()]
        if not self.models:
            self.skipTest("There is no model to segment with.")

    def load(self):
        """Return the node of a synthetic CT that is segmented within seconds."""
        return load_phantom(size=(96, 96, 16), spacing=(3.5, 3.5, 10.0))

    def segment(self, volume, **options):
        """Return the segmentation of a volume."""
        return self.logic.process(volume, model=self.models[0], device="cpu", **options)

    def nodes(self):
        """Return how many nodes of each kind matter here."""
        return [slicer.mrmlScene.GetNumberOfNodesByClass(name)
                for name in ("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLTransformNode")]

    def test_segment(self):
        """All segments are there, coded, on one layer, over the CT."""
        volume, stages = self.load(), []
        node = self.segment(volume, progress=lambda stage, done, total: stages.append((stage, done, total)))
        segmentation, report = node.GetSegmentation(), report_of(node)
        self.assertEqual(list(segmentation.GetSegmentIDs()), [organ["name"] for organ in report["organs"]])
        self.assertEqual(segmentation.GetNumberOfLayers(), 1)
        self.assertIs(node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()), volume)
        for organ in report["organs"]:
            segment = segmentation.GetSegment(organ["name"])
            voxels = slicer.util.arrayFromSegmentBinaryLabelmap(node, organ["name"], volume)
            self.assertEqual(int((voxels > 0).sum()), organ["voxels"])
            self.assertIn("SCT^123037004", segment.GetTerminology())
        self.assertIn(("segmenting", report["slices_run"], report["slices_run"]), stages)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        parents = [hierarchy.GetItemParent(hierarchy.GetItemByDataNode(each)) for each in (volume, node)]
        self.assertEqual(parents[0], parents[1])

    def test_transformed_volume(self):
        """The segmentation moves with its CT; other segments of a given output stay where they are."""
        volume = self.load()
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        volume.SetAndObserveTransformNodeID(transform.GetID())
        self.assertIs(self.segment(volume, organs=["liver"]).GetParentTransformNode(), transform)
        output = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        output.GetSegmentation().AddEmptySegment("mine", "mine")
        self.assertIs(self.segment(volume, outputSegmentation=output, organs=["spleen"]), output)
        self.assertEqual(list(output.GetSegmentation().GetSegmentIDs()), ["mine", "spleen"])
        self.assertIsNone(output.GetParentTransformNode())

    def test_cancel(self):
        """Cancelling takes less than a second and leaves the scene as it was."""
        volume = self.load()
        before, asked = self.nodes(), []

        def cancelAtFirstSlice(message):
            if message.get("stage") == "segmenting" and not asked:
                asked.append(time.monotonic())
                job.cancel()

        job = self.logic.start(volume, None, RunOptions(model=self.models[0], device="cpu"), cancelAtFirstSlice)
        job.wait()
        self.assertLess(time.monotonic() - asked[0], 1.0)
        self.assertTrue(job.cancelled)
        self.assertEqual(self.nodes(), before)

    def test_scene_close(self):
        """Closing the scene ends a run."""
        empty = self.nodes()  # Slicer's slice views have transforms of their own
        job = self.logic.start(self.load(), None, RunOptions(model=self.models[0], device="cpu"))
        slicer.mrmlScene.Clear(0)
        job.wait()
        self.assertTrue(job.cancelled)
        self.assertEqual(self.nodes(), empty)

    def test_bad_input(self):
        """What cannot be segmented is refused with a sentence."""
        empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        no_ct = self.load()
        slicer.util.updateVolumeFromArray(no_ct, slicer.util.arrayFromVolume(no_ct) * 0)
        before = self.nodes()
        for volume, options in ((None, {}), (empty, {}), (no_ct, {}), (no_ct, {"organs": ["heart"]})):
            with self.assertRaises(ValueError):
                self.segment(volume, **options)
        with self.assertRaises(ValueError):
            self.logic.process(no_ct, model="no such model")
        self.assertEqual(self.nodes(), before)
