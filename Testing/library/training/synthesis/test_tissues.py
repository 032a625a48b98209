import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.training.synthesis.tissues import FLARE_LABEL, LANDMARKS, Tissue, split_kidneys


def test_each_tissue_has_the_label_of_its_organ():
    assert FLARE_LABEL[list(LANDMARKS)].tolist() == [1, 2, 2, 3, 4]
    assert not FLARE_LABEL[[tissue for tissue in Tissue if tissue not in LANDMARKS]].any()


@given(st.integers(2, 12), st.integers(26, 36), st.integers(2, 6))
def test_kidneys_are_told_by_their_side(right, left, wide):
    labels = np.zeros((4, 10, 44), np.uint8)
    labels[1:3, 3:7, right:right + wide] = 2
    labels[1:3, 3:7, left:left + wide] = 2
    labels[0, 0, 0] = 1
    tissues = split_kidneys(labels)
    assert np.array_equal(FLARE_LABEL[tissues], labels)
    assert np.argwhere(tissues == Tissue.RIGHT_KIDNEY)[:, 2].max() < np.argwhere(tissues == Tissue.LEFT_KIDNEY)[:,
                                                                                                                2].min()


def test_a_single_kidney_keeps_its_side():
    labels = np.zeros((4, 10, 44), np.uint8)
    labels[1:3, 3:7, 30:36] = 2
    assert set(np.unique(split_kidneys(labels))) == {0, Tissue.LEFT_KIDNEY}
