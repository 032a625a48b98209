"""A run bound to the scene: it ends when its volume or the scene goes, and its result becomes a segmentation."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from FlareSegLib.errors import FlareSegError
from FlareSegLib.models.store import find_bundle
from FlareSegLib.organs import choose_organs

from .background import Follower
from .python_process import python_command, python_environment
from .result_import import check_output, import_result
from .run import RunOptions, SegmentationRun
from .volume_nodes import grid_of, volume_from_node


class SceneJob(VTKObservationMixin):
    """Segments one volume; the scene stays as it is until the result is complete, and wherever it fails.

    Parameters
    ----------
    volume_node : vtkMRMLScalarVolumeNode
        The CT.
    segmentation_node : vtkMRMLSegmentationNode or None
        Where the result goes; None makes a new node.
    options : RunOptions
        What to segment and how.
    on_message : callable
        Called with the worker's messages (`FlareSegLib.worker.protocol`).
    on_end : callable
        ``on_end(job)`` when it has ended: then `error` is None or says why there is no result.

    Raises
    ------
    ValueError
        With a sentence for the user, where it cannot even start.
    """

    def __init__(self, volume_node, segmentation_node, options: RunOptions,
                 on_message: Callable[[dict], None] = lambda message: None,
                 on_end: Callable[[SceneJob], None] = lambda job: None):
        super().__init__()
        volume = volume_from_node(volume_node)
        check_output(volume_node, segmentation_node)
        try:
            organs = find_bundle(options.model).organs
            self._organs = choose_organs(organs, None if options.organs is None else list(options.organs))
        except FlareSegError as error:
            raise ValueError(str(error)) from error
        self._volume_node, self._segmentation_node = volume_node, segmentation_node
        self._grid = grid_of(volume_node)
        self._on_end = on_end
        self._reason = ""
        self.error: Exception | None = None
        self.segmentation = None
        self.report: dict | None = None
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_scene_close)
        self.addObserver(scene, scene.NodeRemovedEvent, self._on_node_removed)
        self._run = SegmentationRun(volume, options, slicer.app.temporaryPath, python_command(), python_environment())
        self._follower = Follower(self._run.start(), self._finish, on_message)

    @property
    def running(self) -> bool:
        """True until `on_end` has been called."""
        return not self._follower.done

    @property
    def cancelled(self) -> bool:
        """True where it was stopped, by the user or because the scene changed."""
        return isinstance(self.error, FlareSegError) and self.error.code == "cancelled"

    def cancel(self, reason: str = "") -> None:
        """Stop; returns at once, the end comes within a second. `reason` is what the user is told."""
        self._reason = self._reason or reason or _("Stopped; the scene is unchanged.")
        self._run.cancel()

    def abandon(self, seconds: float = 2.0) -> None:
        """Stop, wait until the process and its files are gone, and tell nobody (the module is closing)."""
        self._follower.stop()
        self.removeObservers()
        self._run.cancel()
        self._run.join(seconds)

    def wait(self) -> None:
        """Return when it has ended; the windows stay alive meanwhile."""
        self._follower.wait()

    def _on_scene_close(self, caller=None, event=None) -> None:
        self.cancel(_("The scene was closed; the segmentation was stopped."))

    def _on_node_removed(self, caller=None, event=None) -> None:
        if not self._volume_is_there():
            self.cancel(_("The input volume was deleted; the segmentation was stopped."))

    def _volume_is_there(self) -> bool:
        return bool(slicer.mrmlScene.IsNodePresent(self._volume_node))

    def _finish(self, run: SegmentationRun) -> None:
        self.removeObservers()
        self.error = run.error
        if self._reason:
            self.error = FlareSegError("cancelled", self._reason)
        if self.error is None:
            try:
                self._import(run.value)
            except Exception as error:  # on_end must come in any case
                self.error = error
        self._run.volume = None  # the CT's voxels are let go in the GUI thread
        self._on_end(self)

    def _import(self, result) -> None:
        if not self._volume_is_there() or grid_of(self._volume_node) != self._grid:
            raise FlareSegError("cancelled", _("The input volume was changed meanwhile; segment it again."))
        node = self._segmentation_node
        if node is not None and not slicer.mrmlScene.IsNodePresent(node):
            raise FlareSegError("cancelled", _("The output segmentation was deleted meanwhile; segment again."))
        self.segmentation = import_result(result, self._organs, self._volume_node, node)
        self.report = result.report
