"""The surface distance against shapes worked out by hand, DeepMind's own test cases, and DeepMind's code."""

import itertools
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from FlareSegLib.evaluation.surface import bounding_box, corner_codes, surface_distance, surfel_areas

UNIT = (1.0, 1.0, 1.0)


def box(start, stop, shape=(16, 16, 16)):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop))] = True
    return mask


def sphere(centre, radius, shape):
    z, y, x = np.indices(shape)
    return (z - centre[0]) ** 2 + (y - centre[1]) ** 2 + (x - centre[2]) ** 2 <= radius**2


def masks(shape=(6, 5, 4)):
    return st.lists(st.booleans(), min_size=math.prod(shape), max_size=math.prod(shape)).map(
        lambda values: np.array(values).reshape(shape))


# Areas of the surface elements

def test_area_of_a_corner_an_edge_and_a_face():
    """One voxel of eight cuts off a corner: a triangle through three edge midpoints. Two make a roof of two triangles
    (a rectangle), four of one side a plane of one voxel face."""
    areas = surfel_areas(UNIT)
    assert areas[0] == areas[255] == 0
    assert areas[0b1] == pytest.approx(math.sqrt(3) / 8)
    assert areas[0b11] == pytest.approx(math.sqrt(2) / 2)
    assert areas[0b1111] == pytest.approx(1)


def test_area_of_a_plane_scales_with_the_two_spacings_in_it():
    areas = surfel_areas((2.0, 3.0, 5.0))
    assert areas[0b00001111] == pytest.approx(15)  # a plane across k
    assert areas[0b00110011] == pytest.approx(10)  # across j
    assert areas[0b01010101] == pytest.approx(6)  # across i


def test_inside_and_outside_have_the_same_surface():
    areas = surfel_areas((0.7, 1.3, 2.0))
    assert np.allclose(areas, areas[::-1])


def test_areas_are_those_of_deepmind():
    tables = pytest.importorskip("surface_distance.lookup_tables")
    theirs_by_voxels = _their_codes(tables.ENCODE_NEIGHBOURHOOD_3D_KERNEL)
    for steps in (UNIT, (5.0, 0.8, 0.8), (1.0, 1.3, 2.1)):
        theirs = tables.create_table_neighbour_code_to_surface_area(steps)
        assert np.allclose(surfel_areas(steps), theirs[theirs_by_voxels], atol=1e-9)


def _their_codes(kernel):
    """DeepMind's code for each of our codes."""
    return [sum(int(kernel[corner]) for bit, corner in enumerate(np.ndindex(2, 2, 2)) if code >> bit & 1)
            for code in range(256)]


def test_surface_of_a_sphere_has_nearly_its_area():
    mask = sphere((20, 20, 20), 15, (41, 41, 41))
    codes = corner_codes(mask)
    area = surfel_areas(UNIT)[codes].sum()
    assert area == pytest.approx(4 * math.pi * 15.5**2, rel=0.12)  # marching cubes on a binary mask: some % too much


# Shapes by hand

def test_identical_masks():
    mask = sphere((8, 8, 8), 5, (17, 17, 17))
    assert surface_distance(mask, mask, (0.8, 0.8, 2.5), 1.0) == 1.0


def test_rules_for_empty_masks():
    empty, full = np.zeros((5, 5, 5), bool), box((1, 1, 1), (3, 3, 3), (5, 5, 5))
    assert surface_distance(empty, empty, UNIT, 1.0) == 1.0
    assert surface_distance(full, empty, UNIT, 1.0) == 0.0
    assert surface_distance(empty, full, UNIT, 1.0) == 0.0


def test_box_shifted_by_two_voxels():
    """A cube of n voxels, 1 mm each, moved by two voxels along i, at a tolerance of 1 mm.

    The cube's surface lies in n + 1 layers across i: two ends and n - 1 rims between them. The moved cube's layers
    begin at 2 and end at n + 2; what lies at most one step from one of its surface elements is near.
    """
    n = 6
    still = box((4, 4, 4), (4 + n, 4 + n, 4 + n), (16, 16, 20))
    moved = box((4, 4, 6), (4 + n, 4 + n, 6 + n), (16, 16, 20))
    corner, edge, face = math.sqrt(3) / 8, math.sqrt(2) / 2, 1.0
    rim = 4 * (n - 1) * face + 4 * edge                       # one layer across i between the two ends
    end = (n - 1) ** 2 * face + 4 * (n - 1) * edge + 4 * corner  # the plane at an end with its own rim
    total = 2 * end + (n - 1) * rim
    # Far: the end at layer 0, for the other's surface begins 2 mm away. Layer 1 is 1 mm from it: near. The end at
    # layer n lies inside the moved cube: its rim is on the other's rims, and of its inner corners those one step
    # from the other's sides are near.
    inner = (n - 1) ** 2
    near_inner = inner - (n - 3) ** 2
    far = end + (inner - near_inner) * face
    assert surface_distance(still, moved, UNIT, 1.0) == pytest.approx((total - far) / total)


def test_tolerance_is_inclusive():
    """Two boxes 1 mm apart everywhere along k: thick plates whose rims coincide after the tolerance."""
    one, other = box((4, 2, 2), (8, 14, 14)), box((5, 2, 2), (9, 14, 14))
    assert surface_distance(one, other, UNIT, 1.0) == 1.0
    assert surface_distance(one, other, (1.0, 1.0, 1.01), 1.0) < 1.0
    assert surface_distance(one, other, (0.5, 0.5, 0.5), 0.5) == 1.0


def test_concentric_spheres():
    """Radii 3 mm apart: nothing agrees at 1 mm, everything at 4 mm (rounding of the surface included)."""
    small, large = sphere((16, 16, 16), 9, (33, 33, 33)), sphere((16, 16, 16), 12, (33, 33, 33))
    assert surface_distance(small, large, UNIT, 1.0) == 0.0
    assert surface_distance(small, large, UNIT, 4.0) == 1.0
    assert surface_distance(small, large, (0.25, 0.25, 0.25), 1.0) == 1.0


# DeepMind's own test cases (surface_distance_test.py)

def test_deepmind_two_voxels_2_mm_away():
    one, other = box((50, 60, 70), (51, 61, 71), (60, 70, 80)), box((50, 60, 72), (51, 61, 73), (60, 70, 80))
    assert surface_distance(other, one, (1.0, 2.0, 3.0), 1.0) == pytest.approx(0.5, abs=5e-4)


def test_deepmind_two_cubes_shifted_by_one_voxel():
    one, other = box((0, 0, 0), (50, 100, 100), (100,) * 3), box((0, 0, 0), (51, 100, 100), (100,) * 3)
    assert surface_distance(other, one, (1.0, 1.0, 2.0), 1.0) == pytest.approx(0.836, abs=5e-4)


@settings(max_examples=25)
@given(masks(), masks(), st.tuples(*[st.sampled_from([0.5, 0.7, 0.8, 1.0, 2.5])] * 3), st.sampled_from([0.5, 1.0, 3.0]))
def test_equals_deepminds_code(found, truth, spacing, tolerance):
    metrics = pytest.importorskip("surface_distance.metrics")
    if not (found.any() and truth.any()):  # its published package fails there with NumPy 2
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distances = metrics.compute_surface_distances(truth, found, spacing[::-1])
    theirs = metrics.compute_surface_dice_at_tolerance(distances, tolerance)
    assert surface_distance(found, truth, spacing, tolerance) == pytest.approx(theirs, abs=1e-9)


# Invariants

@given(masks(), masks())
def test_symmetric_and_bounded(a, b):
    value = surface_distance(a, b, (0.8, 0.9, 2.0), 1.0)
    assert 0.0 <= value <= 1.0
    assert value == pytest.approx(surface_distance(b, a, (0.8, 0.9, 2.0), 1.0))


@given(masks(), masks(), st.sampled_from(list(itertools.permutations(range(3)))), st.tuples(*[st.booleans()] * 3))
def test_storage_order_does_not_matter(a, b, axes, flips):
    spacing_kji = (2.0, 0.9, 0.8)
    turned = [np.flip(mask.transpose(axes), [axis for axis, flip in enumerate(flips) if flip]) for mask in (a, b)]
    turned_spacing = tuple(spacing_kji[axis] for axis in axes)
    assert surface_distance(*turned, turned_spacing[::-1], 1.0) == pytest.approx(
        surface_distance(a, b, spacing_kji[::-1], 1.0))


@given(masks(), masks())
def test_grows_with_the_tolerance(a, b):
    values = [surface_distance(a, b, UNIT, tolerance) for tolerance in (0.0, 1.0, 2.0, 4.0)]
    assert values == sorted(values)


def test_bounding_box():
    assert bounding_box(np.zeros((3, 4), bool)) is None
    assert bounding_box(box((1, 2, 3), (4, 5, 6))) == (slice(1, 4), slice(2, 5), slice(3, 6))
