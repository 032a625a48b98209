"""Small pictures of diseases."""

import numpy as np
import pytest

from FlareSegLib.disease.catalogue import find
from FlareSegLib.disease.thumbnails import thumbnail
from FlareSegLib.errors import FlareSegError


@pytest.mark.parametrize("name", ["renal_cyst", "infarct", "clips"])
def test_a_thumbnail_is_a_square_with_something_in_it(name):
    picture = np.asarray(thumbnail(find(name), 96))
    assert picture.shape == (96, 96, 3) and picture.dtype == np.uint8
    assert len(np.unique(picture)) > 50 and (picture > 30).mean() > 0.3


def test_it_is_the_same_every_time_and_shows_the_disease():
    cyst, stone = (np.asarray(thumbnail(find(name), 96)) for name in ("renal_cyst", "stone"))
    assert np.array_equal(cyst, np.asarray(thumbnail(find("renal_cyst"), 96)))
    assert not np.array_equal(cyst, stone)


def test_outlines_are_coloured():
    plain, outlined = (np.asarray(thumbnail(find("infarct"), 96, outlined=outlined)).astype(int)
                       for outlined in (False, True))
    assert np.ptp(plain, axis=2).max() == 0 < np.ptp(outlined, axis=2).max()


def test_another_organ_can_be_asked_for():
    liver, spleen = (np.asarray(thumbnail(find("abscess"), 64, organ)) for organ in ("liver", "spleen"))
    assert not np.array_equal(liver, spleen)
    with pytest.raises(FlareSegError, match="organ is 'pancreas'; choose"):
        thumbnail(find("abscess"), 64, "pancreas")
