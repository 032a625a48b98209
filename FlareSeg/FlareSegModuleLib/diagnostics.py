"""A text to paste into a problem report: versions, device, geometry; no names, no paths, no patient data."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
import traceback
from pathlib import Path

import slicer

import FlareSegLib

PACKAGES = ("torch", "numpy", "scipy", "scikit-image", "safetensors", "SimpleITK", "vtk")


def diagnostic_report(volume_node=None, device_line: str = "", report: dict | None = None,
                      error: BaseException | None = None) -> str:
    """Return the text, in English: it is for the developers.

    Parameters
    ----------
    volume_node : vtkMRMLScalarVolumeNode, optional
        Of it, only size, spacing, voxel type, directions and whether a transform lies above it.
    device_line : str
        What the panel says about the device.
    report : dict, optional
        Of the last result.
    error : Exception, optional
        The last failure.
    """
    lines = [f"FlareSeg {FlareSegLib.__version__}",
             f"Slicer {slicer.app.majorVersion}.{slicer.app.minorVersion} revision {slicer.app.revision}",
             f"Python {platform.python_version()}, {platform.system()} {platform.release()} {platform.machine()}",
             *(f"{name} {_version(name)}" for name in PACKAGES),
             f"device: {device_line or 'not asked yet'}", f"input: {_geometry(volume_node)}"]
    if report:
        shown = ("model", "device", "precision", "reason", "slices_run", "seconds", "peak_memory_mb", "warnings",
                 "notes")
        lines += [f"last result, {key}: {report.get(key)}" for key in shown]
    if error is not None:
        lines += ["last failure:", "".join(traceback.format_exception(error)).rstrip()]
    return without_private_paths("\n".join(lines))


def without_private_paths(text: str) -> str:
    """Return a text in which the user's home folder, and so the user's name, does not show."""
    home = str(Path.home())
    private = {slicer.app.temporaryPath: "TEMP", home: "~", home.replace("\\", "/"): "~"}
    for path in sorted(filter(lambda path: len(path) > 1, private), key=len, reverse=True):
        text = text.replace(path, private[path])
    return text


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "in memory" if name in sys.modules else "missing"


def _geometry(node) -> str:
    if node is None or node.GetImageData() is None:
        return "none"
    image = node.GetImageData()
    directions = [[0.0] * 3 for _ in range(3)]
    node.GetIJKToRASDirections(directions)
    spacing = tuple(round(step, 5) for step in node.GetSpacing())
    return (f"{image.GetDimensions()} voxels of {image.GetScalarTypeAsString()}, {spacing} mm, directions "
            f"{[[round(value, 4) for value in row] for row in directions]}, "
            f"transform {'yes' if node.GetParentTransformNode() else 'no'}")
