"""Every input that the fuzzer begins with, and every one that once crashed, is read or refused in a sentence."""

import json
import random
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))
try:
    from Testing.fuzz import seeds
    from Testing.fuzz.json_mutator import changed_json
    from Testing.fuzz.targets import TARGETS, check
finally:
    sys.path.remove(str(REPOSITORY))

REGRESSIONS = sorted((Path(__file__).parent / "regressions").glob("*/*"))


@pytest.mark.parametrize("name", TARGETS)
def test_what_the_fuzzer_begins_with(name, tmp_path):
    for number, data in enumerate(TARGETS[name].seeds()):
        folder = tmp_path / str(number)
        folder.mkdir()
        check(TARGETS[name], data, folder)


def test_good_dicom_seeds_are_read(tmp_path):
    """A fuzzer that begins with refusals alone comes no further."""
    from FlareSegLib.volumes.reading import read_volume

    ours, numbers, named, *_, packed = seeds.dicom_segs()
    for number, data in enumerate((ours, numbers, named, packed)):
        folder = tmp_path / str(number)
        folder.mkdir()
        TARGETS["dicom_seg"].read(data, folder)
    (tmp_path / "enhanced.dcm").write_bytes(seeds.enhanced_ct())
    assert read_volume(tmp_path / "enhanced.dcm").array[:, 0, 0].tolist() == [0, 10, 20]


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_once_crashed(path, tmp_path):
    assert path.stat().st_size < 16_000
    check(TARGETS[path.parent.name], path.read_bytes(), tmp_path)


def test_changed_documents_are_documents():
    document = json.dumps({"a": [1, 2.5, "x", None], "b": {"c": True}}).encode()
    draw = random.Random(0)
    for _ in range(500):
        document = changed_json(document, 4096, draw) or document
        json.loads(document)
    assert changed_json(b"no JSON", 4096, draw) is None
