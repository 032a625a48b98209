"""What the module registers when Slicer has started."""

import pytest
import SampleData
import slicer


@pytest.fixture
def started(scene):
    slicer.app.startupCompleted.emit()
    return SampleData.SampleDataLogic


def test_sample_data(started, monkeypatch):
    import FlareSegModuleLib.sample_data as sample_data

    assert started.categories == {"FlareSeg": "FlareSeg: abdominal CT"}
    assert set(started.sources) == {"FlareSegPhantom", "FlareSegCTLiver", "FlareSegCTAAbdomenPanoramix"}
    monkeypatch.setattr(sample_data.load_phantom, "__defaults__", ((96, 96, 16), (3.5, 3.5, 10.0), 0))
    node, = started.sources["FlareSegPhantom"]["download"](None)
    assert node.GetName() == "FlareSegPhantom" and node.GetImageData().GetDimensions() == (96, 96, 16)


def test_slicers_own_cts_are_offered(started):
    """Downloading is Slicer's; without a network nothing else is hindered."""
    asked = []
    started.registerCustomSampleDataSource(sampleName="CTLiver", uris="https://…", fileNames="CTLiver.nrrd",
                                           customDownloader=lambda source: asked.append("CTLiver"))
    started.sources["FlareSegCTLiver"]["download"](None)
    del started.sources["CTLiver"]
    assert asked == ["CTLiver"]


def test_the_terminology_is_found(started):
    """The list that names both kidneys together."""
    from FlareSegLib.organs import FLARE_ORGANS
    from FlareSegLib.results.seg_nrrd import FLARESEG_ANATOMY, terminology_entry

    kidney = next(organ for organ in FLARE_ORGANS if organ.name == "kidney")
    logic, entry = slicer.modules.terminologies.logic(), slicer.vtkSlicerTerminologyEntry()
    assert logic.FindTypeInTerminologyBy3dSlicerLabel(FLARESEG_ANATOMY, kidney.name, entry)
    assert logic.SerializeTerminologyEntry(entry).split("~")[:4] == terminology_entry(kidney).split("~")[:4]
    assert tuple(entry.GetTypeModifierObject().GetRecommendedDisplayRGBValue()) == kidney.colour


def test_the_description(flareseg):
    parent = slicer.modules.flareseg
    assert parent.title == "FlareSeg" and parent.categories == ["Segmentation"]
    assert "not for diagnosis" in parent.helpText and "Witanto" in parent.acknowledgementText
    assert not parent.icon.isNull()
