"""From the click to the segmentation node, with the shipped model."""

import re

import numpy as np
import pytest
import qt
import slicer
import vtk
from FlareSegModuleLib.result_import import report_of
from standin import dialogs
from standin.waiting import wait_until

NAMES = ["liver", "kidney", "spleen", "pancreas"]


def click_and_wait(widget, ui, seconds=120.0):
    """Press the button once it can be pressed; return the result's node."""
    wait_until(lambda: ui.applyButton.enabled)
    ui.applyButton.click()
    wait_until(lambda: widget._job is None, seconds)
    return widget.logic.getParameterNode().lastResult


def voxels(node, name, ct):
    return slicer.util.arrayFromSegmentBinaryLabelmap(node, name, ct) > 0


def temporary_files():
    from pathlib import Path

    return list(Path(slicer.app.temporaryPath).iterdir())


def segmentations():
    return slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")


def test_from_the_click_to_the_segments(small_ct, widget, ui):
    node = click_and_wait(widget, ui)
    segmentation = node.GetSegmentation()
    assert list(segmentation.GetSegmentIDs()) == NAMES and segmentation.GetNumberOfLayers() == 1
    assert node.GetName() == "phantom organs"
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is small_ct
    liver = segmentation.GetSegment("liver")
    assert "SCT^10200004^Liver" in liver.GetTerminology()
    assert [round(255 * level) for level in liver.GetColor()] == [221, 130, 101]
    hu = slicer.util.arrayFromVolume(small_ct)[voxels(node, "liver", small_ct)]
    assert hu.size > 1000 and 0 < hu.mean() < 200
    assert temporary_files() == []


def test_a_new_node_for_each_run_unless_replacing_is_wished(small_ct, widget, ui):
    first, node = click_and_wait(widget, ui), click_and_wait(widget, ui)
    assert first is not node and segmentations() == 2
    assert (first.GetName(), node.GetName()) == ("phantom organs", "phantom organs_1")

    ui.outputSelector.setCurrentNode(node)
    mtime = node.GetSegmentation().GetMTime()
    with dialogs.answered("Replace them?", qt.QMessageBox.No) as shown:
        ui.applyButton.click()
    assert "liver, kidney, spleen, pancreas" in shown[0]
    assert widget._job is None and node.GetSegmentation().GetMTime() == mtime

    with dialogs.answered("Replace them?", qt.QMessageBox.Yes):
        assert click_and_wait(widget, ui) is node
    assert segmentations() == 2 and list(node.GetSegmentation().GetSegmentIDs()) == NAMES


def own_segmentation(ct):
    """A segmentation of the reader's own, with one segment."""
    output = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    output.CreateDefaultDisplayNodes()
    output.SetReferenceImageGeometryParameterFromVolumeNode(ct)
    output.GetSegmentation().AddEmptySegment("tumour", "tumour")
    mine = np.zeros_like(slicer.util.arrayFromVolume(ct), dtype=np.uint8)
    mine[8, 20:70, 20:70] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mine, output, "tumour", ct)
    return output


def test_other_segments_are_kept_and_nothing_is_asked(small_ct, widget, ui):
    output = own_segmentation(small_ct)
    mine = voxels(output, "tumour", small_ct)
    ui.outputSelector.setCurrentNode(output)
    assert click_and_wait(widget, ui) is output
    assert list(output.GetSegmentation().GetSegmentIDs()) == ["tumour", *NAMES]
    assert np.array_equal(voxels(output, "tumour", small_ct), mine) and mine.any(), "overlapping segments stay whole"
    assert voxels(output, "liver", small_ct).sum() > 1000


def test_only_the_ticked_organs(small_ct, widget, ui):
    for name in ("liver", "spleen", "pancreas"):
        ui.organsWidget.findChild(qt.QCheckBox, f"organ_{name}").click()
    node = click_and_wait(widget, ui)
    assert list(node.GetSegmentation().GetSegmentIDs()) == ["kidney"]
    assert node.GetSegmentation().GetSegment("kidney").GetLabelValue() == 2


def test_the_log_tells_what_was_done(make_ct, scene, request):
    from FlareSegLib.models.store import find_bundle

    make_ct("Mustermann^Max")
    widget, ui = request.getfixturevalue("widget"), request.getfixturevalue("ui")
    node = click_and_wait(widget, ui)
    lines = ui.logText.toPlainText().splitlines()
    assert lines[0].startswith("Started at ") and lines[-1] == "Done."
    assert lines[1] == "Input: 96 x 96 x 16 voxels of 3.50 x 3.50 x 10.00 mm."
    assert lines.count(f"Input check: {ui.inputVerdictLabel.text}") == 1
    assert lines.count(f"Device: {ui.deviceLabel.text}") == 1
    version = find_bundle("flareseg-lite").version
    assert lines[2] == f"Model: flareseg-lite {version}; organs: liver, kidney, spleen, pancreas."
    report = report_of(node)
    assert report["warnings"] and report["notes"]
    assert all("\n".join(lines).count(sentence) == 1 for sentence in report["warnings"] + report["notes"])
    assert f"{report['slices_run']} slices were run on cpu in " in lines[-3]
    stages = re.fullmatch(r"Seconds: (.*); ([0-9.]+) in all\.", lines[-2])
    names, seconds = zip(*(part.rsplit(" ", 1) for part in stages[1].split(", ")))
    assert names == ("handing over", "starting", "reading and loading the model", "segmenting", "measuring",
                     "finishing")
    assert sum(map(float, seconds)) == pytest.approx(float(stages[2]), abs=0.35) and float(stages[2]) > 1
    text = "\n".join(lines)
    assert "Mustermann" not in text and slicer.app.temporaryPath not in text


def test_only_the_largest_pieces(small_ct, widget, ui):
    """The phantom's coarse slices leave stray islands in the shipped model's labels."""
    from scipy.ndimage import label

    def pieces(node):
        return [label(voxels(node, name, small_ct), np.ones((3, 3, 3)))[1] for name in NAMES]

    limits = (1, 2, 1, 1)
    before = pieces(click_and_wait(widget, ui))
    ui.keepLargestCheckBox.click()
    after = pieces(click_and_wait(widget, ui))
    assert any(count > limit for count, limit in zip(before, limits)), "the test needs islands"
    assert all(count <= limit for count, limit in zip(after, limits))
    assert "Stray islands were removed" in ui.resultsLabel.text and "Stray islands" in ui.logText.toPlainText()


def test_beside_its_ct_in_the_subject_hierarchy(small_ct, widget, ui):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "CT of the abdomen")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(small_ct), study)
    node = click_and_wait(widget, ui)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def bounds_of(node):
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    return bounds


def put_under_a_transform(node, kind="vtkMRMLLinearTransformNode"):
    """Turn a node by 90 degrees and move it; return the transform."""
    turn = vtk.vtkTransform()
    turn.Translate(30.0, -20.0, 12.5)
    turn.RotateZ(90)
    transform = slicer.mrmlScene.AddNewNodeByClass(kind)
    if kind == "vtkMRMLLinearTransformNode":
        transform.SetMatrixTransformToParent(turn.GetMatrix())
    else:
        transform.SetAndObserveTransformToParent(bent())
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def bent():
    points, moved = vtk.vtkPoints(), vtk.vtkPoints()
    for place in ((0, 0, 0), (90, 0, 0), (0, 90, 0), (0, 0, 90), (90, 90, 90)):
        points.InsertNextPoint(place)
        moved.InsertNextPoint([value * value / 60 for value in place])
    transform = vtk.vtkThinPlateSplineTransform()
    transform.SetSourceLandmarks(points)
    transform.SetTargetLandmarks(moved)
    return transform


def reference_geometry(node):
    """The matrix that Slicer's Segment Editor and DICOM export take for the reference image's."""
    converter = slicer.vtkSegmentationConverter
    image = slicer.vtkOrientedImageData()
    name = converter.GetReferenceImageGeometryParameterName()
    converter.DeserializeImageGeometry(node.GetSegmentation().GetConversionParameter(name), image)
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return [matrix.GetElement(row, column) for row in range(4) for column in range(4)]


def test_a_ct_under_a_linear_transform(small_ct, widget, ui):
    """The same voxels as without; in the patient they lie where the moved CT has them."""
    node = click_and_wait(widget, ui)
    before, bounds, geometry = {name: voxels(node, name, small_ct) for name in NAMES}, bounds_of(node), \
        reference_geometry(node)
    transform = put_under_a_transform(small_ct)
    moved = click_and_wait(widget, ui)
    assert moved.GetParentTransformNode() is transform
    assert reference_geometry(moved) == pytest.approx(geometry), "in the segmentation's own coordinates"
    assert all(np.array_equal(voxels(moved, name, small_ct), array) for name, array in before.items())
    left, right, posterior, anterior, inferior, superior = bounds
    assert bounds_of(moved) == pytest.approx([30 - anterior, 30 - posterior, left - 20, right - 20, inferior + 12.5,
                                              superior + 12.5])


def test_segments_under_another_transform_stay_where_they_are(small_ct, widget, ui):
    """The organs come to the moved CT's place; the reader's own segment does not move with them."""
    output = own_segmentation(small_ct)
    put_under_a_transform(small_ct)
    new, before = click_and_wait(widget, ui), bounds_of(output)
    ui.outputSelector.setCurrentNode(output)
    assert click_and_wait(widget, ui) is output and output.GetParentTransformNode() is None
    for name in NAMES:
        assert np.array_equal(voxels(output, name, small_ct), voxels(new, name, small_ct))
    for name in NAMES:
        output.GetSegmentation().RemoveSegment(name)
    assert bounds_of(output) == before


def test_segments_that_a_matrix_does_not_bring_to_the_ct(small_ct, widget, ui):
    output = own_segmentation(small_ct)
    put_under_a_transform(output, "vtkMRMLTransformNode")
    ui.outputSelector.setCurrentNode(output)
    wait_until(lambda: ui.applyButton.enabled)
    with dialogs.answered("under different transforms"):
        ui.applyButton.click()
    assert widget._job is None and list(output.GetSegmentation().GetSegmentIDs()) == ["tumour"]


def test_a_segmentation_of_surfaces_is_left_alone(small_ct, widget, ui):
    """Organs beside them would become surfaces, too, or the surfaces would be lost."""
    output, sphere = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mesh"), vtk.vtkSphereSource()
    output.SetSourceRepresentationToClosedSurface()
    sphere.Update()
    output.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "mesh", (1.0, 0.0, 0.0), "mesh")
    ui.outputSelector.setCurrentNode(output)
    wait_until(lambda: ui.applyButton.enabled)
    with dialogs.answered("holds surfaces"):
        ui.applyButton.click()
    assert widget._job is None and output.GetSegmentation().GetSegment("mesh").GetRepresentation("Closed surface")


def test_3d_surfaces(small_ct, widget, ui):
    node = click_and_wait(widget, ui)
    ui.show3DButton.click()
    surface = node.GetSegmentation().GetSegment("liver").GetRepresentation("Closed surface")
    assert ui.show3DButton.checked and surface.GetNumberOfPoints() > 500
    bounds = [0.0] * 6
    small_ct.GetRASBounds(bounds)
    inside = surface.GetBounds()
    slack = max(small_ct.GetSpacing())  # a surface is closed around the outermost voxels
    assert all(bounds[2 * axis] - slack < inside[2 * axis] and inside[2 * axis + 1] < bounds[2 * axis + 1] + slack
               for axis in range(3))
    ui.show3DButton.click()
    assert not node.GetSegmentation().ContainsRepresentation("Closed surface") and not ui.show3DButton.checked


def test_the_same_voxels_as_the_library(small_ct, widget, ui):
    """Slicer's way there and back changes nothing: also for a CT that lies obliquely in the scanner."""
    from FlareSegLib.inference.segment import segment
    from FlareSegLib.models.store import find_bundle
    from FlareSegModuleLib.volume_nodes import volume_from_node

    turn = vtk.vtkTransform()
    turn.RotateX(14)
    turn.RotateZ(-9)
    matrix = vtk.vtkMatrix4x4()
    small_ct.GetIJKToRASMatrix(matrix)
    vtk.vtkMatrix4x4.Multiply4x4(turn.GetMatrix(), matrix, matrix)
    small_ct.SetIJKToRASMatrix(matrix)
    ui.deviceComboBox.currentIndex = ui.deviceComboBox.findText("Processor (CPU)")
    ui.exactCheckBox.checked = True
    node = click_and_wait(widget, ui)
    expected = segment(volume_from_node(small_ct), find_bundle("flareseg-lite"), device="cpu", exact=True)
    for label, name in enumerate(NAMES, start=1):
        assert np.array_equal(voxels(node, name, small_ct), expected.label_map.array == label)


@pytest.mark.parametrize("case", ["ts_slab20"])
def test_a_real_ct(real_data, scene, widget, ui, case):
    from FlareSegLib.volumes.reading import read_volume
    from FlareSegModuleLib.volume_nodes import node_from_volume

    path = next(path for path in (real_data / "ct" / case).iterdir() if path.name.startswith("ct"))
    ct = node_from_volume(read_volume(path), "CT")
    ui.inputSelector.setCurrentNode(ct)
    node = click_and_wait(widget, ui, 300)
    liver = voxels(node, "liver", ct)
    hu = slicer.util.arrayFromVolume(ct)[liver]
    assert 20 < np.median(hu) < 200 and liver.sum() > 100_000
    assert ui.resultsTable.item(0, 0).text() == "liver" and ui.progressLabel.text == "Done."
