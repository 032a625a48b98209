"""Helpers of the FlareSegEditor module: what needs Slicer and is too long for FlareSegEditor.py.

Importing this package makes FlareSegModuleLib importable, which both modules share, and with it FlareSegLib: an
extension installs them beside the module, in the source tree they lie in folders of their own.
"""

from __future__ import annotations

import sys
from pathlib import Path


def find_module_library(module_folder: Path) -> None:
    """Append the folder of the module FlareSeg to sys.path where this one runs from the source tree."""
    beside = module_folder.parent / "FlareSeg"
    installed = (module_folder / "FlareSegModuleLib" / "__init__.py").is_file()
    if not installed and (beside / "FlareSegModuleLib" / "__init__.py").is_file() and str(beside) not in sys.path:
        sys.path.append(str(beside))


find_module_library(Path(__file__).resolve().parents[1])

import FlareSegModuleLib  # noqa: E402, F401  makes FlareSegLib importable
