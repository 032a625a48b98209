import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from FlareSegLib.errors import FlareSegError
from FlareSegLib.volumes.voxel_types import hu_array, label_array

integer_arrays = hnp.arrays(st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64]), 5)


@pytest.mark.parametrize(("values", "stored", "kept"), [
    ([-1024, 3071], np.int32, np.int16), ([0, 200], np.uint8, np.int16), ([0, 65535], np.uint16, np.int32),
    ([-3024, 40000], np.int64, np.int32), ([-0.5, 2.0], np.float64, np.float32), ([-1000, 0], np.float32, np.float32),
    ([0, 2**40], np.int64, np.float32),
])
def test_hu_type(values, stored, kept):
    array = hu_array(np.array(values, stored))
    assert array.dtype == kept
    np.testing.assert_allclose(array, values)


@given(integer_arrays.filter(lambda a: a.min() >= -2**31 and a.max() < 2**31))
def test_integers_are_kept_exactly_and_copied(stored):
    for kept in (hu_array(stored), label_array(stored)):
        np.testing.assert_array_equal(kept.astype(np.int64), stored.astype(np.int64))
        assert not np.shares_memory(kept, stored)


def test_label_types():
    assert label_array(np.array([0, 4, 255], np.int64)).dtype == np.uint8
    assert label_array(np.array([0, 4, 256], np.float32)).dtype == np.int16
    assert label_array(np.array([0, 40000], np.uint16)).dtype == np.int32


@pytest.mark.parametrize("values", [[0.0, 0.5], [0.0, np.nan], [0.0, np.inf], [0.0, 2.0**40]])
def test_what_is_no_label(values):
    with pytest.raises(FlareSegError) as caught:
        label_array(np.array(values))
    assert caught.value.code == "unsupported_type"
