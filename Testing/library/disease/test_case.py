import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from FlareSegLib.disease.case import Grid, extent, make_case
from FlareSegLib.errors import FlareSegError
from FlareSegLib.volumes.volume import Volume


def volume(array, spacing=(0.8, 0.8, 3.0), direction=(1, 0, 0, 0, 1, 0, 0, 0, 1)):
    return Volume(array, spacing, (10.0, -5.0, 3.0), direction)


def ct(shape=(4, 5, 6)):
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape) - 1024


def test_any_storage_order_goes_there_and_back():
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1, 2, 3] = 2
    for direction in ((1, 0, 0, 0, 1, 0, 0, 0, 1), (-1, 0, 0, 0, -1, 0, 0, 0, 1), (0, 0, 1, 1, 0, 0, 0, -1, 0)):
        stored = volume(ct(), direction=direction)
        case, order = make_case(stored, stored.with_array(labels))
        hu, back = case.volumes(order, stored)
        assert np.array_equal(hu.array, stored.array) and np.array_equal(back.array, labels)
        found = case.grid.point_of(np.argwhere(case.labels == 2)[0])
        assert np.allclose(found, stored.index_to_physical((3, 2, 1)))


@given(st.tuples(*[st.floats(0, 30)] * 3), st.floats(-40, 40))
def test_index_and_point_are_each_others_inverse(index, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    grid = Grid((40, 40, 40), (0.7, 0.9, 2.5), (1.0, 2.0, 3.0), (c, -s, 0, s, c, 0, 0, 0, 1))
    assert np.allclose(grid.index_of(grid.point_of(index)), index)


@given(st.tuples(*[st.floats(-20, 60)] * 3), st.floats(1, 20), st.floats(-30, 30))
def test_a_box_holds_every_voxel_between_its_corners(centre, half, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    grid = Grid((12, 30, 30), (1.0, 1.3, 4.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, c, -s, 0, s, c))
    lower, upper = np.subtract(centre, half), np.add(centre, half)
    points = grid.point_of(np.stack(np.indices(grid.shape), axis=-1))
    inside = ((points >= lower) & (points <= upper)).all(axis=-1)
    box = grid.box(lower, upper)
    outside = inside.copy()
    if box is not None:
        outside[box] = False
    assert not outside.any()


@pytest.mark.parametrize(("labels", "words"), [
    (np.zeros((4, 5, 6), np.uint8), "holds no organ"), (np.full((4, 5, 6), 9, np.uint8), "value 9"),
    (np.ones((4, 5, 7), np.uint8), "same grid")])
def test_wrong_labels_are_refused(labels, words):
    with pytest.raises(FlareSegError, match=words) as error:
        make_case(volume(ct()), volume(labels))
    assert error.value.code == "bad_disease_case"


#: Mostly False.
SPARSE = st.sampled_from((False,) * 9 + (True,))


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6), elements=SPARSE))
def test_the_extent_of_a_mask_is_the_smallest_box(mask):
    assert extent(mask) == next(iter(ndimage.find_objects(mask.astype(np.uint8))), None)
