"""The self-tests that the module brings for Slicer, run on the stand-in."""

import ast
import sys
import unittest
from pathlib import Path

import pytest
import slicer

SOURCE = Path(__file__).resolve().parents[3] / "FlareSegEditor" / "FlareSegEditor.py"


def self_tests() -> list[str]:
    """Names of the test methods, read from the source: pytest collects before the module is loaded."""
    classes = [node for node in ast.parse(SOURCE.read_text("utf-8")).body if isinstance(node, ast.ClassDef)]
    tests = next(node for node in classes if node.name == "FlareSegEditorTest")
    return [node.name for node in tests.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


@pytest.fixture(autouse=True)
def testing():
    """As with Slicer's option --testing."""
    slicer.app.setTestingEnabled(True)
    yield
    slicer.app.setTestingEnabled(False)


@pytest.mark.parametrize("name", self_tests())
def test_passes(scene, edits, name):
    result = unittest.TestResult()
    sys.modules["FlareSegEditor"].FlareSegEditorTest(name).run(result)
    assert result.wasSuccessful() and not result.skipped, result.errors + result.failures + result.skipped
