import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from FlareSegLib.disease.warping import determinant
from FlareSegLib.training.synthesis.registration import index_at, points_of, sampled
from FlareSegLib.training.synthesis.shapes import LOWEST_DETERMINANT, ShapeSettings, random_shape
from FlareSegLib.training.synthesis.tissues import LANDMARKS, Tissue

WILD = ShapeSettings(turn_degrees=10, elastic_mm=(4, 12), elastic_bump_mm=(20, 40), organ_probability=1.0,
                     organ_volume=(0.4, 2.5), organ_shift_mm=25)


@examples(max_examples=12)
@given(st.integers(0, 10_000), st.sampled_from((ShapeSettings(), WILD)))
def test_nothing_folds_and_sides_stay_sides(balls, seed, settings):
    tissues, grid = balls()
    found = random_shape(tissues, grid, np.random.default_rng(seed), settings)
    assert determinant(found.displacement, found.nodes.spacing[::-1]).min() >= LOWEST_DETERMINANT
    assert np.linalg.det(found.matrix) > 0
    moved = sampled(tissues, index_at(grid, found.apply(points_of(grid))), nearest=True)
    x = {organ: np.argwhere(moved == organ)[:, 2].mean() for organ in LANDMARKS}
    assert x[Tissue.RIGHT_KIDNEY] < x[Tissue.LEFT_KIDNEY] and x[Tissue.LIVER] < x[Tissue.SPLEEN]


def test_the_same_seed_makes_the_same_shape(balls):
    tissues, grid = balls()
    one, same, other = (random_shape(tissues, grid, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one.displacement, same.displacement) and np.array_equal(one.matrix, same.matrix)
    assert not np.array_equal(one.displacement, other.displacement)


def test_an_organ_grows_when_it_is_told_to(balls):
    tissues, grid = balls()
    grown = ShapeSettings(turn_degrees=0, scale=(1, 1), stretch=0, elastic_mm=(0, 0), organ_probability=1,
                          organ_volume=(1.3, 1.3), organ_shift_mm=0)
    found = random_shape(tissues, grid, np.random.default_rng(0), grown)
    moved = sampled(tissues, index_at(grid, found.apply(points_of(grid))), nearest=True)
    assert (moved == Tissue.SPLEEN).sum() / (tissues == Tissue.SPLEEN).sum() == pytest.approx(1.25, abs=0.15)
