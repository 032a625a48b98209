"""The same batch on a Dask cluster: two workers of this machine, one of which is killed."""

import os
import sys

import psutil
import pytest

from FlareSegLib.batch.cluster import cluster_workers
from FlareSegLib.errors import FlareSegError

from .conftest import hidden, results

distributed = pytest.importorskip("distributed", reason="no Dask here (extra cluster)")


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, resources={"GPU": 1}, dashboard_address=None,
                                  host="127.0.0.1") as cluster:
        yield cluster


def test_a_worker_is_killed_and_nothing_is_lost(cluster, whole, run, cts, tmp_path):
    undisturbed, _ = whole
    some = sorted(cts.iterdir())[:24]
    killed, said = [], []

    def kill_one(done, total):
        if done == 6:
            killed.append(next(iter(cluster.workers.values())).pid)
            psutil.Process(killed[0]).kill()

    outcome = run(tmp_path / "out", [*some, "missing.nii"], cluster_workers(cluster.scheduler_address, {"GPU": 1},
                                                                           said.append), progress=kill_one)
    assert killed and len(outcome.done) == 24 and [r["code"] for r in outcome.failed] == ["not_found"] and not said
    assert results(tmp_path / "out").items() <= results(undisturbed).items() and not hidden(tmp_path / "out")
    assert len(results(tmp_path / "out")) == 48


def test_a_case_whose_workers_die_is_given_up_and_told(cluster, run, cts, tmp_path, monkeypatch):
    from FlareSegLib.batch import cluster as module

    monkeypatch.setattr(module, "segment_case", lambda task: os._exit(1))
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0))
    outcome = run(tmp_path / "out", sorted(cts.iterdir())[:1], cluster_workers(cluster.scheduler_address, {}))
    assert [record["code"] for record in outcome.failed] == ["worker_died"]


def test_no_scheduler_is_told(run, cts, tmp_path, monkeypatch):
    from FlareSegLib.batch import cluster as module

    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.5)
    with pytest.raises(FlareSegError) as caught:
        run(tmp_path / "out", [cts], cluster_workers("tcp://127.0.0.1:9", {}))
    assert caught.value.code == "scheduler_unreachable"


def test_without_dask_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(FlareSegError) as caught:
        cluster_workers("tcp://127.0.0.1:9", {})
    assert caught.value.code == "missing_package" and "pip install distributed" in str(caught.value)
