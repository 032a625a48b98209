"""What is named, once each, and what it is called."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.batch.inputs import Source, find_sources, named
from FlareSegLib.errors import FlareSegError
from FlareSegLib.volumes.reading import read_volume

from ..cli.conftest import write_slices  # noqa: F401 - a fixture

HEIGHTS = [5.0 * step for step in range(12)]


@pytest.fixture
def tree(tmp_path):
    """Files in folders, as a study has them; none of them is opened here."""
    for name in ("b/ct.nii.gz", "b/ct_0000.nii.gz", "a/ct.nrrd", "a/notes.docx", "a/.hidden.nii", ".git/ct.nii",
                 "c.MHA"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def paths(inputs, **options):
    sources, _ = find_sources(inputs, **options)
    return [source.path for source in sources]


def test_folders_patterns_and_lists_name_the_same(tree, monkeypatch):
    expected = sorted(str(tree / name) for name in ("b/ct.nii.gz", "b/ct_0000.nii.gz", "a/ct.nrrd", "c.MHA"))
    (tree / "list.txt").write_text("# a remark\n\na\nb/*.gz\nc.MHA\n", encoding="utf-8")
    monkeypatch.chdir(tree)
    for inputs in ([tree], ["."], ["list.txt"], [*expected], ["a", "b", "*.MHA"], ["**/ct*", "c.MHA"],
                   [".", "list.txt"]):
        assert sorted(paths(inputs)) == expected, inputs


def test_the_folder_of_the_results_is_left_out(tree):
    out = tree / "b"
    assert paths([tree], leave_out=out) == [str(tree / "c.MHA"), str(tree / "a/ct.nrrd")]


def test_what_is_not_there_is_a_case_that_fails(tree):
    missing, empty = tree / "missing.nii", tree / "empty"
    empty.mkdir()
    assert paths([tree / "c.MHA", missing, empty, tree / "none*"]) == [
        str(tree / name) for name in ("c.MHA", "missing.nii", "empty")]
    for path in (missing, empty):
        with pytest.raises(FlareSegError) as caught:
            read_volume(path)
        assert caught.value.code == "not_found"


@pytest.mark.parametrize("inputs", [["missing.nii"], ["missing*"], ["missing.txt"], ["empty.txt"]])
def test_nothing_at_all_is_told_at_once(tmp_path, monkeypatch, inputs):
    monkeypatch.chdir(tmp_path)
    Path("empty.txt").write_text("# nothing\n")
    with pytest.raises(FlareSegError) as caught:
        find_sources(inputs)
    assert caught.value.code == "not_found"


def test_each_ct_series_is_a_case(tmp_path, write_slices):  # noqa: F811
    """Two in one folder, one that is spread over two, a damaged one; named by their files, too."""
    one, half, rest, bad = tmp_path / "one", tmp_path / "both/half", tmp_path / "both/rest", tmp_path / "bad"
    half.parent.mkdir()
    write_slices(one, HEIGHTS, "1.2.3")
    write_slices(one, HEIGHTS[:11], "1.2.4")
    write_slices(half, HEIGHTS, "1.2.5")
    rest.mkdir()
    for path in sorted(half.iterdir())[6:]:
        path.rename(rest / path.name)
    write_slices(bad, HEIGHTS, "1.2.6")
    (bad / "1.2.6_03.dcm").write_bytes((bad / "1.2.6_03.dcm").read_bytes()[:300])
    sources, no_ct = find_sources([tmp_path])
    cases = {case.name: case.source for case in named(sources)}
    assert no_ct == 0 and set(cases) == {"one_series1", "one_series2", "both", "bad"}
    read = {name: read_volume(source.path, source.series).array.shape[0]
            for name, source in cases.items() if name != "bad"}
    assert read == {"one_series1": 12, "one_series2": 11, "both": 12}
    with pytest.raises(FlareSegError) as caught:
        read_volume(cases["bad"].path, cases["bad"].series)
    assert caught.value.code == "unreadable"
    by_file, _ = find_sources([*one.iterdir(), *bad.iterdir()])
    assert {source.key for source in by_file} == {cases[name].key for name in ("one_series1", "one_series2", "bad")}


def test_what_is_no_ct_is_passed_over(tmp_path, write_slices):  # noqa: F811
    write_slices(tmp_path / "ct", HEIGHTS, "1.2.3")
    write_slices(tmp_path / "ct", HEIGHTS[:2], "1.2.4")  # a localizer: few images beside a scan
    sources, no_ct = find_sources([tmp_path])
    assert [source.called for source in sources] == ["ct"] and no_ct == 1


def source(path):
    path = Path(path)
    return Source(str(path), path.name, path.parent.name)


def test_names_tell_the_folder_where_they_must():
    cases = named([source("/d/anna/ct"), source("/d/ben/ct"), source("/d/ben/late"), source("/e/ben/ct")])
    assert [case.name for case in cases] == ["anna_ct", "ben_ct", "late", "ben_ct_2"]


def test_known_cases_keep_their_names_and_new_ones_get_others():
    old = source("/d/ct")
    cases = named([source("/e/new"), source("/e/CT"), old], {old.key: "ct", "elsewhere": "new"})
    assert [case.name for case in cases] == ["new_2", "e_CT", "ct"]


def test_numbers_instead_of_names():
    old = source("/d/SECRET NAME")
    cases = named([old, source("/d/other SECRET"), source("/e")], {old.key: "case_0002"}, numbered=True)
    assert [case.name for case in cases] == ["case_0002", "case_0001", "case_0003"]


@given(st.lists(st.text(min_size=1, max_size=12).filter(lambda name: "\0" not in name), min_size=1, max_size=12,
                unique=True))
def test_every_name_is_one_and_can_be_a_files(texts):
    cases = named([Source(f"/d/{text}", text, "d") for text in texts])
    names = [case.name for case in cases]
    assert len({name.casefold() for name in names}) == len(texts)
    for name in names:
        assert name and name[0] not in "._-+" and not set(name) & set('/\\:*?"<>| \n')
        assert os.path.basename(name) == name
