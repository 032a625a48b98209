"""A slice view that a test's mouse moves and clicks in: slicer-core's own interactor style and displayable managers.

Real are the slice logic, vtkMRMLSliceViewInteractorStyle and the displayable managers of segmentations, Markups and
models. Nothing is drawn unless a picture is asked for, so that no graphics driver is needed. The layout manager and the
Qt widget around them are left out.
"""

from __future__ import annotations

import functools

import numpy as np
import slicer
import vtk

MANAGERS = ("vtkMRMLSegmentationsDisplayableManager2D", "vtkMRMLMarkupsDisplayableManager",
            "vtkMRMLModelSliceDisplayableManager")
PIXELS = 600


class Mouse:
    """A view without a screen, and the mouse in it; who inherits it says what it shows and where a point is in it.

    Parameters
    ----------
    managers : tuple of str
        Displayable managers that see the events.
    """

    def __init__(self, node, managers: tuple[str, ...]):
        self.node = node
        self.window, self.renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
        self.window.SetOffScreenRendering(True)
        self.window.SetSize(PIXELS, PIXELS)
        self.window.SetMultiSamples(0)  # as CTK's views, which Slicer's are
        self.window.AddRenderer(self.renderer)
        self.interactor = vtk.vtkGenericRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.EnableRenderOff()
        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())  # the default one would take the clicks
        self.group = slicer.vtkMRMLDisplayableManagerGroup()
        self.group.SetRenderer(self.renderer)
        for name in managers:
            manager = getattr(slicer, name)()
            manager.SetMRMLApplicationLogic(slicer.app.applicationLogic())
            self.group.AddDisplayableManager(manager)
        self.group.SetMRMLDisplayableNode(self.node)

    def pixel(self, ras) -> tuple[int, int]:
        """Where a point of the patient is in the view."""
        raise NotImplementedError

    def event(self, name: str, ras) -> None:
        """Something happens with the mouse at a point of the patient."""
        x, y = self.pixel(ras)
        self.interactor.SetEventInformation(x, y, 0, 0)
        self.interactor.InvokeEvent(name)
        slicer.app.processEvents()

    def move(self, ras) -> None:
        """The mouse moves there."""
        self.event("MouseMoveEvent", ras)

    def click(self, ras) -> None:
        """The mouse comes in, moves there and clicks."""
        self.event("EnterEvent", ras)
        self.move(ras)
        self.event("LeftButtonPressEvent", ras)
        self.event("LeftButtonReleaseEvent", ras)

    def press(self, ras) -> None:
        """The left button goes down."""
        self.move(ras)
        self.event("LeftButtonPressEvent", ras)

    def release(self, ras) -> None:
        """The left button goes up."""
        self.event("LeftButtonReleaseEvent", ras)

    def drag(self, start, *way) -> None:
        """Press at a point, move along, let go at the last one."""
        self.press(start)
        for ras in way:
            self.move(ras)
        self.release(way[-1])


class MouseView(Mouse):
    """The stand-in's slice view, with a mouse.

    Parameters
    ----------
    managers : tuple of str
        Displayable managers that see the events.
    """

    def __init__(self, managers: tuple[str, ...] = MANAGERS):
        self.logic = slicer.app.applicationLogic().GetSliceLogics().GetItemAsObject(0)
        if self.logic.GetSliceNode().GetScene() is None:  # the scene was closed since
            self.logic.AddSliceNode("Red")
        node = self.logic.GetSliceNode()
        super().__init__(node, managers)
        self.logic.SetDisplayableManagerGroup(self.group)
        self.style = slicer.vtkMRMLSliceViewInteractorStyle()
        self.style.SetSliceLogic(self.logic)
        self.style.SetDisplayableManagers(self.group)
        self.style.SetInteractor(self.interactor)

    def look_at(self, ras, height_mm: float = 150.0, orientation: str = "Axial") -> None:
        """Show the slice through a point, the point in the middle."""
        self.node.SetDimensions(PIXELS, PIXELS, 1)
        self.node.SetOrientation(orientation)
        self.node.SetFieldOfView(height_mm, height_mm, 1.0)
        self.node.JumpSliceByCentering(*ras)

    def show_image(self) -> None:
        """Lay the slice's picture under all else, as slicer-core's missing `vtkMRMLLightBoxRendererManager` does."""
        mapper = vtk.vtkImageMapper()
        mapper.SetColorWindow(255)
        mapper.SetColorLevel(127.5)
        mapper.SetInputConnection(self.logic.GetImageDataConnection())
        actor = vtk.vtkActor2D()
        actor.SetMapper(mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(actor)

    def draw(self) -> None:
        """Draw the view; VTK may end the process where it finds no graphics driver."""
        self.logic.UpdatePipeline()
        self.window.Render()

    def picture(self, pixels: int):
        """The view as a square of so many pixels, uint8 (height, width, 3), the top row first."""
        from PIL import Image
        from vtk.util import numpy_support

        self.draw()
        shot = vtk.vtkWindowToImageFilter()
        shot.SetInput(self.window)
        shot.SetInputBufferTypeToRGB()
        shot.ReadFrontBufferOff()
        shot.Update()
        found = numpy_support.vtk_to_numpy(shot.GetOutput().GetPointData().GetScalars()).reshape(PIXELS, PIXELS, 3)
        return np.asarray(Image.fromarray(found[::-1].copy()).resize((pixels, pixels), Image.Resampling.LANCZOS))

    def pixel(self, ras) -> tuple[int, int]:
        """Where a point of the patient is in the view."""
        inverse = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.node.GetXYToRAS(), inverse)
        x, y, _z, _w = inverse.MultiplyPoint((*ras, 1.0))
        return round(x), round(y)


@functools.cache
def mouse_view() -> MouseView:
    """The process' one view: it lives as long as the slice node, which outlives scenes."""
    return MouseView()
