"""FlareSegEditor ("Disease Simulation Editor"): put simulated diseases into a CT and its organ labels by hand.

What needs no Slicer is in FlareSegLib.disease, what is longer than a few lines in FlareSegEditorModuleLib.
"""

import enum
import pathlib
from typing import Annotated

import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLTextNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (ScriptedLoadableModule, ScriptedLoadableModuleLogic,
                                           ScriptedLoadableModuleTest, ScriptedLoadableModuleWidget)
from slicer.util import VTKObservationMixin

import FlareSegEditorModuleLib  # noqa: F401  makes FlareSegModuleLib and FlareSegLib importable
from FlareSegEditorModuleLib import autosaving, edit_node
from FlareSegEditorModuleLib.editing import Editing
from FlareSegEditorModuleLib.exporting import ExportJob, export
from FlareSegEditorModuleLib.mapping import map_segments
from FlareSegEditorModuleLib.sections import Sections
from FlareSegEditorModuleLib.synthetic_patient import load_synthetic_patient
from FlareSegLib.errors import FlareSegError
from FlareSegModuleLib.volume_nodes import first_volume

HOMEPAGE = "https://github.com/FlareSeg/SlicerFlareSeg"


#
# FlareSegEditor
#


class FlareSegEditor(ScriptedLoadableModule):
    """The module's description."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Disease Simulation Editor")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["FlareSeg", "Markups", "Segmentations", "Volumes"]
        self.parent.contributors = ["FlareSeg contributors"]
        self.parent.helpText = _(
            "Puts simulated diseases into an abdominal CT and its organ labels, to train segmentation on. Choose a CT "
            "and its segmentation, press <b>Begin editing</b>, choose a disease and click. The originals are never "
            "changed. <b>Synthetic images: for research, not for diagnosis or treatment.</b> See "
            "<a href=\"{url}\">the extension's page</a> for a tutorial.").format(url=HOMEPAGE)
        self.parent.acknowledgementText = _(
            "Simulated diseases follow the idea of Witanto et al. (team DeepInsthink), MICCAI FLARE 2021.")


#
# FlareSegEditorParameterNode
#


class Layout(enum.Enum):
    """How a data set's files are named; values are keys of `FlareSegLib.disease.datasets.LAYOUTS`."""

    NNUNET_V2 = "v2"
    NNUNET_V1 = "v1"
    FLARE = "flare"

    def label(self):
        """What the person reads."""
        return {"v2": _("nnU-Net v2"), "v1": _("nnU-Net v1 (Decathlon)"),
                "flare": _("FLARE21")}[self.value]


@parameterNodeWrapper
class FlareSegEditorParameterNode:
    """Parameters of the module, saved with the scene.

    inputVolume, inputSegmentation - CT and organs of the next edit
    edit - the edit that is open
    exportFolder, layout, operatorName, withOriginal - export of a case
    batchCases, batchOutput, batchLayout, batchVariants, batchSeed, batchJobs, batchOriginals, batchLikeEdit - batch
    """

    inputVolume: vtkMRMLScalarVolumeNode
    inputSegmentation: vtkMRMLSegmentationNode
    edit: vtkMRMLTextNode
    exportFolder: pathlib.Path = pathlib.Path()
    layout: Layout = Layout.NNUNET_V2
    operatorName: str = ""
    withOriginal: bool = True
    batchCases: pathlib.Path = pathlib.Path()
    batchOutput: pathlib.Path = pathlib.Path()
    batchLayout: Layout = Layout.NNUNET_V2
    batchVariants: Annotated[int, WithinRange(1, 1000)] = 4
    batchSeed: Annotated[int, WithinRange(0, 2**31 - 1)] = 0
    batchJobs: Annotated[int, WithinRange(1, 64)] = 1
    batchOriginals: bool = True
    batchLikeEdit: bool = False


#
# FlareSegEditorWidget
#


class FlareSegEditorWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel's life with the scene; what it shows and does is `FlareSegEditorModuleLib.sections`."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.sections = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None

    def setup(self):
        """Build the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/FlareSegEditor.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = FlareSegEditorLogic()
        self.sections = Sections(self.ui)
        scene = slicer.mrmlScene
        for change in ("Close", "Import"):
            self.addObserver(scene, getattr(scene, f"Start{change}Event"), self.onSceneStartChange)
            self.addObserver(scene, getattr(scene, f"End{change}Event"), self.onSceneEndChange)
        self.addObserver(scene, scene.EndSaveEvent, self.onSceneSaved)
        self.initializeParameterNode()

    @property
    def panel(self):
        """The editing tab."""
        return self.sections.panel

    def cleanup(self):
        """The module is closed or reloaded: nothing may go on."""
        self.setParameterNode(None)
        self.sections.stop()
        self.removeObservers()

    def enter(self):
        """The user opens the module."""
        self.initializeParameterNode()
        self.sections.enter()

    def exit(self):
        """The user opens another module; the edit stays open."""
        self.sections.exit()
        self.setParameterNode(None)

    def onSceneStartChange(self, caller=None, event=None):
        """A scene is closed or loaded: let go of its nodes; the edits are in their text nodes and autosaved."""
        self.setParameterNode(None)
        self.panel.work.close()

    def onSceneEndChange(self, caller=None, event=None):
        """Begin anew where the panel is in view."""
        if self.parent.isEntered:
            self.initializeParameterNode()
            self.sections.enter()

    def onSceneSaved(self, caller=None, event=None):
        """The edit is in the scene's file: what was autosaved is not needed any more."""
        self.panel.work.autosave.flush()
        if self.panel.work.editing is not None:
            autosaving.forget(self.panel.work.editing)

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
        self.sections.show(parameterNode)

    def onParametersModified(self, caller=None, event=None):
        """Show the parameters."""
        self.sections.show(self._parameterNode)


#
# FlareSegEditorLogic
#


class FlareSegEditorLogic(ScriptedLoadableModuleLogic):
    """Editing without a GUI, for scripts and notebooks."""

    def getParameterNode(self):
        """Return the module's parameters in the scene."""
        return FlareSegEditorParameterNode(super().getParameterNode())

    def begin(self, inputVolume, inputSegmentation, organs=None):
        """Begin an edit and return it, an `Editing`; clones of CT and organs are in the scene then.

        :param inputVolume: CT volume node, in Hounsfield units
        :param inputSegmentation: segmentation node with its organs
        :param organs: segment IDs to "liver", "kidney", "spleen" or "pancreas"; None maps by code and name
        :raises ValueError: with one clear sentence
        """
        if inputVolume is None or inputSegmentation is None:
            raise ValueError(_("Choose a CT and its segmentation."))
        mapped = map_segments(inputSegmentation) if organs is None else dict(organs)
        node = edit_node.new_edit_node(inputVolume, inputSegmentation,
                                       {segment: organ for segment, organ in mapped.items() if organ})
        try:
            return Editing(node)
        except BaseException:
            slicer.mrmlScene.RemoveNode(node)
            raise

    def add(self, editing, disease, ras=None, organ="", **parameters):
        """Add a disease at a point (RAS of the CT, mm), or at a drawn place; return its key in the list.

        :param editing: what `begin` returned
        :param disease: name in the catalogue
        :param parameters: those that differ from the default
        :raises FlareSegError: with one clear sentence
        """
        found = editing.find(disease)
        values = found.parameters(**parameters)
        if ras is not None:
            return editing.add(editing.operation_at(found, values, ras))
        return editing.add(editing.operation_somewhere(found, values, organ or (found.organs or ("",))[0]))

    def export(self, editing, folder, layout="v2", name="case_edited", patient="case", operatorName="",
               withOriginal=True):
        """Add the edited case to a data set and return the names of what was added.

        :raises FlareSegError: with one clear sentence; nothing is written then
        """
        operations = tuple(entry.operation for entry in editing.entries if entry.shown)
        return export(ExportJob(editing.case, editing.order, editing.volume, operations, editing.find,
                                pathlib.Path(folder), layout, name, patient, operatorName, withOriginal))[0]


#
# FlareSegEditorTest
#


class FlareSegEditorTest(ScriptedLoadableModuleTest):
    """Self-tests on a small synthetic CT; they need no network, no model and no GPU."""

    def setUp(self):
        """Begin with an empty scene and an edit of a small patient."""
        slicer.mrmlScene.Clear(0)
        self.logic = FlareSegEditorLogic()
        self.ct, self.segmentation = load_synthetic_patient((96, 80, 30), (3.5, 3.5, 6.0))
        self.voxels = slicer.util.arrayFromVolume(self.ct).copy()
        self.editing = self.logic.begin(self.ct, self.segmentation)

    def tearDown(self):
        """Stop listening to the scene."""
        self.editing.close()

    def edited(self):
        """Return a copy of the edited CT's voxels."""
        return slicer.util.arrayFromVolume(self.editing.canvas.ct).copy()

    def test_place_and_undo(self):
        """A lesion is in the clone, never in the original; undo takes it out again."""
        key = self.logic.add(self.editing, "hypo_metastasis", organ="liver", diameter=25.0)
        placed = self.edited()
        self.assertGreater((placed != self.voxels).sum(), 50)
        self.assertTrue((slicer.util.arrayFromVolume(self.ct) == self.voxels).all())
        self.assertGreater(self.editing.done(key).notes[0].lesion_ml, 1.0)
        self.editing.undo()
        self.assertTrue((self.edited() == self.voxels).all())
        self.editing.redo()
        self.assertTrue((self.edited() == placed).all())

    def test_place_by_a_control_point(self):
        """A point where the organ is, as a click gives it, is accepted; one outside is refused with a sentence."""
        centre = self.editing.session.scene.pieces("spleen")[0].centre
        ras = (-centre[0], -centre[1], centre[2])
        key = self.logic.add(self.editing, "hypo_metastasis", ras=ras, diameter=15.0)
        self.assertEqual(self.editing.entry(key).operation.organ, "spleen")
        with self.assertRaises(FlareSegError):
            self.logic.add(self.editing, "hypo_metastasis", ras=(0.0, 2000.0, 0.0))
        self.assertEqual(len(self.editing.entries), 1)

    def test_segments_follow(self):
        """Image and labels change together, on one layer, also where the case lies under a transform."""
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        self.ct.SetAndObserveTransformNodeID(transform.GetID())
        self.assertEqual(self.editing.canvas.ct.GetTransformNodeID(), transform.GetID())
        key = self.logic.add(self.editing, "renal_cyst", diameter=30.0, exophytic=0.6)
        gained = self.editing.done(key).notes[0].gained_ml["kidney"]
        clone = self.editing.canvas.segmentation
        self.assertEqual(clone.GetSegmentation().GetNumberOfLayers(), 1)
        kidney = slicer.util.arrayFromSegmentBinaryLabelmap(clone, "kidney", self.editing.canvas.ct) > 0
        self.assertEqual(kidney.sum(), (self.editing.session.case.labels == 2).sum())
        self.assertGreater(gained, 0.0)

    def test_scene_close(self):
        """Closing the scene leaves nothing behind that still wants to be told."""
        self.logic.add(self.editing, "renal_cyst")
        slicer.mrmlScene.Clear(0)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTextNode"), 0)

    def test_export(self):
        """The exported case is complete; a second one of the same name is refused."""
        import tempfile

        from FlareSegLib.training.raw_data import find_raw_dataset

        self.logic.add(self.editing, "renal_cyst", diameter=20.0)
        with tempfile.TemporaryDirectory() as folder:
            names = self.logic.export(self.editing, folder, name="edited", patient="synthetic")
            self.assertEqual(names, ("synthetic", "edited"))
            self.assertEqual(len(find_raw_dataset(folder).cases), 2)
            with self.assertRaises(FlareSegError):
                self.logic.export(self.editing, folder, name="edited", patient="synthetic")
