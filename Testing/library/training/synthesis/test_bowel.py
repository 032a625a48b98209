import numpy as np
import pytest

from FlareSegLib.disease.case import Grid
from FlareSegLib.training.synthesis.anatomies import Anatomy
from FlareSegLib.training.synthesis.appearance import SMALL_BOWEL_HU, AppearanceSettings, draw_palette, paint
from FlareSegLib.training.synthesis.bowel import with_small_bowel, visceral_fat
from FlareSegLib.training.synthesis.tissues import FIRST_ORGAN, Tissue
from FlareSegLib.volumes.volume import IDENTITY

MM = 2.0
#: The kidneys' lower poles, slices.
LOWEST = {Tissue.RIGHT_KIDNEY: 3, Tissue.LEFT_KIDNEY: 9}
GRID = Grid((40, 90, 120), (MM,) * 3, (0.0, 0.0, 0.0), IDENTITY)


@pytest.fixture(scope="module")
def patient():
    """An elliptic trunk: skin, fat, a ring of muscle with a gap, fat with two kidneys and a pancreas in it."""
    k, j, i = np.indices(GRID.shape)
    radius = np.hypot((j - 45) / 40, (i - 60) / 55)
    tissues = np.zeros(GRID.shape, np.uint8)
    for within, tissue in ((1.0, Tissue.SKIN), (0.97, Tissue.FAT), (0.8, Tissue.MUSCLE), (0.7, Tissue.FAT)):
        tissues[radius < within] = tissue
    tissues[:, :20, 58:61][tissues[:, :20, 58:61] == Tissue.MUSCLE] = Tissue.FAT  # the white line
    for column, organ in ((40, Tissue.RIGHT_KIDNEY), (80, Tissue.LEFT_KIDNEY)):
        tissues[(np.hypot(j - 55, i - column) < 8) & (k >= LOWEST[organ]) & (k < 25)] = organ
    tissues[(np.hypot(j - 40, i - 60) < 6) & (abs(k - 20) < 3)] = Tissue.PANCREAS
    return Anatomy(tissues, GRID, np.ones(GRID.shape, np.float32))


def radius():
    _, j, i = np.indices(GRID.shape)
    return np.hypot((j - 45) / 40, (i - 60) / 55)


def test_fat_within_the_muscles_is_told_from_that_beneath_the_skin(patient):
    inside = visceral_fat(patient.tissues)
    assert not inside[radius() > 0.8].any() and (patient.tissues[inside] == Tissue.FAT).all()
    fat = (patient.tissues == Tissue.FAT) & (radius() < 0.6)
    assert inside[fat].mean() > 0.98


def test_a_body_without_muscles_has_none_within():
    tissues = np.full((3, 30, 30), Tissue.FAT, np.uint8)
    tissues[:, [0, -1]] = tissues[:, :, 0] = tissues[:, :, -1] = Tissue.SKIN
    assert not visceral_fat(tissues).any()


def test_loops_lie_in_fat_before_the_kidneys_or_below_and_not_high_above_the_pancreas(patient):
    shares, behind = [], np.zeros(GRID.shape, bool)
    for seed in range(6):
        made = with_small_bowel(patient, np.random.default_rng(seed))
        loops = made.tissues == Tissue.SMALL_BOWEL
        assert np.array_equal(made.tissues[~loops], patient.tissues[~loops])
        assert (patient.tissues[loops] == Tissue.FAT).all() and not loops[radius() > 0.8].any()
        assert np.nonzero(loops)[0].max() <= 22 + 20 / MM
        behind[:, 56:] |= loops[:, 56:]
        assert not made.detail[loops].any() and made.detail[~loops].all()
        shares.append(loops.sum() / (visceral_fat(patient.tissues)[:32, :55]).sum())
    assert 0.1 < np.mean(shares) < 0.8 and np.ptp(shares) > 0.05
    for half, organ in ((np.s_[..., :60], Tissue.RIGHT_KIDNEY), (np.s_[..., 60:], Tissue.LEFT_KIDNEY)):
        assert np.flatnonzero(behind[half].any(axis=(1, 2))).tolist() == list(range(LOWEST[organ]))


def test_a_phantoms_own_bowel_gives_room_too(patient):
    tissues = np.where(patient.tissues == Tissue.FAT, np.uint8(Tissue.BOWEL_WALL), patient.tissues)
    for detail, some in ((None, True), (patient.detail, False)):
        made = with_small_bowel(Anatomy(tissues, GRID, detail), np.random.default_rng(0))
        assert (made.tissues == Tissue.SMALL_BOWEL).any() == some


def test_organs_keep_their_place(patient):
    made = with_small_bowel(patient, np.random.default_rng(3))
    assert np.array_equal(made.tissues >= FIRST_ORGAN, patient.tissues >= FIRST_ORGAN)


@pytest.mark.parametrize("phase", range(4))
def test_the_mucosa_takes_up_contrast_medium(patient, phase):
    settings = AppearanceSettings(phases=tuple(float(n == phase) for n in range(4)), wild=0.0, positive_contrast=0.0)
    medians = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        made = with_small_bowel(patient, rng)
        hu = paint(made, draw_palette(rng, settings), rng, settings)
        medians.append(np.percentile(hu[made.tissues == Tissue.SMALL_BOWEL], 75))
        assert np.isfinite(hu).all() and hu[made.tissues == Tissue.SMALL_BOWEL].min() > -250
    assert np.mean(medians) == pytest.approx(SMALL_BOWEL_HU[phase], abs=35)
