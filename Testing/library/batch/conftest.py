"""Many tiny CTs, an untrained model, and how a batch's folder is looked at."""

import json
from pathlib import Path

import pytest

from FlareSegLib.batch.inputs import find_sources
from FlareSegLib.batch.run import local_workers, run_batch
from FlareSegLib.batch.settings import Settings
from FlareSegLib.jobs.job import SegmentJob

from ..cli.conftest import body, write_image, write_tiny_bundle

CASES = 200
BAD = ("bad_content", "bad_labels", "bad_missing")


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> str:
    return write_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny", (16, 16), (10.0, 10.0), (4, 4))


@pytest.fixture(scope="session")
def cts(tmp_path_factory) -> Path:
    """A folder with `CASES` CTs of 16 x 16 x 4 voxels."""
    folder = tmp_path_factory.mktemp("cts")
    for number in range(CASES):
        write_image(folder / f"ct{number:03}.nii", body((4, 16, 16), number), (10.0, 10.0, 20.0))
    return folder


@pytest.fixture(scope="session")
def inputs(cts, tmp_path_factory) -> list[Path]:
    """All of them, and three that cannot be segmented."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "bad_content.nii").write_bytes(b"no image")
    write_image(folder / "bad_labels.nii", (body((4, 16, 16)) > 0).astype("uint8"), (10.0, 10.0, 20.0))
    return [cts, *(folder / f"{name}.nii" for name in BAD)]


@pytest.fixture(scope="session")
def run(model):
    """Function that runs a batch in this process, with workers of its own."""

    def run(out, inputs, workers=None, numbered=False, progress=lambda done, total: None, **method):
        method = {"device": "cpu", "exact": True, **method}  # exact: the least work before each case
        settings = Settings.of(out, SegmentJob("", (), model, **method))
        sources, _ = find_sources(inputs, out)
        return run_batch(sources, settings, workers or local_workers(2), numbered, progress)

    return run


@pytest.fixture(scope="session")
def whole(run, inputs, tmp_path_factory):
    """The folder of a batch that nothing disturbed, and its outcome."""
    out = tmp_path_factory.mktemp("whole") / "out"
    return out, run(out, inputs)


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "cases.jsonl").read_text("utf-8").splitlines()]


def results(out: Path) -> dict[str, bytes]:
    """All label maps and thumbnails by their names."""
    return {path.relative_to(out).as_posix(): path.read_bytes()
            for folder in ("segmentations", "thumbnails") for path in sorted((out / folder).glob("[!.]*"))}


def hidden(out: Path) -> list[Path]:
    """What a process that died may have left."""
    return list(out.rglob(".*"))
