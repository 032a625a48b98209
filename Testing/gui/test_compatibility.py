"""Slicer 5.10, which lacks what 5.12 has: slicer.packaging, titles of sample data's categories, coded segments."""

import sys

import pytest
import qt
import SampleData
import slicer
from FlareSegModuleLib import compatibility
from standin import dialogs


@pytest.fixture
def pip(monkeypatch):
    """What slicer.util.pip_install, all that Slicer 5.10 has, has been asked to install."""
    asked = []
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    monkeypatch.setattr(slicer.util, "pip_install", asked.append)
    return asked


def test_packages_are_installed_after_asking(flareseg, pip):
    with dialogs.answered("safetensors>=0.4", qt.QMessageBox.Ok):
        compatibility.install_packages(["safetensors>=0.4"], "a folder/constraints.txt")
    assert pip == [["safetensors>=0.4", "-c", "a folder/constraints.txt"]]


def test_nothing_is_installed_against_the_users_wish(flareseg, pip):
    with dialogs.answered("safetensors>=0.4", qt.QMessageBox.Cancel), pytest.raises(RuntimeError, match="declined"):
        compatibility.install_packages(["safetensors>=0.4"], "constraints.txt")
    assert pip == []


def test_nothing_is_installed_by_slicers_tests(flareseg, pip):
    slicer.app.setTestingEnabled(True)
    try:
        compatibility.install_packages(["safetensors>=0.4"], "constraints.txt")
    finally:
        slicer.app.setTestingEnabled(False)
    assert pip == []


def test_sample_data_without_a_title(flareseg, scene, monkeypatch):
    monkeypatch.delattr(SampleData.SampleDataLogic, "registerCustomSampleDataCategory")
    SampleData.SampleDataLogic.sources.clear()
    slicer.app.startupCompleted.emit()
    assert "FlareSegPhantom" in SampleData.SampleDataLogic.sources


def test_a_segment_is_coded_by_its_tag(flareseg):
    """The tag is where `SetTerminology` of later versions puts it, too."""
    segment = slicer.vtkSegment()

    class OlderSegment:
        GetTerminologyEntryTagName, SetTag = segment.GetTerminologyEntryTagName, segment.SetTag

    compatibility.set_terminology(OlderSegment(), "a context~SCT^1^a category~SCT^2^a type~^^~a context~^^~^^")
    assert segment.GetTerminology() == "a context~SCT^1^a category~SCT^2^a type~^^~a context~^^~^^"
