"""The library's walls: no Slicer, no Qt, and nothing heavy before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import FlareSegLib

LIBRARY = Path(FlareSegLib.__file__).parent
MODULES = sorted(LIBRARY.rglob("*.py"))
FORBIDDEN = {"slicer", "qt", "ctk", "PySide6", "PyQt5"}


def imported_names(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_the_library_is_found():
    assert len(MODULES) > 20


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_no_slicer_and_no_qt(path):
    assert not imported_names(path) & FORBIDDEN


@pytest.mark.parametrize("module", ["FlareSegLib", "FlareSegLib.errors", "FlareSegLib.organs", "FlareSegLib.volumes",
                                    "FlareSegLib.cli.main"])
def test_importing_it_loads_nothing_heavy(module):
    code = f"import sys, {module}; print([m for m in ('torch', 'SimpleITK', 'skimage', 'scipy') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_every_public_name_resolves():
    for name in FlareSegLib.__all__:
        assert getattr(FlareSegLib, name) is not None
    with pytest.raises(AttributeError):
        FlareSegLib.no_such_name


def test_a_model_is_loaded_and_run_without_torch_s_compiler():
    """It takes seconds to import, and some of torch's functions do so by the way."""
    code = ("import sys; from FlareSegLib.inference.segment import segment; "
            "from FlareSegLib.phantom.phantom import make_phantom; "
            "segment(make_phantom(0, (64, 64, 8), (6, 6, 25)).ct, device='cpu', runtime='torch'); "
            "print([m for m in ('torch._dynamo', 'torch._inductor', 'sympy', 'matplotlib') if m in sys.modules])")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_type_checkers_see_the_public_names():
    tree = ast.parse((LIBRARY / "__init__.py").read_text(encoding="utf-8"))
    declared = {alias.asname: node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level
                for alias in node.names}
    assert declared == FlareSegLib._PUBLIC
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert "__getattr__" not in functions, "that hides misspelt names from them"
