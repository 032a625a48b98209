"""The section Setup: what is missing is named, installed with consent, and gone on with after a restart."""

import os
import subprocess
import sys
import types
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest
import qt
import slicer
import slicer.packaging
from FlareSegModuleLib import dependencies
from standin import dialogs
from standin.waiting import wait_until


@pytest.fixture
def installed(monkeypatch, scene):
    """Versions of the packages that seem to be there; ask for it before `widget`."""
    versions = {}
    real = dependencies._version
    monkeypatch.setattr(dependencies, "_version", lambda text: versions.get(text.split(">=")[0], real(text)))
    return versions


@pytest.fixture
def pip(monkeypatch, installed):
    """What slicer.packaging has been asked to install; it seems to succeed."""
    asked = []

    def ensure(requirements, constraints=None, requester=None, **_):
        asked.append((requirements, open(constraints, encoding="utf-8").read(), requester))
        installed.update({each.split(">=")[0]: "99" for each in requirements})

    monkeypatch.setattr(slicer.packaging, "pip_ensure", ensure)
    return asked


@pytest.fixture
def torch_utilities(monkeypatch):
    """A function that brings the PyTorch extension; ``install(requirement)`` does what its installTorch would."""
    def bring(install):
        class PyTorchUtilsLogic:
            def installTorch(self, askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None,
                             torchvisionVersionRequirement=None):
                assert askConfirmation
                constraints = url2pathname(urlparse(os.environ["PIP_CONSTRAINT"]).path)
                assert "numpy==" in open(constraints, encoding="utf-8").read()
                return install(torchVersionRequirement)

        utilities = types.ModuleType("PyTorchUtils")
        utilities.PyTorchUtilsLogic = PyTorchUtilsLogic
        monkeypatch.setitem(sys.modules, "PyTorchUtils", utilities)
        monkeypatch.setattr(slicer.modules, "pytorchutils", object(), raising=False)

    return bring


def test_all_is_there(widget, ui):
    assert ui.setupCollapsibleButton.collapsed and ui.setupCollapsibleButton.text == "Setup: ready"
    assert ui.setupLabel.text.count("\u2713") >= 3 and not ui.setupButton.enabled


def test_a_package_is_missing(installed, small_ct, pip, request):
    installed["safetensors"] = None
    ui = request.getfixturevalue("ui")
    assert not ui.setupCollapsibleButton.collapsed and ui.setupButton.enabled
    assert "safetensors" in next(line for line in ui.setupLabel.text.splitlines() if line.startswith("\u2717"))
    assert ui.deviceLabel.text == "Not installed yet: safetensors; the button offers to install them."
    ui.setupButton.click()
    (requirements, constraints, requester), = pip
    assert requester == "FlareSeg" and [each.split(">=")[0] for each in requirements] == ["safetensors"]
    assert all(f"{name}==" in constraints for name in ("numpy", "SimpleITK", "vtk"))
    assert ui.setupCollapsibleButton.collapsed
    wait_until(lambda: ui.deviceLabel.text.startswith("Processor."))


def test_a_package_is_too_old(installed, request):
    installed["safetensors"] = "0.1"
    ui = request.getfixturevalue("ui")
    assert "safetensors 0.1 is too old" in ui.setupLabel.text


def test_the_user_declines(installed, small_ct, monkeypatch, request):
    installed["safetensors"] = None

    def decline(*_, **__):
        raise RuntimeError("User declined package installation")

    monkeypatch.setattr(slicer.packaging, "pip_ensure", decline)
    ui, widget = request.getfixturevalue("ui"), request.getfixturevalue("widget")
    wait_until(lambda: ui.applyButton.enabled)
    with dialogs.answered("were not installed"):
        ui.applyButton.click()
    assert widget._job is None and not ui.cancelButton.enabled and ui.applyButton.enabled


def test_torch_comes_through_slicers_extension(installed, request):
    """No network: a sentence says what to do; pip is never asked for torch."""
    installed["torch"] = None
    ui = request.getfixturevalue("ui")
    with dialogs.answered("FlareSeg needs the extension PyTorch", qt.QMessageBox.Cancel), \
            dialogs.answered("Install the extension PyTorch in the Extensions Manager"):
        ui.setupButton.click()
    with dialogs.answered("FlareSeg needs the extension PyTorch", qt.QMessageBox.Ok), \
            dialogs.answered("could not be installed (no network?)"):
        ui.setupButton.click()
    assert not dependencies.setup_is_pending()


def no_network(requirement):
    raise subprocess.CalledProcessError(1, ["pip", "install", "torch"])


@pytest.mark.parametrize(("install", "sentence"), [(no_network, "PyTorch could not be installed (no network"),
                                                   (lambda requirement: None, "PyTorch was not installed")])
def test_torch_is_not_installed(installed, torch_utilities, small_ct, request, install, sentence):
    """pip fails, or the user declines: a sentence, and the panel is as before."""
    installed["torch"] = None
    torch_utilities(install)
    ui, widget = request.getfixturevalue("ui"), request.getfixturevalue("widget")
    wait_until(lambda: ui.applyButton.enabled)
    for button in (ui.setupButton, ui.applyButton):
        with dialogs.answered(sentence):
            button.click()
    assert widget._job is None and ui.applyButton.enabled and not ui.setupCollapsibleButton.collapsed
    assert ui.progressLabel.text.startswith(sentence) and ui.logText.toPlainText().startswith(sentence)


def test_after_the_restart_the_setup_goes_on(installed, torch_utilities, monkeypatch, request):
    installed["torch"] = None
    manager = slicer.app.extensionsManagerModel()

    def install(self, name, restart=True, update=False):
        assert not restart, "Slicer would restart at once, unasked and before the module has noted to go on"
        return name == "PyTorch"

    monkeypatch.setattr(type(manager), "installExtensionFromServer", install)
    ui = request.getfixturevalue("ui")
    with dialogs.answered("FlareSeg needs the extension PyTorch", qt.QMessageBox.Ok), \
            dialogs.answered("Restart Slicer now?", qt.QMessageBox.Cancel), \
            dialogs.answered("Restart Slicer to go on with the setup."):
        ui.setupButton.click()
    assert dependencies.setup_is_pending() and manager.interactive

    installs = []

    def install(requirement):
        installs.append(requirement)
        installed["torch"] = "2.9.0+cu128"
        return object()

    torch_utilities(install)
    slicer.util.moduleSelector().leave()
    slicer.app.startupCompleted.emit()
    assert slicer.util.moduleSelector().selectedModule == "FlareSeg"
    assert "PIP_CONSTRAINT" not in os.environ
    assert installs == [">=2.4"] and not dependencies.setup_is_pending()
    assert "torch 2.9.0" in ui.setupLabel.text and ui.setupCollapsibleButton.collapsed


def test_older_slicers_ask_through_slicer_util(installed, monkeypatch, request):
    """Slicer 5.10 has no slicer.packaging."""
    installed["safetensors"] = None
    calls = []
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    monkeypatch.setattr(slicer.util, "pip_install", lambda requirements: (
        calls.append(requirements), installed.update({"safetensors": "99"})))
    ui = request.getfixturevalue("ui")
    with dialogs.answered("This will modify Slicer's Python environment", qt.QMessageBox.Ok):
        ui.setupButton.click()
    assert calls[0][0].startswith("safetensors") and calls[0][1] == "-c"
