"""A batch as a job of the worker process."""

import pytest

from FlareSegLib.disease.catalogue import DISEASES
from FlareSegLib.disease.mix import default_mix, mix_text
from FlareSegLib.disease.simulate_job import SimulateJob
from FlareSegLib.errors import FlareSegError
from FlareSegLib.worker.client import WorkerProcess


def test_there_and_back():
    job = SimulateJob(("/a", "/b"), "/c", "flare", {"format": "x"}, 3, 4, 5, False)
    assert SimulateJob.from_fields({"type": "job", **job.as_fields()}) == job


@pytest.mark.parametrize("spoil", [{"cases": "a"}, {"seed": "1"}, {"jobs": True}, {"more": 1}, {"model": []}])
def test_other_fields_are_refused(spoil):
    with pytest.raises(FlareSegError) as refusal:
        SimulateJob.from_fields({**SimulateJob(("/a",), "/c").as_fields(), **spoil})
    assert refusal.value.code == "bad_option"


def test_bad_plans_are_refused(tmp_path):
    import json

    mix = json.loads(mix_text(default_mix(DISEASES)))
    for job in (SimulateJob((str(tmp_path),), str(tmp_path / "in"), model=mix), SimulateJob(("/a",), "/c", "v3", mix),
                SimulateJob(("/a",), "/c", "v2", mix, 0)):
        with pytest.raises(FlareSegError) as refusal:
            job.plan()
        assert refusal.value.code == "bad_option"


def test_the_worker_knows_the_task(tmp_path):
    """What it says of a folder that is none; a whole batch runs in the editor's tests."""
    with WorkerProcess(SimulateJob((str(tmp_path / "none"),), str(tmp_path / "out"), model={"format": "flareseg-mix",
                       "version": 1, "entries": [{"disease": "renal_cyst", "weight": 1}]})) as worker:
        *_, last = worker.messages()
    assert last["type"] == "error" and last["code"] == "not_found" and not (tmp_path / "out").exists()
