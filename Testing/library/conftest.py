"""Fixtures shared by all library tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[2]

settings.register_profile("flareseg", deadline=None, max_examples=30)
settings.load_profile("flareseg")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real CTs beside the checkout; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("FLARESEG_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "ct").is_dir():
        pytest.skip(f"no real CTs: {folder} is absent (set FLARESEG_DATA to the folder that holds ct/)")
    return folder
