"""Output files appear together or not at all."""

import os
import threading

import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.jobs.staging import PREFIX, Staging


def fill(staging, *targets, text="new"):
    for target in targets:
        with staging.file(target) as staged:
            staged.write_text(text)


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def two(tmp_path):
    """Two targets in two folders, one with letters beyond ASCII."""
    other = tmp_path / "Lékař 脾臓"
    other.mkdir()
    return tmp_path / "a.nii.gz", other / "空 格.seg.nrrd"


def test_nothing_is_there_before_the_commit_and_all_after_it(tmp_path, two):
    with Staging() as staging:
        fill(staging, *two)
        assert not any(path.exists() for path in two)
        staging.commit()
    assert [path.read_text() for path in two] == ["new", "new"]
    assert not list(tmp_path.rglob(f"{PREFIX}*"))


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_nothing(tmp_path, two, failure):
    before = names(tmp_path)
    with pytest.raises(failure), Staging() as staging:
        fill(staging, *two)
        raise failure
    assert names(tmp_path) == before


def test_a_staged_file_keeps_its_name_so_that_writers_see_the_suffix(two):
    with Staging() as staging, staging.file(two[1]) as staged:
        assert staged.name == two[1].name
        assert staged.parent.parent == two[1].parent


def test_existing_files_are_replaced_only_when_allowed(two):
    two[0].write_text("old")
    with pytest.raises(FlareSegError) as refused, Staging() as staging:
        fill(staging, two[1], two[0])
        staging.commit()
    assert refused.value.code == "output_exists"
    assert two[0].read_text() == "old" and not two[1].exists()
    with Staging() as staging:
        fill(staging, *two)
        staging.commit(overwrite=True)
    assert two[0].read_text() == "new" and two[1].read_text() == "new"


def test_a_failing_rename_takes_the_others_back(tmp_path, two, monkeypatch):
    two[0].write_text("old")
    replace = os.replace

    def replace_all_but_the_second(source, target):
        if target == two[1]:
            raise PermissionError(13, "Permission denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace_all_but_the_second)
    with pytest.raises(FlareSegError) as failed, Staging() as staging:
        fill(staging, *two)
        staging.commit(overwrite=True)
    assert failed.value.code == "output_unwritable"
    assert str(two[1]) in str(failed.value)
    assert two[0].read_text() == "old" and not two[1].exists()
    assert not list(tmp_path.rglob(f"{PREFIX}*"))


def test_discard_from_another_thread_stops_the_writing(tmp_path, two):
    with Staging() as staging:
        fill(staging, two[0])
        thread = threading.Thread(target=staging.discard)
        thread.start()
        thread.join()
        for act in (lambda: fill(staging, two[1]), staging.commit):
            with pytest.raises(FlareSegError) as stopped:
                act()
            assert stopped.value.code == "cancelled"
    assert names(tmp_path) == [two[1].parent.name]


def test_discard_after_the_commit_says_so_and_keeps_the_files(two):
    with Staging() as staging:
        fill(staging, *two)
        staging.commit()
        assert staging.committed and not staging.discard()
    assert two[0].exists() and two[1].exists()


def test_temporary_folders_are_announced_before_they_exist(tmp_path, two):
    heard = []
    with Staging(lambda folder: heard.append((folder, folder.exists()))) as staging:
        fill(staging, *two, tmp_path / "b.png")
    assert [existed for _, existed in heard] == [False, False]
    assert {folder.parent for folder, _ in heard} == {tmp_path, two[1].parent}
    assert all(folder.name.startswith(PREFIX) for folder, _ in heard)


def test_failures_speak_of_the_target_not_of_the_temporary_file(two):
    with pytest.raises(FlareSegError) as failed, Staging() as staging:
        with staging.file(two[0]) as staged:
            raise FlareSegError("output_unwritable", f"Cannot write {staged}.")
    assert str(failed.value) == f"Cannot write {two[0]}."


def test_a_missing_folder_is_reported(tmp_path):
    with pytest.raises(FlareSegError) as failed, Staging() as staging:
        fill(staging, tmp_path / "missing" / "a.nii")
    assert failed.value.code == "output_unwritable"
