"""Cirrhosis: a liver of other proportions and a nodular surface, and what comes along."""

import numpy as np
import pytest

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.case import LABEL_OF
from FlareSegLib.disease.operation import draw, perform
from FlareSegLib.disease.scene import Scene


def done(case, name, organ, seed=0, **parameters):
    disease, scene = catalogue.find(name), Scene(case)
    operation = draw(disease, scene, organ, np.random.default_rng(seed), disease.parameters(**parameters))
    return perform(catalogue.find, scene, operation)


def test_a_cirrhotic_liver_shifts_its_volume_and_is_nodular(case):
    before = case.labels == LABEL_OF["liver"]
    smooth, nodular = (done(case, "cirrhotic_liver", "liver", nodularity=n)[0].case.labels == LABEL_OF["liver"]
                       for n in (0.0, 2.5))
    middle = int(np.quantile(np.argwhere(before)[:, 2], 0.75))
    for liver in (smooth, nodular):
        right, left = (liver[side].sum() / before[side].sum() for side in (np.s_[..., :middle], np.s_[..., middle:]))
        assert right < 0.95 and left > 1.05
    assert 0.02 < np.count_nonzero(smooth != nodular) / before.sum() < 0.4
    assert nodular.sum() == pytest.approx(smooth.sum(), rel=0.04)


def test_cirrhosis_brings_spleen_and_ascites_along(case):
    after, parts = done(case, "cirrhosis", "liver", spleen=1.4, ascites=300.0)
    assert [part.disease for part, _ in parts] == ["cirrhotic_liver", "splenomegaly", "ascites"]
    spleen = [np.count_nonzero(c.labels == LABEL_OF["spleen"]) for c in (case, after.case)]
    assert spleen[1] / spleen[0] == pytest.approx(1.4, rel=0.08)
    _, parts = done(case, "cirrhosis", "liver", spleen=1.0, ascites=0.0)
    assert [part.disease for part, _ in parts] == ["cirrhotic_liver"]
