"""What the page is made of."""

import hashlib
import json
import re
from importlib.resources import files as package_files

import numpy as np
import pytest

from FlareSegLib.errors import FlareSegError
from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.results.measurements import measure
from FlareSegLib.viewer.case import read_case
from FlareSegLib.viewer.content import FILES, facts, organ_block, page_resources
from FlareSegLib.viewer.nifti import ras_affine

NIIVUE = package_files("FlareSegLib.viewer") / "page" / "niivue"


@pytest.fixture(scope="module")
def case(files):
    return read_case(*files)


def test_volumes_and_colours_are_those_of_the_report(case):
    told = facts(case)["organs"]
    for organ, measured, row in zip(FLARE_ORGANS, measure(case.ct, case.label_map, case.organs), told, strict=True):
        assert (row["name"], row["label"], row["colour"]) == (organ.name, organ.label, list(organ.colour))
        assert (row["volume_ml"], row["mean_hu"]) == (measured.volume_ml, measured.mean_hu)


def test_an_organs_place_lies_in_it(case):
    affine = np.vstack((ras_affine(case.ct), (0, 0, 0, 1)))
    for row in facts(case)["organs"]:
        i, j, k, _ = np.linalg.inv(affine) @ (*row["place"], 1)
        assert case.label_map.array[round(k), round(j), round(i)] == row["label"]


def test_an_absent_organ_has_no_place(case):
    without = case.label_map.with_array(np.where(case.label_map.array == 3, 0, case.label_map.array))
    row = facts(type(case)(case.ct, without, case.organs, ()))["organs"][2]
    assert row["place"] is None and row["mean_hu"] is None and row["volume_ml"] == 0


def test_the_block_in_3d_holds_all_labels_where_they_are(case):
    block = organ_block(case.label_map)
    ours, theirs = (np.argwhere(volume.array == 2)[:, ::-1] for volume in (block, case.label_map))
    assert np.allclose(block.index_to_physical(ours), case.label_map.index_to_physical(theirs))
    assert np.count_nonzero(block.array) == np.count_nonzero(case.label_map.array)
    assert block.array.shape == (12, 14, 36) and not block.array[[0, -1]].any()


def test_every_address_in_the_page_is_a_resource(case):
    resources = page_resources(case)
    page = resources[""].body.decode()
    named = set(re.findall(r'(?:href|src)="([^"]*)"', page)) - {"data:,"}
    named |= set(re.findall(r'"([\w.]+\.(?:json|nii))"', resources["view.js"].body.decode()))
    assert named == set(resources) - {""}
    assert "Not a medical device" in page
    json.loads(resources["facts.json"].body)


def test_an_installation_without_the_page_says_so(case, monkeypatch):
    monkeypatch.setitem(FILES, "view.js", ("none.js", "text/javascript"))
    with pytest.raises(FlareSegError, match="pip") as failure:
        page_resources(case)
    assert failure.value.code == "missing_package"


def test_niivue_is_the_published_file():
    """The README beside it says which one."""
    digest = hashlib.sha256((NIIVUE / "niivue.umd.js").read_bytes()).hexdigest()
    assert f"`{digest}`" in (NIIVUE / "README.md").read_text(encoding="utf-8")
    assert "Copyright (c) 2021, Niivue" in (NIIVUE / "LICENSES.txt").read_text(encoding="utf-8")
