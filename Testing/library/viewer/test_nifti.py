"""What is sent is what ITK reads from it."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from FlareSegLib.viewer.nifti import nifti_bytes
from FlareSegLib.volumes.reading import read_volume
from FlareSegLib.volumes.volume import Volume

millimetres = st.floats(0.3, 9.0)
places = st.floats(-900.0, 900.0)


@given(st.tuples(millimetres, millimetres, millimetres), st.tuples(places, places, places),
       st.tuples(*[st.floats(-3.0, 3.0)] * 3), st.permutations(range(3)), st.sampled_from([np.int16, np.uint8]))
def test_itk_reads_the_same_grid_and_voxels(tmp_path_factory, spacing, origin, turn, order, kind):
    direction = Rotation.from_rotvec(turn).as_matrix()[:, order]
    array = np.arange(3 * 4 * 5).reshape(3, 4, 5).astype(kind) - (kind == np.int16) * kind(30)
    volume = Volume(array.astype(kind), spacing, origin, tuple(direction.ravel()))
    path = tmp_path_factory.getbasetemp() / "sent.nii"
    path.write_bytes(nifti_bytes(volume))
    read = read_volume(path)
    assert np.array_equal(read.array, volume.array)
    assert sitk.ReadImage(str(path)).GetPixelIDTypeAsString() == ("16-bit signed integer" if kind == np.int16 else
                                                                  "8-bit unsigned integer")
    corners = np.array(list(np.ndindex(2, 2, 2))) * (4, 3, 2)
    assert np.allclose(read.index_to_physical(corners), volume.index_to_physical(corners), atol=2e-3)


def test_other_voxel_types_are_a_defect():
    with pytest.raises(KeyError):
        nifti_bytes(Volume(np.zeros((2, 2, 2)), (1.0, 1.0, 1.0)))


def test_views_that_are_not_contiguous():
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    flipped = Volume(array[:, ::-1].transpose(2, 1, 0), (1.0, 1.0, 1.0))
    assert nifti_bytes(flipped)[352:] == np.ascontiguousarray(flipped.array).tobytes()
