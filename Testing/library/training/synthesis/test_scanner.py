from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.disease.case import Grid
from FlareSegLib.training.synthesis.scanner import ScannerSettings, draw_noise, draw_slices, scan, scanned_again
from FlareSegLib.volumes.volume import IDENTITY

QUIET = ScannerSettings(noise_hu=(0.01, 0.011), cupping_hu=0.0, streak_probability=0, table_probability=0,
                        round_field_probability=0, flat_air_probability=0, overlap=0)


def patient():
    """A cylinder of muscle with a bright organ, and its labels."""
    y, x = np.mgrid[-40:40, -50:50]
    body = np.where((y / 30) ** 2 + (x / 42) ** 2 < 1, 50.0, -1000.0)
    organ = y**2 + (x + 15) ** 2 < 12**2
    hu = np.repeat(np.where(organ, 110.0, body)[None], 12, axis=0).astype(np.float32)
    return hu, np.repeat(organ[None], 12, axis=0).astype(np.uint8)


GRID = Grid((12, 80, 100), (1.6, 1.6, 1.0), (0.0, 0.0, 0.0), IDENTITY)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_labels_and_means_are_kept(count):
    hu, labels = patient()
    case = scan(hu.copy(), labels, GRID, count, np.random.default_rng(0), QUIET)
    assert case.hu.shape == case.labels.shape == (12 // count, 80, 100)
    assert case.grid.spacing == (1.6, 1.6, float(count))
    assert np.array_equal(case.labels, labels[:12 // count])
    assert np.median(case.hu[case.labels == 1]) == pytest.approx(110, abs=1)


@given(st.integers(0, 10_000))
def test_whatever_the_scanner_does_organs_can_be_seen(seed):
    hu, labels = patient()
    case = scan(hu, labels, GRID, 2, np.random.default_rng(seed))
    assert case.hu.dtype == np.int16 and case.hu.min() >= -1024 and case.hu.max() <= 3071
    kept = case.labels == 1
    assert set(np.unique(case.labels)) <= {0, 1}
    assert not kept.any() or np.median(case.hu[kept]) == pytest.approx(110, abs=25)


def test_the_same_seed_makes_the_same_scan():
    cases = [scan(*patient(), GRID, 1, np.random.default_rng(seed)) for seed in (7, 7, 8)]
    assert np.array_equal(cases[0].hu, cases[1].hu) and not np.array_equal(cases[0].hu, cases[2].hu)


@given(st.integers(0, 10_000))
def test_noise_is_as_loud_as_drawn(seed):
    model = draw_noise(np.random.default_rng(seed), replace(QUIET, noise_hu=(15.0, 15.1)))
    assert model.sample((3, 64, 64), 0).std() == pytest.approx(15, rel=0.15)


def test_a_real_scan_scanned_again_keeps_its_labels():
    case = scan(*patient(), GRID, 1, np.random.default_rng(0), QUIET)
    settings = replace(QUIET, transferred_probability=1.0, noise_hu=(20.0, 21.0))
    again = scanned_again(case, np.random.default_rng(1), settings)
    assert np.array_equal(again.labels, case.labels)
    assert (again.hu - case.hu)[case.labels == 1].std() > 5


def test_slices_are_means_of_thin_ones():
    drawn = [draw_slices(np.random.default_rng(seed)) for seed in range(100)]
    assert all(1.2 < mm / count < 2.6 for mm, count in drawn) and {mm for mm, _ in drawn} >= {1.6, 5.0}
