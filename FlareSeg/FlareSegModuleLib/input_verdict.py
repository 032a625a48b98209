"""The line beside the input selector: is this a CT that can be segmented?"""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from FlareSegLib.errors import FlareSegError
from FlareSegLib.volumes.checks import check_ct

from .background import Background, in_background
from .volume_nodes import volume_from_node


class InputVerdict(VTKObservationMixin):
    """Checks a volume in the background, again whenever its voxels change.

    Parameters
    ----------
    label : QLabel
        Where the verdict is shown.
    on_change : callable
        Called without arguments when the verdict has changed.

    Attributes
    ----------
    refusal : str
        Why the volume cannot be segmented; empty where it can, or while the check runs.
    verdict : str
        What is shown about the volume; empty without one, or while the check runs.
    """

    def __init__(self, label, on_change: Callable[[], None]):
        super().__init__()
        self._label, self._on_change = label, on_change
        self._node = None
        self._follower = None
        self.refusal = self.verdict = ""

    def watch(self, node) -> None:
        """Judge this volume from now on; None for no volume."""
        if node is self._node and node is not None:
            return
        self.removeObservers()
        self._node = node
        if node is not None:
            self.addObserver(node, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent, self._check)
        self._check()

    def stop(self) -> None:
        """Let go of the volume."""
        self.removeObservers()
        self._node = None
        if self._follower is not None:
            self._follower.stop()

    def _check(self, caller=None, event=None) -> None:
        if self._follower is not None:
            self._follower.stop()
        self.refusal = self.verdict = ""
        if self._node is None:
            self._show("", _("Choose a CT of the abdomen."))
            return
        try:
            volume = volume_from_node(self._node)
        except ValueError as error:
            self._refuse(str(error))
            return
        self._label.text = _("Checking...")
        self._follower = in_background(lambda: check_ct(volume), self._checked)

    def _checked(self, background: Background) -> None:
        if isinstance(background.error, FlareSegError):
            self._refuse(str(background.error))
        elif background.error is not None:
            self._refuse(_("The volume could not be checked: {error}").format(error=background.error))
        elif background.value:
            self._show("\u26a0", " ".join(background.value))
        else:
            self._show("\u2713", _("Looks like a CT that can be segmented."))

    def _refuse(self, sentence: str) -> None:
        self.refusal = sentence
        self._show("\u2717", sentence)

    def _show(self, mark: str, sentence: str) -> None:
        self._label.text = f"{mark} {sentence}".strip()
        self.verdict = self._label.text if mark else ""
        self._on_change()
