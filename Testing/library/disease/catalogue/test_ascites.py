"""Free fluid: in fat or lung only, never in an organ, as much as was asked for."""

import numpy as np
import pytest
from scipy import ndimage

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import UNKNOWN
from FlareSegLib.disease.operation import draw, perform
from FlareSegLib.disease.scene import Scene
from FlareSegLib.errors import FlareSegError


def done(case, name, **parameters):
    disease, scene = catalogue.find(name), Scene(case)
    operation = draw(disease, scene, "", np.random.default_rng(0), disease.parameters(**parameters))
    after, ((_, change),) = perform(catalogue.find, scene, operation)
    cover = np.zeros(case.hu.shape, np.float32)
    cover[change.box] = change.cover
    return after.case, cover


@pytest.mark.parametrize("name, volume, highest", [("ascites", 200.0, -40), ("pleural_effusion", 60.0, -500)])
def test_fluid_lies_where_fat_or_lung_was_and_labels_stay(case, name, volume, highest):
    after, cover = done(case, name, volume=volume)
    assert np.array_equal(after.labels, case.labels)
    assert not cover[case.labels > 0].any()
    assert np.array_equal(after.hu[case.labels > 0], case.hu[case.labels > 0])
    full = cover > 0.95
    assert np.percentile(case.hu[full], 75) < highest
    assert np.median(after.hu[full]) == pytest.approx(8, abs=3)


def test_more_fluid_fills_more_up_to_the_room_that_there_is(case):
    volumes = [float(done(case, "ascites", volume=v)[1].sum(dtype=float)) * case.grid.voxel_ml
               for v in (100.0, 250.0, 3000.0)]
    assert volumes[0] == pytest.approx(100, rel=0.25) and volumes[1] == pytest.approx(250, rel=0.25)
    assert volumes[1] < volumes[2] < 3000


def test_an_effusion_lies_in_the_back(case):
    _, cover = done(case, "pleural_effusion", volume=60.0)
    lung = ndimage.binary_erosion((case.hu < -750) & (case.hu > -940))
    assert np.argwhere(cover > 0.5)[:, 1].mean() > np.argwhere(lung)[:, 1].mean() + 5


def test_unknown_voxels_are_left_alone_and_a_scan_without_lung_is_refused(case):
    labels = case.labels.copy()
    labels[:, 30:60][labels[:, 30:60] == 0] = UNKNOWN
    after, _ = done(case.with_arrays(case.hu, labels), "ascites")
    assert np.array_equal(after.hu[labels == UNKNOWN], case.hu[labels == UNKNOWN])
    with pytest.raises(FlareSegError) as error:
        done(case.with_arrays(np.where(case.hu < -300, -100, case.hu).astype(np.int16), case.labels),
             "pleural_effusion")
    assert error.value.code == "disease_not_placed"
