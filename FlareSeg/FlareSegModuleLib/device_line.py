"""The line that says which device will be used, and why."""

from __future__ import annotations

import enum

from slicer.i18n import tr as _

from .background import Background, in_background
from .device_probe import device_text, probe_device
from .python_process import python_command, python_environment


#: Device, exact or not, model (name or folder).
Choice = tuple[str, bool, str]


class Device(enum.Enum):
    """Where the model runs; the values are FlareSegLib's."""

    AUTOMATIC = "auto"
    CUDA = "cuda"
    MPS = "mps"
    CPU = "cpu"

    def label(self) -> str:
        """Text in the panel."""
        return {"auto": _("Automatic"), "cuda": _("NVIDIA GPU (CUDA)"), "mps": _("Apple GPU (MPS)"),
                "cpu": _("Processor (CPU)")}[self.value]


class DeviceLine:
    """Asks for the device in the background, once for each choice.

    Parameters
    ----------
    label : QLabel
        Where the answer is shown.
    """

    def __init__(self, label):
        self._label = label
        self._answers: dict[Choice, str] = {}
        self._follower = None
        self._asked: Choice | None = None

    def show(self, requested: str, exact: bool, model: str, missing: str) -> None:
        """Show the line for a choice of device and model.

        `model` is a name or folder; `missing` says what keeps the line from being asked for, or is empty.
        """
        if missing:
            self._asked, self._label.text = None, missing
            return
        choice = (requested, exact, model)
        if choice in self._answers:
            self._asked, self._label.text = choice, self._answers[choice]
        elif choice != self._asked:
            self._ask(choice)

    @property
    def answer(self) -> str:
        """The line that is shown; empty while the answer is not there."""
        return self._answers.get(self._asked, "")

    def forget(self) -> None:
        """Ask again next time (packages have been installed)."""
        self._answers.clear()
        self._asked = None

    def stop(self) -> None:
        """Wait for no answer any longer."""
        if self._follower is not None:
            self._follower.stop()

    def _ask(self, choice: Choice) -> None:
        self.stop()
        self._asked = choice
        self._label.text = _("Asking PyTorch for the device...")
        command, environment = python_command(), python_environment()
        self._follower = in_background(lambda: probe_device(*choice, command, environment),
                                       lambda background: self._answered(choice, background))

    def _answered(self, choice: Choice, background: Background) -> None:
        if background.error is not None:
            self._label.text = str(background.error)
            return
        self._answers[choice] = device_text(background.value, choice[0])
        self._label.text = self._answers[choice]
