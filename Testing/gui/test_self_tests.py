"""The self-tests that the module brings for Slicer, run on the stand-in."""

import unittest
from pathlib import Path

import pytest
import slicer
from standin.self_tests import self_test_names

SOURCE = Path(__file__).resolve().parents[2] / "FlareSeg" / "FlareSeg.py"


@pytest.fixture(autouse=True)
def testing():
    """As with Slicer's option --testing."""
    slicer.app.setTestingEnabled(True)
    yield
    slicer.app.setTestingEnabled(False)


@pytest.mark.parametrize("name", self_test_names(SOURCE))
def test_passes(flareseg, scene, name):
    result = unittest.TestResult()
    flareseg.FlareSegTest(name).run(result)
    assert [text for _, text in result.errors + result.failures] == []
    assert result.testsRun == 1 and not result.skipped
