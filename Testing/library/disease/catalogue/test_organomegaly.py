"""Enlarged spleens and livers: the volume that was asked for, the organ's own look, and what must not move."""

import numpy as np
import pytest

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.cavity import wall_on_voxels
from FlareSegLib.disease.noise import residual_sd
from FlareSegLib.disease.operation import draw, perform
from FlareSegLib.disease.scene import Scene
from FlareSegLib.errors import FlareSegError


def enlarged(case, name, factor):
    disease, scene = catalogue.find(name), Scene(case)
    operation = draw(disease, scene, disease.organs[0], np.random.default_rng(0), disease.parameters(factor))
    return perform(catalogue.find, scene, operation)


@pytest.mark.parametrize("name, factor", [("splenomegaly", 1.4), ("splenomegaly", 2.0), ("hepatomegaly", 1.25)])
def test_the_organ_has_its_volume_and_looks_as_before(case, name, factor):
    after, ((operation, change),) = enlarged(case, name, factor)
    label = LABEL_OF[operation.organ]
    before_mask, mask = case.labels == label, after.case.labels == label
    assert mask.sum() / before_mask.sum() == pytest.approx(factor, rel=0.02)
    assert np.median(after.case.hu[mask]) == pytest.approx(np.median(case.hu[before_mask]), abs=3)
    sd = [residual_sd(hu.astype(np.float32), m, case.grid.spacing)
          for hu, m in ((case.hu, before_mask), (after.case.hu, mask))]
    assert 0.85 < sd[1] / sd[0] < 1.15
    assert change.jacobian > 0.1


def test_neighbours_keep_their_volume_and_the_wall_stays(case):
    after, _ = enlarged(case, "splenomegaly", 2.0)
    for name in ("kidney", "pancreas", "liver"):
        volumes = [(c.labels == LABEL_OF[name]).sum() for c in (case, after.case)]
        assert volumes[1] / volumes[0] == pytest.approx(1, abs=0.1), name
    wall = wall_on_voxels(Scene(case), case.grid.whole) == 1
    assert wall.sum() > 0.3 * wall.size
    assert np.mean(after.case.hu[wall] != case.hu[wall]) < 0.01


def test_what_finds_no_room_is_refused(case):
    with pytest.raises(FlareSegError) as error:
        enlarged(case, "splenomegaly", 5.0)
    assert error.value.code == "disease_not_placed"
