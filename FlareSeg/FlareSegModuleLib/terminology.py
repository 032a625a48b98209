"""FlareSeg's own terminology list: Slicer's has no segment that joins both kidneys."""

from __future__ import annotations

import logging
from pathlib import Path

import slicer

import FlareSegLib

FILE = Path("Resources") / "Terminology" / "FlareSeg.term.json"


def terminology_file() -> Path:
    """Return the list's path, in the source tree or in the installed extension."""
    package = Path(FlareSegLib.__file__).resolve().parent
    return next((folder / FILE for folder in (package.parent, package) if (folder / FILE).is_file()), package / FILE)


def register_terminology() -> None:
    """Load the list, so that segments are shown and exported with its codes."""
    if not slicer.modules.terminologies.logic().LoadTerminologyFromFile(str(terminology_file())):
        logging.warning("FlareSeg: the terminology list could not be loaded; segments keep their codes, unnamed.")
