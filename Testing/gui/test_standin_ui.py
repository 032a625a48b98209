"""The loader of .ui files refuses what Slicer would skip in silence."""

import re
from pathlib import Path

import pytest
import slicer
from standin.qt_signals import UnknownSignal
from standin.ui_loader import UiError

GOOD = (Path(__file__).resolve().parents[2] / "FlareSeg" / "Resources" / "UI" / "FlareSeg.ui").read_text("utf-8")


def load(tmp_path, text):
    path = tmp_path / "panel.ui"
    path.write_text(text, "utf-8")
    return slicer.util.loadUI(str(path))


def test_the_panel_is_loaded(tmp_path):
    ui = slicer.util.childWidgetVariables(load(tmp_path, GOOD))
    assert ui.inputSelector.noneDisplay == "Select a CT"
    assert ui.inputSelector.nodeTypes == ["vtkMRMLScalarVolumeNode"]
    assert ui.advancedCollapsibleButton.collapsed and not ui.inputsCollapsibleButton.collapsed
    assert ui.inputSelector.property("SlicerParameterName") == "inputVolume"
    with pytest.raises(AttributeError):
        _ = ui.noSuchWidget


@pytest.mark.parametrize(("old", "new", "message"), [
    ('class="qMRMLNodeComboBox"', 'class="qMRMLNodeCombobox"', "no widget class"),
    ('class="QProgressBar"', 'class="QProgresBar"', "no widget class"),
    ('name="noneEnabled"', 'name="noneEnable"', "no property 'noneEnable'"),
    ('name="wordWrap"', 'name="wordwrap"', "no property 'wordwrap'"),
    ('name="collapsed"', 'name="colapsed"', "no property"),
    ("<bool>true</bool>", "<string>true</string>", "does not take"),
    ("Qt::TextSelectableByKeyboard", "Qt::TextSelectable", "does not take"),
    ("QAbstractItemView::NoEditTriggers", "QAbstractItemView::NoTriggers", "does not take"),
    ("<cstring>inputSelector</cstring>", "<cstring>selector</cstring>", "buddy"),
    ('name="applyButton"', 'name="cancelButton"', "several widgets"),
    ("<receiver>inputSelector</receiver>", "<receiver>nobody</receiver>", "no widget 'nobody'"),
    ("setMRMLScene(vtkMRMLScene*)", "setScene(vtkMRMLScene*)", "no slot"),
])
def test_mistakes_are_refused(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(UiError, match=re.escape(message)):
        load(tmp_path, GOOD.replace(old, new, 1))


def test_unknown_signals_are_refused(tmp_path):
    with pytest.raises(UnknownSignal):
        load(tmp_path, GOOD.replace("<signal>mrmlSceneChanged(", "<signal>sceneChanged(", 1))


def test_a_missing_file():
    with pytest.raises(RuntimeError, match="not found"):
        slicer.util.loadUI("nowhere.ui")
