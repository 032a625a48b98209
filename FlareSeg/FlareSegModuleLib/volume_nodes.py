"""From a volume node to the library's volume."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from FlareSegLib.volumes.volume import Volume

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])


def volume_from_node(node) -> Volume:
    """Return a node's voxels, a view on them, with the geometry of the volume itself.

    A transform above the node is left out: the labels come back on the same voxels, and the segmentation gets the
    same transform.

    Raises
    ------
    ValueError
        With a sentence for the user.
    """
    if node is None:
        raise ValueError(_("No input volume is selected; choose a CT."))
    if node.GetImageData() is None or node.GetImageData().GetPointData().GetScalars() is None:
        raise ValueError(_("The input volume holds no image; choose another volume."))
    matrix = ijk_to_ras(node)
    axes = RAS_TO_LPS @ matrix[:3, :3]
    spacing = np.linalg.norm(axes, axis=0)
    if not (np.isfinite(matrix).all() and (spacing > 0).all()):
        raise ValueError(_("The geometry of the input volume is not valid; import it again."))
    return Volume(slicer.util.arrayFromVolume(node), tuple(map(float, spacing)),
                  tuple(map(float, RAS_TO_LPS @ matrix[:3, 3])), tuple((axes / spacing).ravel().tolist()))


def ijk_to_ras(node) -> np.ndarray:
    """Return the (4, 4) matrix from voxel indices (i, j, k) to RAS millimetres, without any transform node."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def grid_of(node) -> tuple:
    """Return something to compare: it changes when the node's grid does."""
    return (*node.GetImageData().GetDimensions(), *ijk_to_ras(node).ravel().tolist())


def grid_text(node) -> str:
    """Return size and spacing in words."""
    size, spacing = node.GetImageData().GetDimensions(), node.GetSpacing()
    return _("{size} voxels of {spacing} mm").format(size=" x ".join(map(str, size)),
                                                     spacing=" x ".join(f"{step:.2f}" for step in spacing))


def first_volume():
    """Return the scene's first scalar volume, no label map; None where there is none."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return next((node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode"), None)


def node_from_volume(volume: Volume, name: str):
    """Return a new scalar volume node in the scene that holds a volume."""
    matrix = np.eye(4)
    matrix[:3, :3] = RAS_TO_LPS @ volume.direction_matrix * np.asarray(volume.spacing)
    matrix[:3, 3] = RAS_TO_LPS @ np.asarray(volume.origin)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", slicer.mrmlScene.GenerateUniqueName(name))
    slicer.util.updateVolumeFromArray(node, volume.array)
    rows = vtk.vtkMatrix4x4()
    rows.DeepCopy(matrix.ravel().tolist())
    node.SetIJKToRASMatrix(rows)
    node.CreateDefaultDisplayNodes()
    return node
