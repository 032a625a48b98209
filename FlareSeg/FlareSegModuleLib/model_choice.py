"""The list of models, importing one from a folder or a zip, removing imported ones."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from FlareSegLib.errors import FlareSegError
from FlareSegLib.models.bundle import ModelBundle
from FlareSegLib.models.store import (DEFAULT_MODEL, broken_bundles, is_shipped, list_bundles, remove_bundle,
                                      user_folder)

from .background import Background, Follower, in_background
from .python_process import python_command, python_environment, run_library

IMPORT_SECONDS = 600.0


class ModelChoice:
    """The models in a combo box.

    Parameters
    ----------
    combo_box : QComboBox
        Shows the models' names; the item data are the names.
    on_change : callable
        ``on_change(name)`` when the user chooses one or the list changes.
    say : callable
        ``say(sentence)`` for the log.
    """

    def __init__(self, combo_box, on_change: Callable[[str], None], say: Callable[[str], None]):
        self._combo_box, self._on_change, self._say = combo_box, on_change, say
        self._bundles: dict[str, ModelBundle] = {}
        self._importing: Follower | None = None
        combo_box.connect("activated(int)", self._activated)

    def refresh(self, name: str = "default") -> None:
        """Read the list anew and choose a model: the one named, else the default one, else the first."""
        self._bundles = {bundle.name: bundle for bundle in list_bundles()}
        for folder, error in broken_bundles():
            self._say(f"{folder.name}: {error}")
        blocked = self._combo_box.blockSignals(True)
        self._combo_box.clear()
        for bundle in self._bundles.values():
            self._combo_box.addItem(f"{bundle.name} {bundle.version}", bundle.name)
            self._combo_box.setItemData(self._combo_box.count - 1, f"{bundle.title}\n{bundle.intended_use}",
                                        qt.Qt.ToolTipRole)
        self._combo_box.blockSignals(blocked)
        self.choose(name)

    def choose(self, name: str) -> None:
        """Show this model as the chosen one, without telling anybody."""
        wanted = next((known for known in (name, DEFAULT_MODEL) if known in self._bundles), None)
        blocked = self._combo_box.blockSignals(True)
        self._combo_box.setCurrentIndex(max(0, self._combo_box.findData(wanted)) if self._bundles else -1)
        self._combo_box.blockSignals(blocked)

    @property
    def chosen(self) -> ModelBundle | None:
        """The chosen model; None where there is none at all."""
        return self._bundles.get(self._combo_box.itemData(self._combo_box.currentIndex)) if self._bundles else None

    @property
    def imported(self) -> list[ModelBundle]:
        """The models that can be removed."""
        return [bundle for bundle in self._bundles.values() if not is_shipped(bundle)]

    def import_from(self, path: str) -> None:
        """Import a folder or a zip in another process: checking the weights needs torch."""
        if not path or self._importing is not None:
            return
        self._say(_("Importing the model {path} ...").format(path=path))
        command, environment = python_command(), python_environment()
        arguments = ["-c", "import sys; from FlareSegLib.cli.main import main; sys.exit(main(sys.argv[1:]))",
                     "models", "import", path]
        self._importing = in_background(lambda: run_library(arguments, command, environment, IMPORT_SECONDS),
                                        self._imported)

    def _imported(self, background: Background) -> None:
        self._importing = None
        if background.error is not None:
            self._say(str(background.error))
            slicer.util.errorDisplay(str(background.error), windowTitle=_("FlareSeg - Import a model"))
            return
        sentence = background.value.strip()
        self._say(sentence)
        known = set(self._bundles)
        self.refresh()
        new = next((name for name in self._bundles if name not in known), None)
        if new is not None:
            self.choose(new)
        self._on_change(self.chosen.name if self.chosen else "default")

    def remove(self, bundles: list[ModelBundle]) -> None:
        """Delete imported models after asking."""
        names = ", ".join(bundle.name for bundle in bundles)
        question = _("Delete the imported model(s) {names} from {folder}?").format(names=names, folder=user_folder())
        if not bundles or not slicer.util.confirmOkCancelDisplay(question, _("FlareSeg - Remove models")):
            return
        for bundle in bundles:
            try:
                remove_bundle(bundle.folder.name)
                self._say(_("Removed the model {name}.").format(name=bundle.name))
            except FlareSegError as error:
                slicer.util.errorDisplay(str(error), windowTitle=_("FlareSeg - Remove models"))
        self.refresh()
        self._on_change(self.chosen.name if self.chosen else "default")

    def stop(self) -> None:
        """Follow no import any longer."""
        if self._importing is not None:
            self._importing.stop()

    def _activated(self, index: int) -> None:
        self._on_change(self._combo_box.itemData(index))
