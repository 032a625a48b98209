"""Python packages that a run needs: what is there, what is missing, and installing it with the user's consent.

torch comes through the PyTorch extension alone, which picks the build for the GPU's driver. numpy, SimpleITK and what
else Slicer brings are pinned to the installed versions while pip works, also while that extension works with it.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from .compatibility import install_packages

TORCH = "torch>=2.4"
PINNED = ("numpy", "scipy", "SimpleITK", "vtk", "pillow", "packaging", "requests")
RESUME_KEY = "FlareSeg/ResumeSetup"
#: pip reads its options from such variables, too.
PIP_CONSTRAINT = "PIP_CONSTRAINT"


@dataclass(frozen=True)
class Requirement:
    """A package and the version that is there.

    Attributes
    ----------
    text : str
        As in a requirements file, "name>=version".
    installed : str or None
        Version; None where it is missing.
    """

    text: str
    installed: str | None

    @property
    def name(self) -> str:
        """The package's name."""
        return re.split(r"[<>=!~ ]", self.text, maxsplit=1)[0]

    @property
    def satisfied(self) -> bool:
        """True where it is there and new enough."""
        least = self.text.partition(">=")[2]
        return self.installed is not None and _numbers(self.installed) >= _numbers(least)


class NotReady(RuntimeError):
    """Something is missing; the message says what and what to do."""


def requirements(path: str) -> list[Requirement]:
    """Return torch and the packages of a requirements file, looked up without importing any of them."""
    lines = (line.partition("#")[0].strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    importlib.invalidate_caches()
    return [Requirement(text, _version(text)) for text in (TORCH, *filter(None, lines))]


def missing(path: str) -> list[Requirement]:
    """Return what is missing or too old."""
    return [requirement for requirement in requirements(path) if not requirement.satisfied]


def ensure(path: str) -> None:
    """Install what is missing, each step with the user's consent; nothing touches the network if all is there.

    Raises
    ------
    NotReady
        Where the user declines, an installation fails or Slicer is to be restarted first.
    """
    lacking = missing(path)
    if any(requirement.text == TORCH for requirement in lacking):
        _ensure_torch()
    packages = [requirement.text for requirement in lacking if requirement.text != TORCH]
    if packages:
        _install(packages)
    still = missing(path)
    if still:
        raise NotReady(_("These packages are still missing: {names}. Open the Setup section to install them.").format(
            names=", ".join(requirement.text for requirement in still)))


def setup_is_pending() -> bool:
    """True after a restart that the setup asked for, until `setup_is_resumed`."""
    return str(qt.QSettings().value(RESUME_KEY, "")) == "pending"


def setup_is_resumed() -> None:
    """Go on once, not at every start."""
    qt.QSettings().remove(RESUME_KEY)


def _ensure_torch() -> None:
    if not hasattr(slicer.modules, "pytorchutils"):
        _install_pytorch_extension()
    if slicer.app.testingEnabled():
        return  # tests leave the environment alone
    import PyTorchUtils

    version = TORCH.removeprefix("torch")
    try:
        with _pins_file() as constraints, _pip_is_told(constraints):
            torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=version)
    except Exception as error:  # pip failed: no network, no room; it has shown its log
        raise NotReady(_("PyTorch could not be installed (no network, or no room on the disk?); the module PyTorch "
                         "Utils and Slicer's error log tell more.")) from error
    if torch is None:
        raise NotReady(_("PyTorch was not installed; FlareSeg cannot run without it."))


def _install_pytorch_extension() -> None:
    question = _("FlareSeg needs the extension PyTorch, which installs PyTorch to match your GPU. Install it now? "
                 "Slicer restarts afterwards and FlareSeg goes on from there.")
    advice = _("Install the extension PyTorch in the Extensions Manager and restart Slicer.")
    if slicer.app.testingEnabled() or not slicer.util.confirmOkCancelDisplay(question, _("FlareSeg - Setup")):
        raise NotReady(advice)
    if not _extension_comes("PyTorch"):
        raise NotReady(_("The extension PyTorch could not be installed (no network?).") + " " + advice)
    qt.QSettings().setValue(RESUME_KEY, "pending")
    if slicer.util.confirmOkCancelDisplay(_("The extension PyTorch is installed. Restart Slicer now? Unsaved data "
                                            "are lost."), _("FlareSeg - Setup")):
        slicer.util.restart()
    raise NotReady(_("Restart Slicer to go on with the setup."))


def _extension_comes(name: str) -> bool:
    """Install an extension, without further questions about what it needs itself, and without a restart."""
    manager = slicer.app.extensionsManagerModel()
    interactive, manager.interactive = manager.interactive, False
    try:
        return manager.isExtensionInstalled(name) or manager.installExtensionFromServer(name, False)
    finally:
        manager.interactive = interactive


def _install(packages: list[str]) -> None:
    try:
        with _pins_file() as constraints:
            install_packages(packages, str(constraints))
    except Exception as error:  # declined, or pip failed: it has shown its log
        raise NotReady(_("The packages {names} were not installed; FlareSeg cannot run without them.").format(
            names=", ".join(packages))) from error
    importlib.invalidate_caches()


@contextlib.contextmanager
def _pins_file() -> Iterator[Path]:
    """Give a pip constraints file that keeps what Slicer brings as it is."""
    versions = ((name, _version(name)) for name in PINNED)
    with tempfile.TemporaryDirectory(prefix="flareseg-") as folder:
        path = Path(folder) / "constraints.txt"
        path.write_text("".join(f"{name}=={version}\n" for name, version in versions if version), encoding="utf-8")
        yield path


@contextlib.contextmanager
def _pip_is_told(constraints: Path) -> Iterator[None]:
    """Let every pip that is started here keep to a constraints file. As a URL: pip takes spaces for separators."""
    previous = os.environ.get(PIP_CONSTRAINT)
    os.environ[PIP_CONSTRAINT] = " ".join(filter(None, (previous, constraints.as_uri())))
    try:
        yield
    finally:
        if previous is None:
            del os.environ[PIP_CONSTRAINT]
        else:
            os.environ[PIP_CONSTRAINT] = previous


def _version(text: str) -> str | None:
    try:
        return importlib.metadata.version(re.split(r"[<>=!~ ]", text, maxsplit=1)[0])
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """ "2.13.0+cpu" as (2, 13, 0)."""
    return tuple(int(number) for number in re.findall(r"\d+", re.split(r"[+a-z]", version, maxsplit=1)[0]))
