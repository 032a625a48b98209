"""What is registered when Slicer has started."""

from __future__ import annotations

import slicer

from .dependencies import setup_is_pending
from .sample_data import register_sample_data
from .terminology import register_terminology


def on_startup_completed() -> None:
    """Register terminology and sample data; open the module where its setup asked for the restart."""
    register_terminology()
    register_sample_data()
    if setup_is_pending() and slicer.util.mainWindow() is not None:
        slicer.util.selectModule("FlareSeg")  # entering it resumes the setup
