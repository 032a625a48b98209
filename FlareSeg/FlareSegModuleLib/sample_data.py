"""Sample data: a synthetic CT made on the spot, and Slicer's own abdominal CTs."""

from __future__ import annotations

from pathlib import Path

import slicer
from slicer.i18n import tr as _

from .background import in_background
from .compatibility import register_sample_category
from .volume_nodes import node_from_volume

THUMBNAIL = Path(__file__).resolve().parents[1] / "Resources" / "Icons" / "FlareSeg.png"
CATEGORY = "FlareSeg"
#: Coarser than a patient's CT, so that it is there within seconds and segmented fast on any computer.
SIZE, SPACING = (192, 192, 64), (2.0, 2.0, 3.4)
SLICER_SAMPLES = ("CTLiver", "CTAAbdomenPanoramix")


def register_sample_data() -> None:
    """Add FlareSeg's category to the Sample Data module."""
    import SampleData

    register_sample_category(CATEGORY, _("FlareSeg: abdominal CT"))
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY, sampleName="FlareSegPhantom", uris="flareseg:phantom", fileNames="FlareSegPhantom.nrrd",
        nodeNames="FlareSegPhantom", thumbnailFileName=str(THUMBNAIL),
        customDownloader=lambda source: [load_phantom()])
    for name in SLICER_SAMPLES:
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY, sampleName=f"FlareSeg{name}", uris=f"flareseg:{name}", fileNames=f"{name}.nrrd",
            nodeNames=name, customDownloader=lambda source, name=name: SampleData.downloadSamples(name))


def load_phantom(size: tuple[int, int, int] = SIZE, spacing: tuple[float, float, float] = SPACING, seed: int = 0):
    """Make the synthetic CT, show it and return its volume node; the windows stay alive meanwhile."""
    from FlareSegLib.phantom.phantom import make_phantom  # needs scipy: not at Slicer's start

    made = []
    in_background(lambda: make_phantom(seed, size, spacing), made.append).wait()
    if made[0].error is not None:
        raise made[0].error
    node = node_from_volume(made[0].value.ct, "FlareSegPhantom")
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(400.0, 40.0)
    if slicer.app.layoutManager() is not None:
        slicer.util.setSliceViewerLayers(background=node, fit=True)
    return node
