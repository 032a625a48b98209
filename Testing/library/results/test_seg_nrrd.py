"""Files read back by 3D Slicer's own storage node and terminology logic (slicer-core)."""

from pathlib import Path

import numpy as np
import pytest

from FlareSegLib.organs import FLARE_ORGANS, choose_organs
from FlareSegLib.results.seg_nrrd import (ANATOMICAL_STRUCTURE, FLARESEG_ANATOMY, GENERAL_ANATOMY, seg_nrrd_fields,
                                          terminology_entry)
from FlareSegLib.results.writing import write_segmentation

TERMINOLOGY = Path(__file__).resolve().parents[3] / "Resources" / "Terminology" / "FlareSeg.term.json"


@pytest.fixture(scope="module")
def slicer():
    return pytest.importorskip("slicer", reason="slicer-core is not installed (pip install slicer-core)",
                               exc_type=ImportError)


@pytest.fixture
def scene(slicer):
    """A scene with the Segmentations logic, as in Slicer."""
    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLApplicationLogic(application)
    logic.SetMRMLScene(scene)
    yield scene
    scene.Clear(1)


def opened(slicer, scene, path):
    """The file's segmentation node, read by Slicer's storage node."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(str(path))
    assert storage.ReadData(node) == 1
    return node


def segment_voxels(slicer, node, index, reference):
    """One segment as a boolean array on the reference's grid, through Slicer's resampling onto it."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    segmentation = node.GetSegmentation()
    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(segmentation.GetNthSegmentID(index), image)
    geometry = slicer.vtkOrientedImageData()
    assert slicer.vtkSegmentationConverter.DeserializeImageGeometry(
        segmentation.GetConversionParameter("Reference image geometry"), geometry)
    assert np.allclose(geometry.GetSpacing(), reference.spacing)
    on_grid = slicer.vtkOrientedImageData()
    assert slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(image, geometry, on_grid)
    values = vtk_to_numpy(on_grid.GetPointData().GetScalars()).reshape(reference.array.shape)
    return values > 0


@pytest.mark.parametrize("missing", [(), (1,), (2, 4), (1, 2, 3, 4)])
@pytest.mark.parametrize("turned_patient", [False, True])
def test_slicer_reads_names_colours_codes_and_voxels(slicer, scene, abdomen, oblique, tmp_path, missing,
                                                     turned_patient):
    case = abdomen(missing, **({"direction": oblique} if turned_patient else {}))
    path = tmp_path / "liver.seg.nrrd"
    write_segmentation(path, case.label_map, case.organs)
    node = opened(slicer, scene, path)
    segmentation = node.GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 4
    assert segmentation.GetNumberOfLayers() == 1
    for index, organ in enumerate(case.organs):
        segment = segmentation.GetNthSegment(index)
        assert segment.GetName() == segmentation.GetNthSegmentID(index) == organ.name
        assert segment.GetLabelValue() == organ.label
        assert np.round(np.array(segment.GetColor()) * 255).astype(int).tolist() == list(organ.colour)
        assert segment.GetTerminology() == terminology_entry(organ)
        assert (slicer.vtkSlicerSegmentationsModuleLogic.GetSegmentStatus(segment)
                == slicer.vtkSlicerSegmentationsModuleLogic.Completed)
        assert np.array_equal(segment_voxels(slicer, node, index, case.label_map),
                              case.label_map.array == organ.label)


def test_voxels_lie_where_the_ct_has_them(slicer, scene, abdomen, oblique, tmp_path):
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    case = abdomen(direction=oblique)
    path = tmp_path / "out.seg.nrrd"
    write_segmentation(path, case.label_map, case.organs)
    node = opened(slicer, scene, path)
    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation("spleen", image)
    matrix = vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    voxel = (70, 40, 25)
    ras = matrix.MultiplyPoint((*voxel, 1.0))[:3]
    left_posterior_superior = case.label_map.index_to_physical(voxel)
    assert np.allclose(ras, left_posterior_superior * [-1, -1, 1], atol=1e-4)


def test_subset_keeps_its_label_values(slicer, scene, abdomen, tmp_path):
    organs = choose_organs(FLARE_ORGANS, ["spleen", "pancreas"])
    case = abdomen(missing=(1, 2))
    path = tmp_path / "two.seg.nrrd"
    write_segmentation(path, case.label_map, organs)
    node = opened(slicer, scene, path)
    assert [node.GetSegmentation().GetNthSegment(i).GetLabelValue() for i in range(2)] == [3, 4]
    for index, organ in enumerate(organs):
        assert np.array_equal(segment_voxels(slicer, node, index, case.label_map),
                              case.label_map.array == organ.label)


@pytest.fixture
def terminologies(slicer, scene):
    logic = slicer.vtkSlicerTerminologiesModuleLogic()
    logic.SetMRMLScene(scene)
    assert logic.LoadTerminologyFromFile(str(TERMINOLOGY)) == FLARESEG_ANATOMY
    return logic


@pytest.mark.parametrize("organ", FLARE_ORGANS, ids=lambda organ: organ.name)
def test_shipped_terminology_finds_each_organ(slicer, terminologies, organ):
    entry = slicer.vtkSlicerTerminologyEntry()
    assert terminologies.FindTypeInTerminologyBy3dSlicerLabel(FLARESEG_ANATOMY, organ.name, entry)
    assert entry.GetCategoryObject().GetCodeValue() == ANATOMICAL_STRUCTURE.value
    assert entry.GetTypeObject().GetCodeValue() == organ.code.value
    coloured = entry.GetTypeObject()
    if organ.modifier is not None:
        coloured = entry.GetTypeModifierObject()
        assert (coloured.GetCodeValue(), coloured.GetCodeMeaning()) == (organ.modifier.value, organ.modifier.meaning)
    assert tuple(coloured.GetRecommendedDisplayRGBValue()) == organ.colour


@pytest.mark.parametrize("organ", FLARE_ORGANS, ids=lambda organ: organ.name)
def test_slicer_understands_the_terminology_string(slicer, terminologies, organ):
    entry = slicer.vtkSlicerTerminologyEntry()
    assert terminologies.DeserializeTerminologyEntry(terminology_entry(organ), entry)
    assert entry.GetTypeObject().GetCodeMeaning() == organ.code.meaning
    assert terminologies.SerializeTerminologyEntry(entry) == terminology_entry(organ)


def test_only_the_joint_kidney_needs_our_own_list():
    lists = {organ.name: terminology_entry(organ).split("~")[0] for organ in FLARE_ORGANS}
    assert lists == {"liver": GENERAL_ANATOMY, "kidney": FLARESEG_ANATOMY, "spleen": GENERAL_ANATOMY,
                     "pancreas": GENERAL_ANATOMY}


def test_every_segment_carries_the_extent_of_the_shared_layer(abdomen):
    fields = seg_nrrd_fields(abdomen(missing=(1,)).label_map, FLARE_ORGANS)
    assert {fields[f"Segment{index}_Extent"] for index in range(4)} == {"0 79 0 59 0 39"}
