"""The job's fields and what is refused before any work."""

import json

import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.jobs.job import SegmentJob, check_targets


def refusal(act) -> FlareSegError:
    with pytest.raises(FlareSegError) as caught:
        act()
    return caught.value


def test_a_job_survives_json():
    job = SegmentJob("Lékař 脾臓.nii.gz", ("a b.seg.nrrd", "c.nii"), organs=("liver",), exact=True, threads=2)
    assert SegmentJob.from_fields(json.loads(json.dumps({"type": "job", **job.as_fields()}))) == job


def test_only_input_and_outputs_are_needed():
    assert SegmentJob.from_fields({"input": "a", "outputs": ["b"]}) == SegmentJob("a", ("b",))


@pytest.mark.parametrize(("values", "word"), [
    ([], "object"),
    ({"outputs": ["b"]}, "input"),
    ({"input": "a"}, "outputs"),
    ({"input": "a", "outputs": "b"}, "outputs"),
    ({"input": "a", "outputs": [1]}, "outputs"),
    ({"input": "", "outputs": ["b"]}, "input"),
    ({"input": "a", "outputs": ["b"], "organ": ["liver"]}, "organ"),
    ({"input": "a", "outputs": ["b"], "exact": "yes"}, "exact"),
    ({"input": "a", "outputs": ["b"], "threads": True}, "threads"),
])
def test_a_wrong_job_is_refused_by_the_name_of_its_field(values, word):
    error = refusal(lambda: SegmentJob.from_fields(values))
    assert error.code == "bad_option" and word in str(error)


def test_usable_targets_pass(tmp_path):
    check_targets(SegmentJob(str(tmp_path / "ct.nii"), (str(tmp_path / "a.seg.nrrd"),),
                             preview=str(tmp_path / "a.png"), report=str(tmp_path / "a.json")))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("more", "code"), [
    ({"outputs": ()}, "bad_option"),
    ({"outputs": ("a.xyz",)}, "bad_option"),
    ({"outputs": ("a.nii", "./a.nii")}, "bad_option"),
    ({"outputs": ("ct.nii",), "overwrite": True}, "bad_option"),
    ({"preview": "a.jpg"}, "bad_option"),
    ({"report": "a.txt"}, "bad_option"),
    ({"outputs": ("old.nii",)}, "output_exists"),
    ({"report": "old.json"}, "output_exists"),
    ({"outputs": ("missing/a.nii",)}, "output_unwritable"),
    ({"preview": "missing/a.png"}, "output_unwritable"),
])
def test_unusable_targets_are_refused_before_any_work(tmp_path, monkeypatch, more, code):
    monkeypatch.chdir(tmp_path)
    for name in ("ct.nii", "old.nii", "old.json"):
        (tmp_path / name).write_text("")
    job = SegmentJob(**{"input": "ct.nii", "outputs": ("a.nii",), **more})
    assert refusal(lambda: check_targets(job)).code == code
