import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from FlareSegLib.errors import FlareSegError
from FlareSegLib.volumes.slice_geometry import stack_slices

AXIAL = (1, 0, 0, 0, 1, 0)


def axial_positions(heights, tilt=0.0):
    heights = np.asarray(heights, float)
    return np.column_stack([np.full(len(heights), -200.0), -150 + tilt * heights, heights])


def failure(positions, orientation=AXIAL) -> FlareSegError:
    with pytest.raises(FlareSegError) as caught:
        stack_slices(positions, orientation)
    return caught.value


@given(st.tuples(*[st.floats(-3.1, 3.1)] * 3), st.floats(0.5, 10), st.integers(2, 40), st.randoms())
def test_slices_in_any_order_and_direction(angles, step, count, random):
    axes = Rotation.from_euler("xyz", angles).as_matrix()
    positions = np.array([5.0, -7.0, 300.0]) + np.outer(np.arange(count) * step, axes[:, 2])
    shuffled = list(range(count))
    random.shuffle(shuffled)
    stack = stack_slices(positions[shuffled], np.concatenate([axes[:, 0], axes[:, 1]]))
    assert [shuffled[index] for index in stack.order] == list(range(count))
    assert stack.spacing == pytest.approx(step)
    np.testing.assert_allclose(stack.origin, positions[0])
    np.testing.assert_allclose(np.reshape(stack.direction, (3, 3)), axes, atol=1e-9)


def test_positions_rounded_to_a_tenth_are_even():
    stack = stack_slices(axial_positions(np.round(np.arange(40) * 0.625, 1)), AXIAL)
    assert stack.spacing == pytest.approx(0.625, abs=0.01)


def test_missing_slices_are_counted_and_placed():
    error = failure(axial_positions([0, 2.5, 5, 12.5, 15, 17.5, 22.5, 25]))
    assert error.code == "missing_slices"
    assert "3 of 11" in str(error)
    assert "2 after slice 3, at 5.0 mm" in str(error) and "1 after slice 6, at 17.5 mm" in str(error)


def test_uneven_steps():
    assert failure(axial_positions([0, 2.5, 5, 8.8, 12.6, 15.1])).code == "non_uniform_spacing"
    assert failure(axial_positions([0, 1, 2, 3, 6.5, 10, 13.5])).code == "non_uniform_spacing"


def test_gantry_tilt_also_with_even_steps():
    error = failure(axial_positions(np.arange(20) * 2.5, tilt=np.tan(np.radians(12))))
    assert error.code == "sheared_geometry" and "10.1 mm" in str(error)
    stack_slices(axial_positions(np.arange(20) * 2.5, tilt=np.tan(np.radians(0.2))), AXIAL)


def test_a_jump_of_one_slice_sideways():
    positions = axial_positions(np.arange(20) * 2.5)
    positions[7, 0] += 12
    assert failure(positions).code == "sheared_geometry"


@pytest.mark.parametrize(("positions", "orientation", "code"), [
    ([[0, 0, 0]], AXIAL, "not_3d"),
    (axial_positions([0, 0, 1, 1, 2, 2]), AXIAL, "not_3d"),
    (axial_positions([0, 1, 2]), (0, 0, 0, 0, 0, 0), "invalid_geometry"),
    (axial_positions([0, 1, 2]), (1, 0, 0, 0.2, 0.98, 0), "sheared_geometry"),
])
def test_unusable_stacks(positions, orientation, code):
    assert failure(positions, orientation).code == code
