import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from FlareSegLib.training.synthesis import label_maps
from FlareSegLib.training.synthesis.label_maps import OrganMap, organ_map, transplanted
from FlareSegLib.training.synthesis.tissues import LANDMARKS, Tissue
from FlareSegLib.volumes.volume import Volume


@given(st.floats(0.9, 2.5), st.floats(1.5, 6.0))
def test_organs_keep_their_volume_on_the_common_grid(in_plane, slice_mm):
    shape = (int(90 / slice_mm), int(90 / in_plane), int(90 / in_plane))
    places = np.stack(np.meshgrid(*[mm * (np.arange(n) - (n - 1) / 2) for n, mm in
                                    zip(shape, (slice_mm, in_plane, in_plane))], indexing="ij"))
    ball = np.where((places**2).sum(axis=0) < 25**2, np.uint8(Tissue.SPLEEN), np.uint8(0))
    found = organ_map("one", Volume(ball, (in_plane, in_plane, slice_mm)))
    before = ball.astype(bool).sum() * in_plane**2 * slice_mm
    after = (found.tissues > 0).sum() * np.prod(found.grid.spacing)
    assert after == pytest.approx(before, rel=0.05)
    assert found.cut == ()


def test_organs_that_the_scan_cuts_are_told(balls):
    tissues, grid = balls()
    found = organ_map("cut", Volume(tissues[:45], grid.spacing))
    assert set(found.cut) == {Tissue.LIVER, Tissue.SPLEEN}


@settings(max_examples=10)
@given(st.floats(0.8, 1.25), st.integers(0, 3))
def test_a_transplanted_organ_lies_where_the_old_one_was_and_takes_no_other_organ(balls, growth, number):
    tissues, grid = balls()
    recipient = OrganMap("recipient", tissues, grid)
    donor = np.zeros((40, 30, 50), bool)
    donor[4:36, 4:26, 4 + 5 * number:40] = True
    new = transplanted(recipient, Tissue.LIVER, donor, growth)
    others = (tissues > 0) & (tissues != Tissue.LIVER)
    assert np.array_equal(new.tissues[others], tissues[others])
    assert ((new.tissues == Tissue.LIVER) & others).sum() == 0
    old, own = (np.argwhere(each == Tissue.LIVER).mean(axis=0) for each in (tissues, new.tissues))
    assert np.abs(old - own).max() < 6
    assert (new.tissues == Tissue.LIVER).sum() == pytest.approx(growth * (tissues == Tissue.LIVER).sum(), rel=0.3)


def test_a_missing_organ_is_not_transplanted(balls):
    tissues, grid = balls(organs=2)
    recipient = OrganMap("recipient", tissues, grid)
    assert transplanted(recipient, Tissue.SPLEEN, np.ones((5, 5, 5), bool)) is recipient


def test_livers_of_a_wrong_spacing_are_not_used(real_data):
    donors = label_maps.find_donors(real_data)
    numbers = {int(name.removeprefix("liver_")) for name in donors["msd_liver"]}
    assert numbers and not numbers & set(range(28, 48))


def test_real_label_maps_have_their_organs_on_the_right_sides(real_data):
    names = label_maps.find_label_maps(real_data)
    assert len(names) == 32
    for name in (names[0], names[-1]):
        found = label_maps.read_organ_map(real_data, name)
        x = {organ: np.argwhere(found.tissues == organ)[:, 2].mean() for organ in LANDMARKS}
        assert x[Tissue.LIVER] < x[Tissue.SPLEEN] and x[Tissue.RIGHT_KIDNEY] < x[Tissue.LEFT_KIDNEY]
        z = {organ: np.argwhere(found.tissues == organ)[:, 0].mean() for organ in LANDMARKS}
        assert z[Tissue.RIGHT_KIDNEY] < z[Tissue.LIVER]


def test_real_kidneys_are_axial_and_of_a_plausible_size(real_data):
    kidneys = label_maps.read_donor(real_data, "kits", "case_00152")
    assert set(kidneys) == {Tissue.RIGHT_KIDNEY, Tissue.LEFT_KIDNEY}
    for mask in kidneys.values():
        assert 80 < mask.sum() * 0.008 < 700
        assert mask.shape[0] * 2 > 70
