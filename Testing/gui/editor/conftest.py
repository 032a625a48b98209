"""FlareSegEditor in the Slicer stand-in: a small patient with organs, a fresh panel for each test."""

import functools
import importlib.util
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
MISSING = [name for name in ("PySide6", "slicer_core") if importlib.util.find_spec(name) is None]
collect_ignore_glob = ["test_*.py"] if MISSING else []
if not MISSING:
    import slicer
    from standin.scripted_modules import load_scripted_module

    load_scripted_module(str(REPOSITORY / "FlareSegEditor" / "FlareSegEditor.py"))
    from FlareSegModuleLib.volume_nodes import node_from_volume

#: Small, yet with organs that hold a lesion of 20 mm.
SIZE, SPACING = (112, 96, 36), (3.0, 3.0, 5.0)


@functools.cache
def _phantom(seed):
    from FlareSegLib.phantom.phantom import make_phantom

    return make_phantom(seed, SIZE, SPACING)


@pytest.fixture
def edits(tmp_path, monkeypatch):
    """The folder of autosaved edits: empty, with a name beyond ASCII."""
    folder = tmp_path / "Lékař edits"
    monkeypatch.setenv("FLARESEG_EDITS", str(folder))
    return folder


@pytest.fixture
def make_patient(scene, edits):
    """Function: a synthetic CT and its organs in the scene; returns both nodes."""
    from FlareSegModuleLib.result_import import import_result
    from FlareSegModuleLib.run import RunResult

    from FlareSegLib.organs import FLARE_ORGANS

    def make(name="patient", seed=1):
        phantom = _phantom(seed)
        ct = node_from_volume(phantom.ct, name)
        segmentation = import_result(RunResult({}, phantom.label_map.array, (0, 0, 0)), FLARE_ORGANS, ct)
        slicer.util.setSliceViewerLayers(background=ct)
        return ct, segmentation
    return make


@pytest.fixture
def patient(make_patient):
    """CT and segmentation nodes of one."""
    return make_patient()


@pytest.fixture
def editor(patient):
    """The module's widget, opened by the person on the patient; closed at the end."""
    module = slicer.modules.flaresegeditor
    try:
        slicer.util.selectModule("FlareSegEditor")
        module.widgetRepresentation().show()
        widget = module.widgetRepresentation().self()
        widget.ui.segmentationSelector.setCurrentNode(patient[1])
        yield widget
        slicer.util.moduleSelector().leave()
    finally:
        slicer.util.moduleSelector().forget()
        module.close()
        slicer.app.processEvents()


@pytest.fixture
def work(editor):
    """The workspace of an edit that has been begun by the button."""
    editor.ui.beginButton.click()
    assert editor.panel.work.editing is not None, editor.ui.statusLabel.text
    return editor.panel.work


@pytest.fixture
def view(patient):
    """A slice view with a mouse."""
    from standin.mouse_view import mouse_view

    return mouse_view()


@pytest.fixture
def inside(patient):
    """Function: a point (RAS, mm) deep in an organ, by default the nearest such to its middle."""
    from FlareSegModuleLib.volume_nodes import ijk_to_ras
    from scipy import ndimage

    def find(organ, side=None):
        ct, segmentation = patient
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, organ, ct) > 0
        depth = ndimage.distance_transform_edt(mask, SPACING[::-1])
        if side is not None:  # "left" or "right" half of the picture's columns
            half = np.arange(mask.shape[2]) < mask.shape[2] / 2
            depth = depth * (half if side == "first" else ~half)
        k, j, i = np.unravel_index(np.argmax(depth), depth.shape)
        return tuple((ijk_to_ras(ct) @ (i, j, k, 1.0))[:3])
    return find
