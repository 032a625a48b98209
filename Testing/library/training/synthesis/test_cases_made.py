"""Hosts, anatomies and transfer on phantoms, and real data where it is there."""

from dataclasses import replace

import numpy as np
import pytest

from FlareSegLib.disease.case import Case
from FlareSegLib.errors import FlareSegError
from FlareSegLib.training.synthesis.anatomies import ABDOMEN_MM, TRUNK_MM, Placement, make_anatomy, place, scan_grid
from FlareSegLib.training.synthesis.hosts import find_hosts, host_from_ct, read_host
from FlareSegLib.training.synthesis.registration import Transform, node_grid
from FlareSegLib.training.synthesis.shapes import ShapeSettings, random_shape
from FlareSegLib.training.synthesis.tissues import FLARE_LABEL, LANDMARKS, Tissue
from FlareSegLib.training.synthesis.transfer import shift_organs, transfer

SPACING = (3.2, 3.2, 4.0)
STILL = ShapeSettings(turn_degrees=0, scale=(1, 1), stretch=0, elastic_mm=(0, 0), organ_probability=0)


@pytest.fixture(scope="module")
def placement(target, host):
    return place(target, host, np.random.default_rng(0))


@pytest.fixture(scope="module")
def grid(target, host, placement):
    return scan_grid(target, host, placement, SPACING, np.random.default_rng(0))


def test_a_scan_reaches_as_far_as_it_is_told_and_no_further_than_the_host(target, host, placement, grid):
    lengths = [scan_grid(target, host, placement, SPACING, np.random.default_rng(0), reach).shape[0]
               for reach in ((5.0, 5.0, 320.0), ABDOMEN_MM, TRUNK_MM)]
    assert lengths[0] < lengths[1] == grid.shape[0] <= lengths[2]
    assert lengths[2] * SPACING[2] < 1.3 * host.grid.shape[0] * host.grid.spacing[2]


def sides_are_right(tissues):
    x = {organ: np.argwhere(tissues == organ)[:, 2].mean() for organ in LANDMARKS}
    return x[Tissue.LIVER] < x[Tissue.SPLEEN] and x[Tissue.RIGHT_KIDNEY] < x[Tissue.LEFT_KIDNEY]


def test_a_host_is_told_by_its_hu(host):
    share = np.bincount(host.tissues.ravel(), minlength=256) / (host.tissues > 0).sum()
    for tissue, least in ((Tissue.FAT, 0.1), (Tissue.MUSCLE, 0.05), (Tissue.LUNG, 0.02), (Tissue.MARROW, 0.005),
                          (Tissue.CORTICAL_BONE, 0.002), (Tissue.LIVER, 0.05), (Tissue.SKIN, 0.01)):
        assert share[tissue] > least, tissue.name
    assert (host.tissues[:, 0] > 0).mean() < 0.01 and sides_are_right(host.tissues)


def test_a_made_anatomy_has_the_targets_organs_in_the_hosts_body(target, host, placement, grid):
    anatomy = make_anatomy(target, host, placement, grid)
    assert anatomy.tissues.shape == grid.shape == anatomy.detail.shape
    assert sides_are_right(anatomy.tissues)
    for organ in LANDMARKS:
        made = (anatomy.tissues == organ).sum() * np.prod(grid.spacing)
        meant = (target.tissues == organ).sum() * np.prod(target.grid.spacing)
        assert 0.3 < made / meant < 2.5, organ
    assert not anatomy.detail[anatomy.tissues >= Tissue.LIVER].any()
    assert (anatomy.tissues == Tissue.OUTSIDE).mean() > 0.1


def test_what_is_unknown_or_was_an_organ_of_the_host_is_no_soft_tissue(phantoms, target, host, placement, grid):
    labels = np.where(phantoms[0].label_map.array == 1, np.uint8(255), phantoms[0].label_map.array)
    unknown = host_from_ct("unknown liver", "nobody", phantoms[0].ct, labels)
    assert np.mean(unknown.tissues[host.tissues == Tissue.LIVER] == Tissue.FAT) > 0.9
    without = replace(target, tissues=np.where(target.tissues == Tissue.SPLEEN, 0, target.tissues).astype(np.uint8))
    made = make_anatomy(without, host, placement, grid).tissues
    whole = make_anatomy(target, host, placement, grid).tissues
    assert not (made == Tissue.SPLEEN).any()
    assert np.mean(made[whole == Tissue.SPLEEN] == Tissue.FAT) > 0.5


def test_a_transferred_case_has_the_hosts_organs_and_their_hu(host, placement, grid):
    case = transfer(host, placement, grid, 1)
    assert set(np.unique(case.labels)) <= {0, 1, 2, 3, 4, 255}
    for label in (1, 2, 3, 4):
        median = np.median(host.ct.array[host.labels == label])
        assert np.median(case.hu[case.labels == label]) == pytest.approx(median, abs=8)
    x = [np.argwhere(case.labels == label)[:, 2].mean() for label in (1, 3)]
    assert x[0] < x[1]


def test_without_any_move_a_transferred_case_is_the_host(host):
    grid = host.grid
    nodes = node_grid(grid, 5.0)
    still = Placement(random_shape(host.tissues, grid, np.random.default_rng(0), STILL),
                      Transform(np.eye(3), np.zeros(3), np.zeros((3, *nodes.shape), np.float32), nodes))
    case = transfer(host, still, type(grid)(host.ct.array.shape, host.ct.spacing, (0.0, 0.0, 0.0), grid.direction))
    inside = tuple(slice(1, n - 1) for n in case.hu.shape)
    assert np.abs(case.hu[inside].astype(int) - host.ct.array[inside]).max() <= 2
    assert (case.labels[inside] == host.labels[inside]).mean() > 0.999


def test_organs_are_shifted_each_by_its_own(host):
    case = Case(host.ct.array, host.labels, host.grid)
    shifted = shift_organs(case, np.random.default_rng(3), probability=1.0)
    change = shifted.hu.astype(int) - case.hu
    assert np.array_equal(shifted.labels, case.labels)
    medians = [np.median(change[case.labels == label]) for label in (1, 2, 3, 4)]
    assert len(set(medians)) == 4 and max(map(abs, medians)) <= 200
    far = np.abs(change[case.labels == 0])
    assert np.mean(far > 0) < 0.3


def test_an_unknown_host_is_refused(tmp_path):
    with pytest.raises(FlareSegError) as refusal:
        read_host(tmp_path, "ct2/nobody")
    assert refusal.value.code == "not_found"


def test_patients_that_are_left_out_are_no_hosts(data):
    assert find_hosts(data) == ("ct/ircad01", "ct/acrin001")
    assert find_hosts(data, frozenset(["ircad01"])) == ("ct/acrin001",)


def test_a_real_ct_and_a_whole_body_phantom_as_hosts(real_data):
    for name in ("ct/cptacpda189", "icrp110/AF"):
        host = read_host(real_data, name)
        assert sides_are_right(host.tissues), name
        for tissue in (Tissue.FAT, Tissue.MUSCLE, Tissue.LUNG, Tissue.MARROW, Tissue.CORTICAL_BONE, Tissue.GAS):
            assert (host.tissues == tissue).sum() > 100, (name, tissue)
        if host.labels is not None:
            assert set(np.unique(FLARE_LABEL[host.tissues])) == {0, 1, 2, 3, 4}
