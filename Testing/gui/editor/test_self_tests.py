"""The self-tests that the module brings for Slicer, run on the stand-in."""

import sys
import unittest
from pathlib import Path

import pytest
import slicer
from standin.self_tests import self_test_names

SOURCE = Path(__file__).resolve().parents[3] / "FlareSegEditor" / "FlareSegEditor.py"


@pytest.fixture(autouse=True)
def testing():
    """As with Slicer's option --testing."""
    slicer.app.setTestingEnabled(True)
    yield
    slicer.app.setTestingEnabled(False)


@pytest.mark.parametrize("name", self_test_names(SOURCE))
def test_passes(scene, edits, name):
    result = unittest.TestResult()
    sys.modules["FlareSegEditor"].FlareSegEditorTest(name).run(result)
    assert result.wasSuccessful() and not result.skipped, result.errors + result.failures + result.skipped
