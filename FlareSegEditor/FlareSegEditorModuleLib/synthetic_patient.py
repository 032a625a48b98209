"""A synthetic CT with its organs, to try the editor on; no patient's data."""

from __future__ import annotations

import slicer
from FlareSegModuleLib.background import in_background
from FlareSegModuleLib.result_import import REPORT_ATTRIBUTE, import_result
from FlareSegModuleLib.run import RunResult
from FlareSegModuleLib.volume_nodes import node_from_volume

from FlareSegLib.organs import FLARE_ORGANS

#: Coarser than a patient's CT, so that it is there within seconds.
SIZE, SPACING = (192, 192, 64), (2.0, 2.0, 3.4)


def load_synthetic_patient(size: tuple[int, int, int] = SIZE, spacing: tuple[float, float, float] = SPACING,
                           seed: int = 1):
    """Make it, show it and return its CT and segmentation nodes; the windows stay alive meanwhile."""
    from FlareSegLib.phantom.phantom import make_phantom  # needs scipy: not at Slicer's start

    made = []
    in_background(lambda: make_phantom(seed, size, spacing), made.append).wait()
    if made[0].error is not None:
        raise made[0].error
    phantom = made[0].value
    ct = node_from_volume(phantom.ct, "SyntheticPatient")
    ct.GetDisplayNode().SetAutoWindowLevel(False)
    ct.GetDisplayNode().SetWindowLevel(400.0, 40.0)
    segmentation = import_result(RunResult({}, phantom.label_map.array, (0, 0, 0)), FLARE_ORGANS, ct)
    segmentation.RemoveAttribute(REPORT_ATTRIBUTE)
    if slicer.app.layoutManager() is not None:
        slicer.util.setSliceViewerLayers(background=ct, fit=True)
    return ct, segmentation
