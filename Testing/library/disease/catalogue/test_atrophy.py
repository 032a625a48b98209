"""Shrunken organs: the volume that was asked for, fat around them, neighbours that stay whole."""

import numpy as np
import pytest
from scipy import ndimage

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.catalogue.atrophy import right_of
from FlareSegLib.disease.operation import draw, perform
from FlareSegLib.disease.scene import Scene
from FlareSegLib.errors import FlareSegError


def shrunken(case, name, organ, **parameters):
    disease, scene = catalogue.find(name), Scene(case)
    operation = draw(disease, scene, organ, np.random.default_rng(0), disease.parameters(**parameters))
    return perform(catalogue.find, scene, operation)[0].case


def right_half(case, label):
    x = case.grid.point_of(np.argwhere(case.labels == label))[:, 0]
    return np.count_nonzero(x < Scene(case).middle_x)


@pytest.mark.parametrize("organ, parameters", [("kidney", {"side": "both", "factor": 0.4}),
                                               ("pancreas", {"factor": 0.6})])
def test_the_organ_has_its_volume_and_lies_in_fat(case, organ, parameters):
    after = shrunken(case, "atrophy", organ, collapse=0.0, **parameters)
    before, now = case.labels == LABEL_OF[organ], after.labels == LABEL_OF[organ]
    assert now.sum() / before.sum() == pytest.approx(parameters["factor"], rel=0.03)
    # Where the organ was, well away from where it is now, there is fat.
    gap = before & ~now & (ndimage.distance_transform_edt(~now, case.grid.spacing[::-1]) > 3.5)
    assert gap.any() and np.median(after.hu[gap]) == pytest.approx(-100, abs=20)
    # Not the median: of a small organ much is rim, which is partly fat.
    assert np.percentile(after.hu[now], 80) == pytest.approx(np.percentile(case.hu[before], 80), abs=10)
    for other in set(LABEL_OF) - {organ}:
        assert np.array_equal(after.labels == LABEL_OF[other], case.labels == LABEL_OF[other]), other


def test_neighbours_that_follow_keep_their_volume(case):
    after = shrunken(case, "atrophy", "kidney", side="left", factor=0.5, collapse=0.7)
    for organ in ("liver", "spleen", "pancreas"):
        volumes = [np.count_nonzero(c.labels == LABEL_OF[organ]) for c in (case, after)]
        assert volumes[1] / volumes[0] == pytest.approx(1, abs=0.06), organ


def test_only_the_kidney_of_one_side_shrinks(case):
    label = LABEL_OF["kidney"]
    after = shrunken(case, "atrophy", "kidney", side="left", factor=0.5)
    right = right_half(case, label)
    assert right_half(after, label) == pytest.approx(right, rel=0.02)
    left = [np.count_nonzero(c.labels == label) - right_half(c, label) for c in (case, after)]
    assert left[1] / left[0] == pytest.approx(0.5, rel=0.03)
    alone = case.with_arrays(case.hu, case.labels.copy())
    box = Scene(case).pieces("kidney")
    piece = next(p for p in box if p.side == "left")
    alone.labels[piece.box][alone.labels[piece.box] == label] = 0
    with pytest.raises(FlareSegError, match="no kidney on the left side"):
        shrunken(alone, "atrophy", "kidney", side="left")


def test_the_liver_shrinks_on_the_right(case):
    after, weight = shrunken(case, "lobar_atrophy", "liver", factor=0.7), right_of(Scene(case))
    shares, shares_after = (weight(tuple(case.grid.point_of(np.argwhere(c.labels == LABEL_OF["liver"])).T))
                            for c in (case, after))
    assert len(shares_after) / len(shares) == pytest.approx(np.mean(0.7 ** shares), rel=0.02)
    # In place: what shrinks on the right draws some of the left lobe over the border.
    kept_right, kept_left = (np.count_nonzero(lies(shares_after)) / np.count_nonzero(lies(shares))
                             for lies in (lambda share: share >= 1, lambda share: share <= 0))
    assert kept_right < 0.8 and 1 - kept_right > 1.25 * (1 - kept_left)
