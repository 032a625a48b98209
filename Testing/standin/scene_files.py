"""Scenes as .mrb files, through the scene's own methods; Slicer's slicer.util.saveScene needs its I/O manager."""

from __future__ import annotations

import tempfile

import slicer

_kept = []


def set_up_cache() -> None:
    """A bundle is unpacked through the scene's cache and its download logics."""
    application, scene = slicer.app.applicationLogic(), slicer.mrmlScene
    remote, data = slicer.vtkMRMLRemoteIOLogic(), slicer.vtkDataIOManagerLogic()
    for logic in (remote, data):
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
    remote.GetCacheManager().SetRemoteCacheDirectory(tempfile.mkdtemp(prefix="standin-"))
    data.SetAndObserveDataIOManager(remote.GetDataIOManager())
    remote.AddDataIOToScene()
    _kept.extend((remote, data))


def save_scene(path: str) -> None:
    """Write the scene and its data as a bundle."""
    if not slicer.mrmlScene.WriteToMRB(path):
        raise RuntimeError(f"the scene was not written to {path}")


def load_scene(path: str) -> None:
    """Replace the scene by a bundle's."""
    if not slicer.mrmlScene.ReadFromMRB(path, True):
        raise RuntimeError(f"the scene was not read from {path}")
