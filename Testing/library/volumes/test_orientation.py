from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from FlareSegLib.volumes.orientation import axis_order, from_axial, obliqueness_degrees, to_axial
from FlareSegLib.volumes.volume import Volume

STORAGES = [(axes, flips) for axes in permutations(range(3)) for flips in product((False, True), repeat=3)]
storages = st.sampled_from(STORAGES)
#: Below 20 degrees, each axis stays nearest to its own patient axis, whatever the rotation's axis.
rotations = st.tuples(*[st.floats(-1, 1)] * 3).map(
    lambda v: Rotation.from_rotvec(np.radians(20) * np.array(v) / max(1, np.linalg.norm(v))).as_matrix())
spacings = st.tuples(*[st.floats(0.3, 10)] * 3)


def axial_volume(rotation, spacing, shape=(3, 4, 5)) -> Volume:
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    return Volume(array, spacing, (12.5, -40.0, 300.0), tuple(rotation.ravel()))


def stored_as(volume: Volume, axes, flips) -> Volume:
    """The same voxels at the same places with stored axis s running along axis axes[s], turned if flips[s]."""
    signs = np.where(flips, -1, 1)
    array = volume.array.transpose([2 - axes[s] for s in (2, 1, 0)])
    array = array[tuple(slice(None, None, int(signs[s])) for s in (2, 1, 0))]
    corner = [0, 0, 0]
    for s in range(3):
        corner[axes[s]] = volume.size[axes[s]] - 1 if flips[s] else 0
    direction = volume.direction_matrix[:, list(axes)] * signs
    return Volume(array, tuple(volume.spacing[a] for a in axes), tuple(volume.index_to_physical(corner)),
                  tuple(direction.ravel()))


def places(volume: Volume) -> np.ndarray:
    """Physical position of each voxel, in the order of the voxels' values."""
    index_kji = np.argwhere(np.ones(volume.array.shape, bool))
    return volume.index_to_physical(index_kji[:, ::-1])[np.argsort(volume.array.ravel())]


def test_there_are_48_storages():
    assert len(set(STORAGES)) == 48


@pytest.mark.parametrize(("axes", "flips"), STORAGES)
def test_every_storage_becomes_one_axial_array(axes, flips):
    volume = axial_volume(Rotation.from_euler("xyz", (5, -8, 11), degrees=True).as_matrix(), (0.7, 0.9, 3.0))
    stored = stored_as(volume, axes, flips)
    axial, order = to_axial(stored)
    np.testing.assert_array_equal(axial.array, volume.array)
    assert np.shares_memory(axial.array, stored.array)
    np.testing.assert_allclose(places(axial), places(volume), atol=1e-9)
    np.testing.assert_array_equal(from_axial(axial.array, order), stored.array)


@given(storages, rotations, spacings)
def test_storage_never_matters(storage, rotation, spacing):
    volume = axial_volume(rotation, spacing)
    stored = stored_as(volume, *storage)
    np.testing.assert_allclose(places(stored), places(volume), atol=1e-9)  # the test's own helper is right
    axial, order = to_axial(stored)
    np.testing.assert_array_equal(axial.array, volume.array)
    np.testing.assert_allclose(axial.spacing, volume.spacing)
    np.testing.assert_allclose(axial.origin, volume.origin, atol=1e-9)
    np.testing.assert_allclose(axial.direction, volume.direction, atol=1e-12)
    np.testing.assert_array_equal(from_axial(axial.array, order), stored.array)


@given(st.tuples(*[st.floats(-np.pi, np.pi)] * 3), st.booleans())
def test_any_direction_gives_a_permutation_and_labels_go_back(angles, mirrored):
    direction = Rotation.from_euler("xyz", angles).as_matrix() * (-1 if mirrored else 1)
    stored = Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), (1.0, 2.0, 3.0), (1.0, 2.0, 3.0),
                    tuple(direction.ravel()))
    axial, order = to_axial(stored)
    assert sorted(order.axes) == [0, 1, 2]
    assert (np.diag(axial.direction_matrix) >= 0).all()
    np.testing.assert_allclose(places(axial), places(stored), atol=1e-9)
    np.testing.assert_array_equal(from_axial(axial.array, order), stored.array)


@given(storages, st.floats(0, 30), st.sampled_from([(1, 0, 0), (0, 1, 0), (0, 0, 1)]))
def test_obliqueness_is_the_angle_of_the_rotation(storage, degrees, axis):
    rotation = Rotation.from_rotvec(np.radians(degrees) * np.array(axis)).as_matrix()
    stored = stored_as(axial_volume(rotation, (1.0, 1.0, 1.0)), *storage)
    assert obliqueness_degrees(stored.direction_matrix) == pytest.approx(degrees, abs=1e-5)


def test_an_identity_is_left_alone():
    order = axis_order(np.eye(3))
    assert order.axes == (0, 1, 2) and order.flips == (False, False, False)
