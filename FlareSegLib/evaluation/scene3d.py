"""Organs in 3D, the reference above the prediction, drawn by VTK without a window.

`render` runs this module in a process of its own: where a machine cannot draw at all, VTK ends the process, and the
report must go on. ``python -m FlareSegLib.evaluation.scene3d LABELS.npz PICTURE.png``
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..organs import Organ
from .surface import bounding_box

if TYPE_CHECKING:
    from vtkmodules.vtkRenderingCore import vtkActor, vtkRenderer

SIZE = (1300, 1000)
PATIENCE_S = 300
SMOOTHING_MM = 1.2
#: Direction from which each column is seen, in left, posterior, superior.
VIEWS = {"from anterior": (0.0, -1.0, 0.12), "from posterior": (0.0, 1.0, 0.12)}


def render(reference: np.ndarray, prediction: np.ndarray, spacing: tuple[float, float, float],
           organs: tuple[Organ, ...]) -> np.ndarray | None:
    """Return a picture (rows, columns, 3) uint8 of both label maps, None where VTK is missing or cannot draw.

    Parameters
    ----------
    reference, prediction : numpy.ndarray
        uint8 label maps in axial orientation (superior, posterior, left), of one shape.
    spacing : tuple of float
        Millimetres along i, j, k.
    organs : tuple of Organ
        What to draw, in which colour.
    """
    from PIL import Image

    box = bounding_box((reference > 0) | (prediction > 0))
    if box is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        labels, picture = Path(folder) / "labels.npz", Path(folder) / "picture.png"
        np.savez_compressed(labels, reference=reference[box], prediction=prediction[box], spacing=np.array(spacing),
                            labels=[organ.label for organ in organs], colours=[organ.colour for organ in organs])
        command = [sys.executable, "-m", __name__, str(labels), str(picture)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
            return np.asarray(Image.open(picture).convert("RGB"))
        except (subprocess.SubprocessError, OSError):
            return None


def draw(content: Mapping[str, np.ndarray], path: str) -> None:
    """Draw two rows (reference, prediction) and one column a view, and write them as PNG."""
    from vtkmodules.vtkIOImage import vtkPNGWriter
    from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkWindowToImageFilter

    import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 (registers what draws)

    window = vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetSize(*SIZE)
    window.SetMultiSamples(8)
    columns = len(VIEWS)
    for row, name in enumerate(("reference", "prediction")):
        actors = [_actor(content[name] == label, content["spacing"], colour)
                  for label, colour in zip(content["labels"], content["colours"]) if (content[name] == label).any()]
        for column, direction in enumerate(VIEWS.values()):
            renderer = vtkRenderer()
            renderer.SetViewport(column / columns, (1 - row) / 2, (column + 1) / columns, (2 - row) / 2)
            renderer.SetBackground(1, 1, 1)
            for actor in actors:
                renderer.AddActor(actor)
            _look(renderer, np.array(content[name].shape[::-1]) * content["spacing"], direction)
            window.AddRenderer(renderer)
    window.Render()
    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    writer = vtkPNGWriter()
    writer.SetFileName(path)
    writer.SetInputConnection(grab.GetOutputPort())
    writer.Write()


def _actor(mask: np.ndarray, spacing: np.ndarray, colour: np.ndarray) -> vtkActor:
    """Smoothed surface of a mask (superior, posterior, left); world axes are left, posterior, superior, mm."""
    from scipy.ndimage import gaussian_filter
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D
    from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

    padded = np.pad(mask, 3).astype(np.float32)
    padded = gaussian_filter(padded, SMOOTHING_MM / spacing[::-1])
    image = vtkImageData()
    image.SetDimensions(*padded.shape[::-1])
    image.SetSpacing(*spacing)
    image.SetOrigin(*(-3 * spacing))
    image.GetPointData().SetScalars(numpy_to_vtk(padded.ravel(), deep=True))
    edges = vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 0.5)
    mapper = vtkPolyDataMapper()
    mapper.SetInputConnection(edges.GetOutputPort())
    mapper.ScalarVisibilityOff()
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(*(np.asarray(colour) / 255))
    actor.GetProperty().SetAmbient(0.3)
    actor.GetProperty().SetDiffuse(0.75)
    return actor


def _look(renderer: vtkRenderer, extent_mm: np.ndarray, direction: tuple[float, float, float]) -> None:
    """The same camera for both rows: it looks at the middle of the box, superior is up."""
    centre = extent_mm / 2
    camera = renderer.GetActiveCamera()
    camera.SetFocalPoint(*centre)
    camera.SetPosition(*(centre + np.array(direction) * 10 * extent_mm.max()))
    camera.SetViewUp(0, 0, 1)
    camera.ParallelProjectionOn()
    panel = SIZE[0] / len(VIEWS) / (SIZE[1] / 2)
    camera.SetParallelScale(0.54 * max(extent_mm[2] + 0.12 * extent_mm[1], extent_mm[0] / panel))
    renderer.ResetCameraClippingRange()


if __name__ == "__main__":
    draw(np.load(sys.argv[1]), sys.argv[2])
