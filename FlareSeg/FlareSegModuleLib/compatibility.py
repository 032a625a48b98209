"""The differences between Slicer 5.10 and later versions; nothing else in the module asks for a version."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _


def install_packages(requirements: list[str], constraints: str) -> None:
    """Install Python packages with the user's consent; `constraints` is a pip constraints file.

    Raises
    ------
    RuntimeError
        Where the user declines; subprocess.CalledProcessError where pip fails.
    """
    try:
        from slicer.packaging import pip_ensure  # 5.12
    except ImportError:
        _install_with_pip(requirements, constraints)
    else:
        pip_ensure(requirements, constraints=constraints, requester="FlareSeg")


def _install_with_pip(requirements: list[str], constraints: str) -> None:
    if slicer.app.testingEnabled():
        return
    question = _("FlareSeg needs these Python packages:\n\n{packages}\n\nThis will modify Slicer's Python environment. "
                 "Continue?").format(packages="\n".join(requirements))
    if not slicer.util.confirmOkCancelDisplay(question, _("FlareSeg - Install Python Packages")):
        raise RuntimeError("User declined package installation")
    slicer.util.pip_install([*requirements, "-c", constraints])


def register_sample_category(name: str, title: str) -> None:
    """Give a category of sample data its translated title."""
    import SampleData

    if hasattr(SampleData.SampleDataLogic, "registerCustomSampleDataCategory"):  # 5.12
        SampleData.SampleDataLogic.registerCustomSampleDataCategory(name, title=title)


def set_terminology(segment, entry: str) -> None:
    """Code a segment."""
    if hasattr(segment, "SetTerminology"):
        segment.SetTerminology(entry)
    else:
        segment.SetTag(segment.GetTerminologyEntryTagName(), entry)
