import numpy as np
import pytest

from FlareSegLib.disease.warping import determinant
from FlareSegLib.errors import FlareSegError
from FlareSegLib.training.synthesis.registration import affine, index_at, points_of, register, sampled
from FlareSegLib.training.synthesis.tissues import LANDMARKS, Tissue


def overlap(one, other, organ):
    one, other = one == organ, other == organ
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_organs_are_laid_on_organs_without_folds(balls):
    (target, grid), (host, host_grid) = balls(moved=4.0, larger=1.08), balls()
    found = register(target, grid, host, host_grid)
    x = points_of(grid)
    moved = sampled(host, index_at(host_grid, found.apply(x)), nearest=True)
    before = sampled(host, index_at(host_grid, affine(found.matrix, found.shift, x)), nearest=True)
    for organ in LANDMARKS:
        assert overlap(moved, target, organ) > max(0.82, overlap(before, target, organ) - 0.01), organ
    assert determinant(found.displacement, found.nodes.spacing[::-1]).min() > 0.1
    assert np.linalg.det(found.matrix) > 0
    again = register(target, grid, host, host_grid)
    assert np.array_equal(again.displacement, found.displacement) and np.array_equal(again.matrix, found.matrix)


def test_an_anatomy_is_laid_on_itself_as_it_is(balls):
    tissues, grid = balls()
    found = register(tissues, grid, tissues, grid)
    x = points_of(grid)
    assert max(float(np.abs(a - b).max()) for a, b in zip(found.apply(x), x)) < 1.0


def test_shifted_scans_need_no_displacement(balls):
    tissues, grid = balls(moved=2.0)
    shifted = type(grid)(grid.shape, grid.spacing, (30.0, -20.0, 400.0), grid.direction)
    found = register(tissues, grid, tissues, shifted)
    assert np.abs(found.displacement).max() < 1.0
    assert found.matrix @ np.zeros(3) + found.shift == pytest.approx((30, -20, 400), abs=1.0)


def test_too_little_in_common_is_refused(balls):
    (target, grid), (host, host_grid) = balls(organs=2), balls()
    with pytest.raises(FlareSegError) as refusal:
        register(target, grid, host, host_grid, frozenset((Tissue.LIVER,)))
    assert refusal.value.code == "bad_training_data"
