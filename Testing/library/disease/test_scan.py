"""Organs as measured in a case."""

import numpy as np
import pytest

from FlareSegLib.disease.case import Grid
from FlareSegLib.disease.scan import MOST_VOXELS, measure_organ

AXES = (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_volume_is_exact_and_percentiles_hold_in_a_large_organ():
    shape = (20, 256, 256)
    hu = np.random.default_rng(0).normal(100, 20, shape).astype(np.int16)
    hu[..., ::2] += 40  # stripes: every second column is another tissue
    labels = np.ones(shape, np.uint8)
    labels[0] = 0
    organ = measure_organ(hu, labels, Grid(shape, (1.0, 1.0, 2.0), (0, 0, 0), AXES), 1, np.s_[1:20, 0:256, 0:256])
    assert labels.sum() > 3 * MOST_VOXELS
    assert organ.name == "liver" and organ.volume_ml == pytest.approx(19 * 256 * 256 * 2 / 1000)
    for found, share in ((organ.p25, 25), (organ.median, 50), (organ.p75, 75), (organ.p95, 95)):
        assert found == pytest.approx(np.percentile(hu[1:], share), abs=1)


def test_only_the_organ_s_own_voxels_count():
    labels = np.zeros((3, 8, 8), np.uint8)
    labels[1, 2:4, 2:4] = 3
    hu = np.where(labels == 3, 50, 900).astype(np.int16)
    organ = measure_organ(hu, labels, Grid(hu.shape, (1.0, 1.0, 1.0), (0, 0, 0), AXES), 3, np.s_[0:3, 1:5, 1:5])
    assert (organ.name, organ.median, organ.p95) == ("spleen", 50, 50)
