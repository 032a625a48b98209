"""The Setup section: what is there, what is missing, and a button that installs it."""

from __future__ import annotations

from collections.abc import Callable

import slicer
from slicer.i18n import tr as _

from . import dependencies


class SetupSection:
    """Folds itself away once all is there.

    Parameters
    ----------
    section, label, button : ctkCollapsibleButton, QLabel, QPushButton
        Its widgets.
    requirements_path : str
        The requirements file.
    on_change : callable
        Called without arguments after an installation.
    """

    def __init__(self, section, label, button, requirements_path: str, on_change: Callable[[], None]):
        self._section, self._label, self._button = section, label, button
        self._path, self._on_change = requirements_path, on_change
        button.connect("clicked()", self.install)

    def refresh(self) -> None:
        """Look again at what is installed."""
        found = dependencies.requirements(self._path)
        lines = [_line(requirement) for requirement in found]
        missing = any(not requirement.satisfied for requirement in found)
        self._label.text = "\n".join(lines)
        self._section.text = _("Setup: packages are missing") if missing else _("Setup: ready")
        self._section.collapsed = not missing
        self._button.setEnabled(missing)

    @property
    def missing(self) -> str:
        """A sentence on what is missing; empty where all is there."""
        names = ", ".join(requirement.name for requirement in dependencies.missing(self._path))
        return _("Not installed yet: {names}; the button offers to install them.").format(names=names) if names else ""

    def ensure(self) -> None:
        """Install what is missing; raise `dependencies.NotReady` where something still is."""
        try:
            dependencies.ensure(self._path)
        finally:
            self.refresh()

    def install(self) -> None:
        """The button: install, and say what hinders."""
        try:
            self.ensure()
        except dependencies.NotReady as error:
            slicer.util.errorDisplay(str(error), windowTitle=_("FlareSeg - Setup"))
        self._on_change()

    def resume(self) -> None:
        """Go on after a restart that the setup asked for."""
        if dependencies.setup_is_pending():
            dependencies.setup_is_resumed()
            self.install()


def _line(requirement) -> str:
    if requirement.satisfied:
        return f"\u2713 {requirement.name} {requirement.installed}"
    if requirement.installed:
        return _("{mark} {name} {version} is too old: {needed} is needed").format(
            mark="\u2717", name=requirement.name, version=requirement.installed, needed=requirement.text)
    return _("{mark} {name} is missing").format(mark="\u2717", name=requirement.text)
