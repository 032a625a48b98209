import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from FlareSegLib.organs import FLARE_ORGANS
from FlareSegLib.results.measurements import FACES, LARGE_COMPONENT_ML, measure
from FlareSegLib.volumes.volume import Volume

label_arrays = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=9),
                          elements=st.integers(0, 4))


def reoriented(volume: Volume, axes, flips) -> Volume:
    """The same patient stored with permuted and flipped axes."""
    array = np.flip(volume.array.transpose([2 - axes[a] for a in (2, 1, 0)]), [2 - a for a in range(3) if flips[a]])
    corner = [0, 0, 0]
    direction = np.empty((3, 3))
    for new, old in enumerate(axes):
        corner[old] = volume.size[old] - 1 if flips[new] else 0
        direction[:, new] = volume.direction_matrix[:, old] * (-1 if flips[new] else 1)
    return Volume(array, tuple(volume.spacing[old] for old in axes),
                  tuple(volume.index_to_physical(corner).tolist()), tuple(direction.ravel().tolist()))


def test_values_of_a_known_abdomen(abdomen):
    case = abdomen()
    liver, kidney, spleen, pancreas = measure(case.ct, case.label_map, case.organs)
    assert (liver.name, liver.label, liver.voxels) == ("liver", 1, 15 * 30 * 28)
    assert liver.volume_ml == pytest.approx(15 * 30 * 28 * 0.02)
    assert (liver.mean_hu, liver.sd_hu) == (60.0, 0.0)
    assert kidney.components_ml == pytest.approx((20.0, 20.0))
    assert (spleen.touches_edge, pancreas.touches_edge) == ((), ())


def test_missing_organ_has_no_density(abdomen):
    case = abdomen(missing=(3,))
    spleen = measure(case.ct, case.label_map, case.organs)[2]
    assert not spleen.found
    assert (spleen.voxels, spleen.volume_ml, spleen.components_ml) == (0, 0.0, ())
    assert spleen.mean_hu is spleen.sd_hu is None


def test_spread_of_density(abdomen):
    case = abdomen()
    rng = np.random.default_rng(3)
    hu = rng.normal(80, 15, case.ct.array.shape).astype(np.int16)
    liver = measure(case.ct.with_array(hu), case.label_map, case.organs)[0]
    inside = hu[case.label_map.array == 1]
    assert liver.mean_hu == pytest.approx(inside.mean())
    assert liver.sd_hu == pytest.approx(inside.std())


def test_small_pieces_are_not_reported(abdomen):
    case = abdomen()
    labels = case.label_map.array.copy()
    labels[1:3, 2:4, 2:4] = 1  # 0.16 ml
    liver = measure(case.ct, case.label_map.with_array(labels), case.organs)[0]
    assert len(liver.components_ml) == 1
    assert liver.volume_ml > liver.components_ml[0]


@pytest.mark.parametrize("axis, side", list(itertools.product(range(3), range(2))))
def test_each_face_by_its_name(axis, side):
    labels = np.zeros((9, 9, 9), np.uint8)
    where = [slice(3, 6)] * 3
    where[axis] = slice(6, 9) if side else slice(0, 3)
    labels[tuple(where)] = 1
    volume = Volume(labels, (1.0, 1.0, 1.0))
    assert measure(volume, volume, FLARE_ORGANS[:1])[0].touches_edge == (FACES[axis][side],)


@given(st.permutations(range(3)), st.tuples(*[st.booleans()] * 3))
def test_storage_order_changes_nothing(axes, flips):
    rng = np.random.default_rng(0)
    labels = np.zeros((12, 10, 8), np.uint8)
    labels[4:, 2:6, 1:5], labels[:3, 5:, 3:] = 1, 3
    ct = Volume(rng.integers(-100, 200, labels.shape).astype(np.int16), (8.0, 9.0, 11.0), (5.0, 6.0, 7.0))
    expected = measure(ct, ct.with_array(labels), FLARE_ORGANS)
    stored = measure(reoriented(ct, axes, flips), reoriented(ct.with_array(labels), axes, flips), FLARE_ORGANS)
    for there, here in zip(stored, expected):
        assert (there.voxels, there.touches_edge) == (here.voxels, here.touches_edge)
        assert there.volume_ml == pytest.approx(here.volume_ml)
        assert there.components_ml == pytest.approx(here.components_ml)
        assert there.mean_hu == pytest.approx(here.mean_hu, nan_ok=True) if here.found else there.mean_hu is None


@given(label_arrays)
def test_parts_never_exceed_the_whole(labels):
    label_map = Volume(labels, (10.0, 12.0, 15.0))
    ct = label_map.with_array(labels.astype(np.int16) * 30)
    measurements = measure(ct, label_map, FLARE_ORGANS)
    assert sum(organ.voxels for organ in measurements) == np.count_nonzero(labels)
    for organ in measurements:
        assert organ.volume_ml == pytest.approx(organ.voxels * label_map.voxel_ml)
        assert sum(organ.components_ml) <= organ.volume_ml * (1 + 1e-12)
        assert list(organ.components_ml) == sorted(organ.components_ml, reverse=True)
        assert all(ml >= LARGE_COMPONENT_ML for ml in organ.components_ml)
        if organ.found:
            assert (organ.mean_hu, organ.sd_hu) == (30.0 * organ.label, 0.0)


def test_different_grids_are_a_defect(abdomen):
    case = abdomen()
    with pytest.raises(ValueError):
        measure(Volume(case.ct.array[1:], case.ct.spacing), case.label_map, case.organs)
