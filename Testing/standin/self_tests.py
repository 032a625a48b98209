"""The self-tests that a module brings for Slicer."""

import ast
from pathlib import Path


def self_test_names(source: Path) -> list[str]:
    """Names of a module's test methods, read from its source: pytest collects before the module is loaded."""
    classes = [node for node in ast.parse(source.read_text("utf-8")).body if isinstance(node, ast.ClassDef)]
    tests = next(node for node in classes if node.name == f"{source.stem}Test")
    return [node.name for node in tests.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
