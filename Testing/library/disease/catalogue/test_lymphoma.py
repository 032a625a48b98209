"""Lymphoma: nodules of little contrast, in a spleen that has grown."""

import numpy as np
import pytest

from FlareSegLib.disease import catalogue
from FlareSegLib.disease.catalogue.lymphoma import Lymphoma, LymphomaNodule
from FlareSegLib.disease.operation import draw, perform
from FlareSegLib.disease.quality import contrast
from FlareSegLib.disease.scene import Scene


def test_a_nodule_has_its_contrast_and_leaves_the_labels(case):
    disease, scene = catalogue.find("lymphoma_nodule"), Scene(case)
    operation = draw(disease, scene, "liver", np.random.default_rng(1), LymphomaNodule(40.0, -40.0, mass_effect=0.0))
    after, ((_, change),) = perform(catalogue.find, scene, operation)
    found = contrast(scene, operation, change)
    assert found.requested == pytest.approx(-40, abs=2) and found.achieved == pytest.approx(-40, abs=5)
    assert np.array_equal(after.case.labels, case.labels)


@pytest.mark.parametrize("organ, enlargement, grows", [("spleen", 1.5, True), ("spleen", 1.0, False),
                                                       ("liver", 1.5, False)])
def test_only_the_spleen_grows_and_only_if_asked_for(case, organ, enlargement, grows):
    disease, scene = catalogue.find("lymphoma"), Scene(case)
    operation = draw(disease, scene, organ, np.random.default_rng(1), Lymphoma(2, enlargement))
    after, done = perform(catalogue.find, scene, operation)
    assert [part.disease for part, _ in done] == ["lymphoma_nodule"] * 2 + ["splenomegaly"] * grows
    assert (after.case.labels == 3).sum() / (case.labels == 3).sum() > (1.4 if grows else 0.85)
