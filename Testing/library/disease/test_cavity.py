"""The trunk's wall, in the phantom: skin and ribs belong to it, organs and what lies between them do not."""

import numpy as np
from scipy import ndimage

from FlareSegLib.disease.cavity import wall, wall_on_voxels
from FlareSegLib.disease.coarse import coarse_steps
from FlareSegLib.disease.scene import Scene


def test_skin_and_air_are_wall_and_the_belly_is_not(case):
    found = wall_on_voxels(Scene(case), case.grid.whole)
    assert found.shape == case.hu.shape
    assert np.all(found[:, :2] == 1) and found[case.labels > 0].mean() < 0.1
    middle = ndimage.center_of_mass(case.labels > 0)
    assert found[int(middle[0]), int(middle[1]), int(middle[2])] == 0
    fat = (case.hu > -130) & (case.hu < -70)
    # Fat lies under the skin and in the belly.
    assert 0.2 < found[fat].mean() < 0.9


def test_nodes_of_a_box_tell_the_same_as_its_voxels(case):
    scene, box = Scene(case), (slice(7, 31), slice(10, 80), slice(21, 100))
    steps = coarse_steps(case.grid.spacing, 5.0)
    nodes, voxels = wall(scene, box, steps), wall_on_voxels(scene, box)
    thin = voxels[::steps[0], ::steps[1], ::steps[2]]
    assert np.allclose(nodes[:thin.shape[0], :thin.shape[1], :thin.shape[2]], thin, atol=1e-4)
