import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from FlareSegLib.inference.postprocess import keep_largest_pieces
from FlareSegLib.organs import FLARE_ORGANS


def blocks(*corners_and_sizes, label):
    array = np.zeros((20, 20, 20), np.uint8)
    for corner, size in corners_and_sizes:
        array[tuple(slice(c, c + size) for c in corner)] = label
    return array


def test_only_the_largest_piece_of_the_spleen_stays():
    array = blocks(((0, 0, 0), 6), ((10, 10, 10), 4), label=3)
    kept = keep_largest_pieces(array, FLARE_ORGANS)
    assert (kept > 0).sum() == 6**3 and kept[0, 0, 0] == 3


def test_both_kidneys_stay_but_no_island():
    array = blocks(((0, 0, 0), 6), ((10, 10, 10), 5), ((0, 15, 15), 3), label=2)
    kept = keep_largest_pieces(array, FLARE_ORGANS)
    assert (kept > 0).sum() == 6**3 + 5**3


def test_an_island_is_not_taken_for_the_second_kidney():
    array = blocks(((0, 0, 0), 6), ((10, 10, 10), 3), label=2)
    assert (keep_largest_pieces(array, FLARE_ORGANS) > 0).sum() == 6**3


@given(arrays(np.uint8, (4, 5, 6), elements=st.integers(0, 4)))
def test_it_only_removes_and_keeps_every_organ(labels):
    before = labels.copy()
    kept = keep_largest_pieces(labels, FLARE_ORGANS)
    assert np.array_equal(labels, before)
    assert ((kept == labels) | (kept == 0)).all()
    assert set(np.unique(kept)) - {0} == set(np.unique(labels)) - {0}
    assert np.array_equal(keep_largest_pieces(kept, FLARE_ORGANS), kept)
