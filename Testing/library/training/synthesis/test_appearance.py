import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from FlareSegLib.disease.phase import PHASES, phase_hu
from FlareSegLib.training.synthesis.anatomies import Anatomy
from FlareSegLib.training.synthesis.appearance import AppearanceSettings, draw_palette, paint
from FlareSegLib.training.synthesis.tissues import Tissue

#: A patient as the books have it.
BOOKISH = dict(between_phases=0.0, organ_spread=0.0, native_spread_hu=0.0, fatty_liver=0.0, wild=0.0,
               pancreas_fat=(3.0, 3.0))


def only(phase):
    return AppearanceSettings(phases=tuple(float(phase == each) for each in PHASES), **BOOKISH)


@pytest.mark.parametrize("phase", PHASES)
def test_organs_measure_what_the_phase_says(balls, phase):
    tissues, grid = balls()
    rng = np.random.default_rng(1)
    hu = paint(Anatomy(tissues, grid), draw_palette(rng, only(phase)), rng, only(phase))
    for organ, name in ((Tissue.LIVER, "liver"), (Tissue.SPLEEN, "spleen"), (Tissue.PANCREAS, "pancreas")):
        assert np.median(hu[tissues == organ]) == pytest.approx(phase_hu(phase, name), abs=12), name
    cortex, medulla = phase_hu(phase, "renal cortex"), phase_hu(phase, "renal medulla")
    for side in (Tissue.RIGHT_KIDNEY, Tissue.LEFT_KIDNEY):
        assert min(cortex, medulla) - 12 < np.median(hu[tissues == side]) < max(cortex, medulla) + 12


@given(st.integers(0, 10_000))
@example(3725)
def test_patients_differ_but_keep_the_order_of_tissues(seed):
    palette = draw_palette(np.random.default_rng(seed), AppearanceSettings(wild=0.0))
    hu = palette.hu
    assert palette.phase in PHASES
    assert hu[Tissue.GAS] < hu[Tissue.LUNG] < hu[Tissue.FAT] < hu[Tissue.FLUID] < hu[Tissue.CORTICAL_BONE]
    assert -20 < hu[Tissue.LIVER] < 190 and 10 < hu[Tissue.SPLEEN] < 240 and 5 < hu[Tissue.PANCREAS] < 220
    assert palette.medulla < hu[Tissue.RIGHT_KIDNEY]
    assert np.isfinite(hu).all()


def test_all_phases_are_drawn():
    drawn = [draw_palette(np.random.default_rng(seed)) for seed in range(200)]
    assert {palette.phase for palette in drawn} == set(PHASES)
    assert 5 < sum(palette.wild for palette in drawn) < 60


def test_a_painted_patient_follows_from_the_generator_alone(balls):
    tissues, grid = balls()
    hu = [paint(Anatomy(tissues, grid), draw_palette(rng), rng) for rng in map(np.random.default_rng, (5, 5, 6))]
    assert np.array_equal(hu[0], hu[1]) and not np.array_equal(hu[0], hu[2])


def test_a_stomach_has_a_wall_and_gas_in_front(balls):
    tissues, grid = balls()
    tissues = np.where(tissues == Tissue.LIVER, np.uint8(Tissue.STOMACH), np.uint8(Tissue.FAT))
    settings = AppearanceSettings(stomach_gas=1.0, **BOOKISH)
    rng = np.random.default_rng(2)
    hu = paint(Anatomy(tissues, grid), draw_palette(rng, settings), rng, settings)
    gas = np.argwhere((tissues == Tissue.STOMACH) & (hu < -500))
    rest = np.argwhere((tissues == Tissue.STOMACH) & (hu > -50))
    assert len(gas) > 100 and gas[:, 1].mean() < rest[:, 1].mean()
