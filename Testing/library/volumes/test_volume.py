import numpy as np
import pytest

from FlareSegLib.volumes.volume import Volume


def test_size_voxel_volume_and_physical_place():
    volume = Volume(np.zeros((3, 4, 5), np.int16), (1.0, 2.0, 4.0), (10.0, 20.0, 30.0), (0, -1, 0, 1, 0, 0, 0, 0, 1))
    assert volume.size == (5, 4, 3)
    assert volume.voxel_ml == pytest.approx(0.008)
    # i runs to posterior (second row of the matrix), j to the right, k to superior
    np.testing.assert_allclose(volume.index_to_physical([[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
                               [[10, 21, 30], [8, 20, 30], [10, 20, 34]])


def test_with_array_keeps_the_grid_and_refuses_another_shape():
    volume = Volume(np.zeros((3, 4, 5), np.int16), (1.0, 2.0, 4.0))
    labels = volume.with_array(np.ones((3, 4, 5), np.uint8))
    assert labels.spacing == volume.spacing and labels.array.dtype == np.uint8
    with pytest.raises(ValueError, match="grid"):
        volume.with_array(np.ones((3, 5, 4)))
