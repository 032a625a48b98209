"""FlareSeg in the Slicer stand-in: one process, a fresh scene and a fresh panel for each test."""

import functools
import importlib.util
import os
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Testing"))

from standin.startup import start  # noqa: E402  before PySide6, for which it sets options

MISSING = [name for name in ("PySide6", "slicer_core") if importlib.util.find_spec(name) is None]
collect_ignore_glob = ["test_*.py"] if MISSING else []
if not MISSING:
    slicer = start()
    from standin import failures
    from standin.scripted_modules import load_scripted_module

    load_scripted_module(str(REPOSITORY / "FlareSeg" / "FlareSeg.py"))  # as Slicer loads it
    from FlareSegModuleLib.device_probe import probe_device
    from FlareSegModuleLib.volume_nodes import node_from_volume

#: What torch would say; asking it takes seconds.
ANSWER = {"name": "cpu", "reason": "Processor.", "torch": "0", "cuda_build": None, "free_bytes": None}
#: Of the small phantom: segmented within seconds.
SIZE, SPACING = (96, 96, 16), (3.5, 3.5, 10.0)


def pytest_report_header():
    """Say that these tests are left out, and why."""
    return f"Testing/gui is left out: not installed are {', '.join(MISSING)}" if MISSING else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real CTs beside the checkout; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("FLARESEG_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "ct").is_dir():
        pytest.skip(f"no real CTs: {folder} is absent (set FLARESEG_DATA to the folder that holds ct/)")
    return folder


@pytest.fixture(autouse=True)
def loud():
    """What fails in a slot, a timer, an observer or a thread fails the test."""
    failures.forget()
    yield
    failures.raise_collected()


@pytest.fixture(scope="session")
def flareseg():
    """The Python module FlareSeg."""
    return sys.modules["FlareSeg"]


@pytest.fixture
def scene(flareseg, tmp_path, monkeypatch):
    """An empty scene, no imported models, an empty temporary folder with a name beyond ASCII."""
    monkeypatch.setenv("FLARESEG_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("FlareSegModuleLib.device_line.probe_device", lambda *_: dict(ANSWER))
    temporary = tmp_path / "Lékař 空 格"
    temporary.mkdir()
    previous, slicer.app.temporaryPath = slicer.app.temporaryPath, str(temporary)
    slicer.mrmlScene.Clear(0)
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear(0)
    slicer.app.temporaryPath = previous


@pytest.fixture
def widget(scene):
    """The panel, opened by the user; closed at the end."""
    module = slicer.modules.flareseg
    try:
        slicer.util.selectModule("FlareSeg")
        module.widgetRepresentation().show()
        yield module.widgetRepresentation().self()
        slicer.util.moduleSelector().leave()
    finally:  # a panel that fails in one test is not the next one's
        slicer.util.moduleSelector().forget()
        module.close()
        slicer.app.processEvents()


@pytest.fixture
def ui(widget):
    """The panel's widgets by name."""
    return widget.ui


@pytest.fixture
def make_ct(scene):
    """Return a function that adds a synthetic CT to the scene and returns its volume node."""
    return lambda name="phantom", size=SIZE, spacing=SPACING: node_from_volume(_phantom(size, spacing), name)


@functools.cache
def _phantom(size, spacing):
    from FlareSegLib.phantom.phantom import make_phantom

    return make_phantom(0, size, spacing).ct


@pytest.fixture
def small_ct(make_ct):
    """Volume node of a small synthetic CT; ask for it before `widget` and the panel chooses it."""
    return make_ct()


@pytest.fixture
def no_model(scene, monkeypatch):
    """Neither shipped nor imported models."""
    monkeypatch.setattr("FlareSegLib.models.store.shipped_folders", lambda: ())


@pytest.fixture
def real_probe(scene, monkeypatch):
    """The device line asks torch, in another process; ask for it before `widget`."""
    monkeypatch.setattr("FlareSegModuleLib.device_line.probe_device", probe_device)
