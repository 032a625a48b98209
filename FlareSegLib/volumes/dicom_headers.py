"""Whole DICOM headers, with their sequences, through pydicom (extra `dicom`); SimpleITK gives plain values alone."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FlareSegError

if TYPE_CHECKING:
    import pydicom

LOGGERS = ("pydicom", "highdicom")


def need_dicom_packages(what_for: str) -> None:
    """Raise "missing_package" unless pydicom and highdicom can be imported; `what_for` begins the sentence."""
    try:
        import highdicom  # noqa: F401
    except ImportError:
        raise FlareSegError("missing_package", f"{what_for} needs highdicom and pydicom; install them with: "
                                               "pip install highdicom pydicom.") from None


@contextmanager
def quiet_dicom_packages() -> Iterator[None]:
    """Keep pydicom's and highdicom's warnings from the terminal and the logs: they quote header values.

    Values that break DICOM's rules (dates with points, names too long) are common and are taken as they are.
    """
    import pydicom.config

    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels):
                logger.setLevel(level)


def read_header(path: Path) -> pydicom.Dataset:
    """Return all of a DICOM file but its pixels. Call it within `quiet_dicom_packages`.

    Raises
    ------
    FlareSegError
        "unreadable".
    """
    import pydicom

    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except Exception:  # a damaged file can fail anywhere in the parser, and its message may quote values: none goes on
        raise FlareSegError("unreadable", f"The header of {path.name} is damaged; copy or export it again.") from None
