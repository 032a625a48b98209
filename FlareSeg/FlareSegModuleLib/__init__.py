"""Helpers of the FlareSeg module: what needs Slicer and is too long for FlareSeg.py.

Importing this package makes FlareSegLib importable: an extension installs it beside the module, in the source tree
it lies in the repository's root, which Slicer does not put on sys.path.
"""

from __future__ import annotations

import sys
from pathlib import Path


def find_library(module_folder: Path) -> None:
    """Append the repository's root to sys.path where the module runs from the source tree."""
    root = module_folder.parent
    installed = (module_folder / "FlareSegLib" / "__init__.py").is_file()
    if not installed and (root / "FlareSegLib" / "__init__.py").is_file() and str(root) not in sys.path:
        sys.path.append(str(root))


find_library(Path(__file__).resolve().parents[1])
