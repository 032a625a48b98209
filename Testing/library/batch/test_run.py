"""What lies in a batch's folder, what a second run makes of it, and what it never tells."""

import csv
import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from FlareSegLib.batch import contact_sheet
from FlareSegLib.batch.inputs import Case, Source, find_sources
from FlareSegLib.batch.records import failed_record, write_record
from FlareSegLib.batch.run import local_workers, run_batch
from FlareSegLib.batch.settings import Settings
from FlareSegLib.batch.summary import summary_text, table_csv
from FlareSegLib.batch.work import segment_case, take_one_gpu
from FlareSegLib.errors import FlareSegError
from FlareSegLib.jobs.job import SegmentJob
from FlareSegLib.jobs.processes import Died
from FlareSegLib.volumes.volume import Volume

from ..cli.conftest import body, write_image, write_slices, write_tiny_bundle  # noqa: F401 - a fixture
from .conftest import BAD, CASES, hidden, lines, results

TEXT_SUFFIXES = {".json", ".jsonl", ".csv", ".html"}


def in_this_process(tasks):
    """Workers without processes."""
    return ((task, segment_case(task)) for task in tasks)


def none_needed(tasks):
    assert not tasks
    yield from ()


@pytest.fixture
def three(cts):
    return sorted(cts.iterdir())[:3]


def test_the_folder_of_a_finished_batch(whole):
    out, outcome = whole
    assert sorted(path.name for path in out.iterdir()) == [
        "batch.json", "cases", "cases.jsonl", "contact_sheet.html", "segmentations", "summary.csv", "thumbnails"]
    assert len(results(out)) == 2 * CASES and not hidden(out)
    assert sorted(map(str, lines(out))) == sorted(map(str, outcome.records))
    for record in outcome.records:
        assert json.loads((out / "cases" / f"{record['case']}.json").read_text("utf-8")) == record
    rows = list(csv.DictReader((out / "summary.csv").open(encoding="utf-8", newline="")))
    assert {row["case"]: row["status"] for row in rows} == {r["case"]: r["status"] for r in outcome.records}
    first = next(row for row in rows if row["case"] == "ct000")
    volume = next(r for r in outcome.records if r["case"] == "ct000")["organs"][0]["volume_ml"]
    assert float(first["liver_ml"]) == pytest.approx(volume, abs=0.005)


def test_what_is_done_stays_and_more_can_be_named(run, three, cts, tmp_path):
    out = tmp_path / "out"
    run(out, three[:2], in_this_process)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/*")}
    assert run(out, three[:2], none_needed).kept == 2
    (out / "segmentations/ct001.seg.nrrd").unlink()
    (out / "cases" / "broken.json").write_text("{")
    outcome = run(out, three, in_this_process)
    assert (outcome.kept, len(outcome.done)) == (1, 3)
    assert all(path.stat().st_mtime_ns == ns for path, ns in before.items() if path.stem.startswith("ct000"))


def test_other_settings_models_and_folders_are_refused(run, three, tmp_path):
    out = tmp_path / "out"
    run(out, three[:1], in_this_process)
    other = write_tiny_bundle(tmp_path / "other", (16, 16), (5.0, 5.0), (4, 8))
    run(out, three[:1], none_needed, threads=1)  # no part of the method
    for change in ({"exact": False}, {"organs": ("liver",)}, {"keep_largest": True}):
        with pytest.raises(FlareSegError) as caught:
            run(out, three, none_needed, **change)
        assert caught.value.code == "output_exists"
    settings = (out / "batch.json").read_text()
    assert other not in settings and str(tmp_path) not in settings
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(FlareSegError) as caught:
        run(tmp_path / "mine", three, none_needed)
    assert caught.value.code == "output_exists"
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_worker_with_another_model_is_refused(run, three, model, tmp_path):
    shutil.copytree(model, tmp_path / "tiny")

    def changed_meanwhile(tasks):
        settings = tasks[0].settings
        shutil.rmtree(tmp_path / "tiny")
        write_tiny_bundle(tmp_path / "tiny", (16, 16), (10.0, 10.0), (4, 8))
        assert settings.method.model == str(tmp_path / "tiny")
        return in_this_process(tasks)

    from FlareSegLib.batch.inputs import find_sources
    from FlareSegLib.batch.run import run_batch
    from FlareSegLib.batch.settings import Settings
    from FlareSegLib.jobs.job import SegmentJob

    settings = Settings.of(tmp_path / "out", SegmentJob("", (), str(tmp_path / "tiny"), device="cpu"))
    with pytest.raises(FlareSegError) as caught:
        run_batch(find_sources(three)[0], settings, changed_meanwhile)
    assert caught.value.code == "model_invalid" and not list((tmp_path / "out/cases").iterdir())


def test_a_case_that_killed_its_workers_is_a_clear_failure_and_is_tried_again(run, three, tmp_path):
    out = tmp_path / "out"
    outcome = run(out, three[:2], lambda tasks: ((task, Died(3)) for task in tasks))
    assert [(r["status"], r["code"]) for r in outcome.records] == [("failed", "worker_died")] * 2
    assert "3 attempts" in outcome.records[0]["message"] and len(lines(out)) == 2
    assert len(run(out, three[:2], in_this_process).done) == 2
    assert {line["status"] for line in lines(out)} == {"done"}


def test_a_defect_stops_no_other_case(run, three, tmp_path, monkeypatch, capsys):
    from FlareSegLib.batch import work

    real = work.run_job
    monkeypatch.setattr(work, "run_job", lambda job: 1 / 0 if "ct001" in job.input else real(job))
    outcome = run(tmp_path / "out", three, in_this_process)
    assert {r["case"]: r.get("code") for r in outcome.records} == {"ct000": None, "ct001": "defect", "ct002": None}
    assert outcome.failed[0]["message"] == "Unexpected error (ZeroDivisionError), please report it."
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_full_disk_stops_all_and_keeps_what_is_done(run, three, tmp_path, monkeypatch):
    from FlareSegLib.batch import work

    real = work.run_job

    def full(job):
        if "ct001" in job.input:
            raise FlareSegError("output_unwritable", "The disk is full.")
        return real(job)

    monkeypatch.setattr(work, "run_job", full)
    with pytest.raises(FlareSegError) as caught:
        run(tmp_path / "out", three, in_this_process)
    assert caught.value.code == "output_unwritable" and not hidden(tmp_path / "out")
    assert [line["case"] for line in lines(tmp_path / "out")] == ["ct000"]
    monkeypatch.setattr(work, "run_job", real)
    assert run(tmp_path / "out", three, in_this_process).kept == 1


def test_nothing_about_a_patient_or_a_path_is_told(run, tmp_path, write_slices):  # noqa: F811
    """Folders, headers and, where the cases are numbered, file names too; in a DICOM case and in failed ones."""
    patient = tmp_path / "SECRET patient"
    patient.mkdir()
    write_slices(patient / "SECRET study", [5.0 * step for step in range(12)], "1.2.3")
    write_image(patient / "SECRET name.nii", body((4, 16, 16)), (10.0, 10.0, 20.0))
    (patient / "SECRET letter.nii").write_text("Dear SECRET")
    write_image(patient / "SECRET mask.nii", (body((4, 16, 16)) > 0).astype("uint8"), (10.0, 10.0, 20.0))
    out = tmp_path / "out"
    outcome = run(out, [patient, patient / "SECRET gone.nii"], in_this_process, numbered=True)
    assert (len(outcome.done), len(outcome.failed)) == (2, 3)
    told = [path for path in out.rglob("*") if path.is_file()]
    assert len(told) >= 13
    for path in told:
        assert b"SECRET" not in path.read_bytes() and "SECRET" not in path.name
        assert str(tmp_path).encode() not in path.read_bytes()
    sentences = {r["message"] for r in outcome.failed}
    assert "The input does not exist; check the path." in sentences


def test_a_failures_path_is_not_told():
    case = Case("one", Source("/data/SECRET/ct.nii", "ct", "SECRET"))
    record = failed_record(case, "unreadable", "/data/SECRET/ct.nii cannot be read; /data/SECRET is odd.\nSECRET list")
    assert record["message"] == "The input cannot be read; its folder is odd."


def test_the_contact_sheet_needs_no_other_file_and_shows_every_case(whole, monkeypatch):
    out, outcome = whole
    page = Page((out / "contact_sheet.html").read_text("utf-8"))
    assert page.cards == [record["case"] for record in sorted(outcome.done, key=lambda r: r["case"])]
    assert len(page.links) == CASES and all(link.startswith("data:image/jpeg;base64,") for link in page.links)
    assert all(name in page.text for name in BAD) and "not_found" in page.text
    assert not re.search(r"(?i)https?:|<script|@import|url\(", page.text)


def test_many_cases_go_on_several_pages(run, three, tmp_path, monkeypatch):
    monkeypatch.setattr(contact_sheet, "MOST_CASES", 2)
    run(tmp_path / "out", three, in_this_process)
    first, second = (Page((tmp_path / "out" / name).read_text("utf-8"))
                     for name in ("contact_sheet.html", "contact_sheet_02.html"))
    assert first.cards == ["ct000", "ct001"] and second.cards == ["ct002"]
    assert "contact_sheet_02.html" in first.links and "contact_sheet.html" in second.links


class Page(HTMLParser):
    """What a page shows and what it points to."""

    def __init__(self, text):
        super().__init__()
        self.text, self.cards, self.links, self._heading = text, [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href")]
        self._heading = tag == "h3"

    def handle_data(self, data):
        self.cards += [data] if self._heading else []
        self._heading = False


def test_an_empty_batch_of_failures_has_its_summary(tmp_path):
    failed = [failed_record(Case(name, Source(f"/{name}", name, "")), "empty", f"No, {name}.") for name in ("a", "b")]
    assert summary_text(failed) == "0 of 2 cases done, 0 of them with warnings; 2 failed"
    assert table_csv(failed).splitlines()[1] == 'a,failed,,empty,"No, a.",,'
    (tmp_path / "cases").mkdir()
    write_record(tmp_path, failed[0])
    assert json.loads((tmp_path / "cases/a.json").read_text()) == failed[0]


@pytest.mark.parametrize(("given", "seen"), [("0,1,2", ["0", "1", "2", "0"]), ("GPU-a,GPU-b", ["GPU-a", "GPU-b"] * 2),
                                             ("", [""] * 4)])
def test_processes_take_turns_with_the_cards(monkeypatch, given, seen):
    for number, card in enumerate(seen):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        take_one_gpu(number)
        import os

        assert os.environ["CUDA_VISIBLE_DEVICES"] == card


def test_cores_are_shared_among_processes(run, three, tmp_path, monkeypatch):
    from FlareSegLib.batch import run as module

    given = []
    monkeypatch.setattr(module, "_cores", lambda: 8)
    monkeypatch.setattr(module, "run_tasks", lambda tasks, *_: (given.extend(tasks), in_this_process(tasks))[1])
    run(tmp_path / "a", three, local_workers(3))
    run(tmp_path / "b", three, local_workers(1))
    run(tmp_path / "c", three, local_workers(2), threads=1)
    assert [task.settings.method.threads for task in given] == [2] * 3 + [None] * 3 + [1] * 3
    with pytest.raises(FlareSegError):
        local_workers(0)


def test_dicom_cts_become_dicom_segs_and_a_ct_without_headers_fails_alone(three, model, write_dicom_ct, tmp_path):
    pydicom, _ = pytest.importorskip("pydicom"), pytest.importorskip("highdicom")
    ct = Volume(body((4, 16, 16)), (10.0, 10.0, 20.0), (0.0, 0.0, 0.0))
    write_dicom_ct(tmp_path / "study", ct)
    settings = Settings.of(tmp_path / "out", SegmentJob("", (), model, device="cpu", exact=True), (".dcm",))
    sources, _ = find_sources([tmp_path / "study", three[0]], tmp_path / "out")
    outcome = run_batch(sources, settings, in_this_process, False, lambda done, total: None)
    assert [(record["code"], record["message"].split(";")[0]) for record in outcome.failed] == [
        ("bad_option", "DICOM SEG (.dcm) refers to the images of a DICOM CT")]
    file, = (tmp_path / "out/segmentations").iterdir()
    assert pydicom.dcmread(file).ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.826.0.1.70"
    told = [path.read_text("utf-8") for path in (tmp_path / "out").rglob("*") if path.suffix in TEXT_SUFFIXES]
    assert len(told) >= 5 and not any("SECRET" in text for text in told)
