"""Slice views and 3D views of a MRML scene, drawn offscreen by the displayable managers that Slicer draws with.

Real are: the slice logic with its layers, window/level and interpolation, the segmentations' displayable managers in 2D
and 3D, and those of the view itself (background, camera, orientation marker, ruler). Ours are: the actor that puts the
slice logic's image on the screen, which Slicer has in a library that slicer-core lacks (vtkLightBoxRendererManager),
and the letters at the edges of a slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

SLICE_MANAGERS = ("vtkMRMLSegmentationsDisplayableManager2D", "vtkMRMLRulerDisplayableManager")
THREE_D_MANAGERS = ("vtkMRMLCameraDisplayableManager", "vtkMRMLViewDisplayableManager",
                    "vtkMRMLSegmentationsDisplayableManager3D", "vtkMRMLOrientationMarkerDisplayableManager")
#: Names, colours and default orientations of Slicer's slice views.
SLICE_VIEWS = {"Axial": "Red", "Coronal": "Green", "Sagittal": "Yellow"}
LETTERS_RAS = (("L", "R"), ("P", "A"), ("I", "S"))


@dataclass(frozen=True)
class SlicePlace:
    """Which slice is drawn.

    Attributes
    ----------
    orientation : str
        "Axial", "Coronal" or "Sagittal".
    centre : tuple of float
        RAS, mm: the slice goes through it, and it is the picture's middle.
    height_mm : float
        What the picture's height shows.
    """

    orientation: str
    centre: tuple[float, float, float]
    height_mm: float


def slice_picture(application, volume_node, place: SlicePlace, size: tuple[int, int]) -> np.ndarray:
    """Draw a slice of the volume and whatever segmentations the scene shows on it.

    Parameters
    ----------
    application : vtkMRMLApplicationLogic
    volume_node : vtkMRMLScalarVolumeNode
        The background; its display node gives window and level.
    place : SlicePlace
    size : tuple of int
        Width and height of the picture, pixels.

    Returns
    -------
    numpy.ndarray
        uint8, (height, width, 3), the top row first.
    """
    logic = _slice_logic(application, SLICE_VIEWS[place.orientation])
    node = logic.GetSliceNode()
    node.SetOrientation(place.orientation)
    node.SetRulerType(node.RulerTypeThin)
    logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume_node.GetID())
    window, renderer = _window(size)
    node.SetDimensions(*size, 1)
    node.SetFieldOfView(place.height_mm * size[0] / size[1], place.height_mm, 1.0)
    node.JumpSliceByCentering(*place.centre)
    renderer.AddViewProp(_image_actor(logic))
    for text in _letters(node, size):
        renderer.AddViewProp(text)
    group = _displayable_managers(application, SLICE_MANAGERS, renderer, node)
    logic.SetDisplayableManagerGroup(group)
    return _draw(window)


def three_d_picture(application, size: tuple[int, int], direction: tuple[float, float, float] = (0.0, 1.0, 0.0),
                    fill: float = 0.95) -> np.ndarray:
    """Draw the scene's segmentations, those that have surfaces, in a 3D view.

    Parameters
    ----------
    application : vtkMRMLApplicationLogic
    size : tuple of int
        Width and height of the picture, pixels.
    direction : tuple of float
        RAS: from the patient towards the eye. (0, 1, 0) looks at the patient from the front.
    fill : float
        The part of the picture's height or width that the surfaces' bounding box may take.

    Returns
    -------
    numpy.ndarray
        uint8, (height, width, 3), the top row first.
    """
    scene = application.GetMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLViewNode", "View1")
    node.SetLayoutName("1")
    node.SetBoxVisible(False)
    node.SetAxisLabelsVisible(False)
    node.SetOrientationMarkerType(node.OrientationMarkerTypeAxes)
    window, renderer = _window(size)
    window.SetMultiSamples(8)
    group = _displayable_managers(application, THREE_D_MANAGERS, renderer, node)
    _aim(group.GetDisplayableManagerByClassName("vtkMRMLCameraDisplayableManager").GetCameraNode(), renderer, direction,
         fill)
    return _draw(window)


def _slice_logic(application, layout_name: str):
    scene = application.GetMRMLScene()
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLApplicationLogic(application)
    logic.SetMRMLScene(scene)
    logic.AddSliceNode(layout_name)
    application.GetSliceLogics().AddItem(logic)
    return logic


def _window(size: tuple[int, int]):
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetSize(*size)
    renderer = vtk.vtkRenderer()
    window.AddRenderer(renderer)
    interactor = vtk.vtkGenericRenderWindowInteractor()  # displayable managers want one; nothing happens in it
    interactor.SetRenderWindow(window)
    interactor.EnableRenderOff()
    return window, renderer


def _displayable_managers(application, names: tuple[str, ...], renderer, node):
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.SetRenderer(renderer)
    for name in names:
        manager = getattr(slicer, name)()
        manager.SetMRMLApplicationLogic(application)
        group.AddDisplayableManager(manager)
    group.SetMRMLDisplayableNode(node)
    return group


def _image_actor(logic):
    """The slice logic's image, RGB already, pixel by pixel."""
    mapper = vtk.vtkImageMapper()
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    mapper.SetInputConnection(logic.GetImageDataConnection())
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    actor.GetProperty().SetDisplayLocationToBackground()
    return actor


def _letters(node, size: tuple[int, int]):
    """R, L, A, P, S or I at the four edges, from the directions of the slice itself."""
    matrix = node.GetSliceToRAS()
    width, height = size
    for column, ends in ((0, ((12, height / 2), (width - 12, height / 2))),
                         (1, ((width / 2, 36), (width / 2, height - 14)))):
        axis = [matrix.GetElement(row, column) for row in range(3)]
        row = int(np.argmax(np.abs(axis)))
        letters = LETTERS_RAS[row] if axis[row] > 0 else LETTERS_RAS[row][::-1]
        for letter, (x, y) in zip(letters, ends):
            yield _text(letter, x, y)


def _text(text: str, x: float, y: float):
    actor = vtk.vtkTextActor()
    actor.SetInput(text)
    actor.SetPosition(x, y)
    style = actor.GetTextProperty()
    style.SetFontFamilyToArial()
    style.SetFontSize(16)
    style.SetColor(1.0, 1.0, 1.0)
    style.SetJustificationToCentered()
    style.SetVerticalJustificationToCentered()
    style.ShadowOn()
    return actor


def _aim(camera_node, renderer, direction: tuple[float, float, float], fill: float) -> None:
    """Let the camera look at the middle of what is drawn, from as near as the picture holds its bounding box."""
    bounds = np.reshape(renderer.ComputeVisiblePropBounds(), (3, 2))
    if not (bounds[:, 0] <= bounds[:, 1]).all():
        raise ValueError("The scene shows no surface to draw.")
    middle = bounds.mean(axis=1)
    towards = np.asarray(direction) / np.linalg.norm(direction)
    right = np.cross((0.0, 0.0, 1.0), towards)
    right /= np.linalg.norm(right)
    up = np.cross(towards, right)
    corners = np.array(list(product(*bounds))) - middle
    tangent = fill * np.tan(np.radians(camera_node.GetViewAngle() / 2.0))
    width, height = renderer.GetSize()
    needed = np.maximum(np.abs(corners @ right) * height / width, np.abs(corners @ up)) / tangent + corners @ towards
    camera_node.SetFocalPoint(*middle)
    camera_node.SetPosition(*(middle + needed.max() * towards))
    camera_node.SetViewUp(*up)
    renderer.ResetCameraClippingRange()


def _draw(window) -> np.ndarray:
    window.Render()
    shot = vtk.vtkWindowToImageFilter()
    shot.SetInput(window)
    shot.SetInputBufferTypeToRGB()
    shot.ReadFrontBufferOff()
    shot.Update()
    width, height, _ = shot.GetOutput().GetDimensions()
    pixels = numpy_support.vtk_to_numpy(shot.GetOutput().GetPointData().GetScalars())
    return pixels.reshape(height, width, 3)[::-1].copy()
