"""The stand-in's parameter nodes: values live in the node, widgets follow them, what does not fit is refused."""

import enum
import pathlib
from typing import Annotated

import ctk
import pytest
import qt
import slicer
from slicer import vtkMRMLScalarVolumeNode
from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper, parameterPack


class Colour(enum.Enum):
    RED = 1
    BLUE = 2

    def label(self):
        return self.name.title()


@parameterPack
class Pack:
    number: Annotated[int, WithinRange(0, 9)] = 3
    path: pathlib.Path = pathlib.Path("a")


@parameterNodeWrapper
class Parameters:
    volume: vtkMRMLScalarVolumeNode
    flag: bool = True
    text: Annotated[str, Default("given")]
    size: Annotated[float, WithinRange(0, 10)] = 1.5
    colour: Colour = Colour.BLUE
    choice: Annotated[str, Choice(["a", "b"])] = "b"
    pack: Pack


@pytest.fixture
def node():
    slicer.mrmlScene.Clear(0)
    yield slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    slicer.mrmlScene.Clear(0)


def test_defaults_are_written_into_the_node_once(node):
    parameters = Parameters(node)
    assert (parameters.flag, parameters.text, parameters.size, parameters.colour) == (True, "given", 1.5, Colour.BLUE)
    assert node.GetParameter("colour") == "BLUE" and node.GetParameter("pack.number") == "3"
    parameters.size = 2
    assert Parameters(node).size == 2.0


def test_nodes_are_references(node):
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    parameters = Parameters(node)
    parameters.volume = volume
    assert node.GetNodeReference("volume") is volume
    slicer.mrmlScene.RemoveNode(volume)
    assert parameters.volume is None


@pytest.mark.parametrize(("name", "value"), [
    ("size", 11.0), ("size", "1"), ("flag", None), ("text", 3), ("colour", "BLUE"), ("choice", "c"),
    ("volume", "vtkMRMLScalarVolumeNode1")])
def test_what_does_not_fit_is_refused(node, name, value):
    with pytest.raises((ValueError, TypeError)):
        setattr(Parameters(node), name, value)


def test_packs(node):
    parameters = Parameters(node)
    parameters.pack.number = 5
    assert node.GetParameter("pack.number") == "5" and parameters.getValue("pack.number") == 5
    with pytest.raises(ValueError):
        parameters.pack.number = 10
    parameters.pack = Pack(number=1, path=pathlib.Path("b"))
    assert parameters.pack == Pack(number=1, path=pathlib.Path("b")) and parameters.pack != Pack()


@pytest.fixture
def gui():
    widgets = {"flag": qt.QCheckBox(), "text": qt.QLineEdit(), "colour": qt.QComboBox(), "choice": qt.QComboBox(),
               "pack.number": qt.QSpinBox(), "volume": slicer.qMRMLNodeComboBox()}
    parent = qt.QWidget()
    for name, each in widgets.items():
        each.setParent(parent)
        each.setProperty("SlicerParameterName", name)
    widgets["volume"].nodeTypes, widgets["volume"].noneEnabled = ["vtkMRMLScalarVolumeNode"], True
    widgets["volume"].setMRMLScene(slicer.mrmlScene)
    widgets["parent"] = parent
    return widgets


def test_widgets_follow_the_node_and_the_node_the_widgets(node, gui):
    parameters = Parameters(node)
    tag = parameters.connectGui(gui["parent"])
    assert gui["flag"].checked and gui["text"].text == "given" and gui["colour"].currentText == "Blue"
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert parameters.volume is None
    parameters.colour, parameters.volume = Colour.RED, volume
    assert gui["colour"].currentText == "Red" and gui["volume"].currentNode() is volume
    gui["flag"].click()
    gui["text"].text = "typed"
    gui["choice"].currentIndex = 0
    gui["pack.number"].value = 7
    gui["volume"].setCurrentNode(None)
    assert (parameters.flag, parameters.text, parameters.choice, parameters.pack.number, parameters.volume) == (
        False, "typed", "a", 7, None)
    assert gui["pack.number"].maximum == 9
    parameters.disconnectGui(tag)
    gui["text"].text = "later"
    assert parameters.text == "typed"


def test_sliders_and_paths(node):
    @parameterNodeWrapper
    class Values:
        level: Annotated[float, WithinRange(-100, 300)] = 40
        folder: pathlib.Path = pathlib.Path("here")

    values, slider, edit = Values(node), ctk.ctkSliderWidget(), ctk.ctkPathLineEdit()
    values.connectParametersToGui({"level": slider, "folder": edit})
    assert (slider.minimum, slider.maximum, slider.value, edit.currentPath) == (-100, 300, 40, "here")
    slider.value, edit.currentPath = 60, "there"
    assert values.level == 60 and values.folder == pathlib.Path("there")


def test_what_slicer_cannot_connect_is_refused(node):
    for name, widget in (("flag", qt.QRadioButton()), ("size", qt.QSpinBox()), ("text", qt.QComboBox())):
        with pytest.raises(RuntimeError):
            Parameters(node).connectParametersToGui({name: widget})
    with pytest.raises(ValueError, match="nothing"):
        Parameters(node).connectParametersToGui({"nothing": qt.QCheckBox()})


def test_unknown_types_are_refused():
    with pytest.raises(TypeError):
        @parameterNodeWrapper
        class _Unknown:
            thing: set
