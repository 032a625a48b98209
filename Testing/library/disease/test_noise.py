"""Noise: what is measured comes out again, and lesion and organ are measured alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from FlareSegLib.disease.noise import BINS, NoiseModel, measure_noise, residual_sd

SPACING = (0.8, 0.8, 2.5)
SHAPE = (24, 160, 160)


def grainy(sd, grain_mm, seed=0, shape=SHAPE, spacing=SPACING):
    """White noise blurred in plane, of a given SD."""
    white = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    noise = ndimage.gaussian_filter(white, (0, grain_mm / spacing[1], grain_mm / spacing[0]), mode="wrap")
    return noise * (sd / noise.std())


def ball(radius_mm, shape=SHAPE, spacing=SPACING):
    k, j, i = np.ogrid[:shape[0], :shape[1], :shape[2]]
    centre = [n / 2 for n in shape]
    return ((k - centre[0]) * spacing[2])**2 + ((j - centre[1]) * spacing[1])**2 + ((i - centre[2]) * spacing[0])**2 \
        < radius_mm**2


def whole(shape=SHAPE):
    return tuple(slice(0, n) for n in shape)


@pytest.mark.parametrize("grain", (0.3, 0.6, 0.9))
def test_a_small_lesion_measures_like_its_organ(grain):
    hu = 100 + grainy(15, grain)
    organ = residual_sd(hu, ball(60), SPACING)
    small = np.mean([residual_sd(np.roll(hu, shift, 2), ball(7), SPACING) for shift in range(0, 160, 10)])
    assert small / organ == pytest.approx(1.0, abs=0.06)


def test_vessels_and_what_lies_outside_the_mask_hardly_count():
    hu = 100 + grainy(15, 0.6)
    usual = residual_sd(hu, ball(25), SPACING)
    hu[~ball(25)] = -1000
    assert residual_sd(hu, ball(25), SPACING) == pytest.approx(usual, rel=1e-3)
    hu[:, 70:72] += 60
    assert residual_sd(hu, ball(25), SPACING) == pytest.approx(usual, rel=0.15)
    assert residual_sd(hu, np.zeros(SHAPE, bool), SPACING) == 0


@pytest.mark.parametrize("grain", (0.3, 0.7))
def test_sampled_noise_is_as_strong_and_as_grainy_as_the_organ_s(grain):
    noise = grainy(20, grain)
    hu, labels = np.rint(100 + noise).astype(np.int16), ball(55).astype(np.uint8)
    model = measure_noise(hu, labels, SPACING, 1, whole())
    assert model.source == "organ" and model.along_z < 0.1
    sample = model.sample((12, 90, 70), 3)
    mask = np.ones(sample.shape, bool)
    assert residual_sd(sample, mask, SPACING) == pytest.approx(residual_sd(noise, ball(55), SPACING), rel=0.1)

    def neighbours(a):
        return np.mean(a[..., 1:] * a[..., :-1]) / np.mean(a * a)

    assert neighbours(sample) == pytest.approx(neighbours(noise), abs=0.08)


def test_slices_that_resemble_each_other_do_so_in_the_sample():
    noise = grainy(20, 0.5)
    for k in range(1, SHAPE[0]):
        noise[k] = 0.6 * noise[k - 1] + 0.8 * noise[k]
    model = measure_noise(np.rint(50 + noise).astype(np.int16), ball(55).astype(np.uint8), SPACING, 1, whole())
    assert model.along_z == pytest.approx(0.6, abs=0.1)
    sample = model.sample((40, 64, 64), 0)
    assert np.mean(sample[1:] * sample[:-1]) / np.mean(sample**2) == pytest.approx(model.along_z, abs=0.05)


def test_too_small_an_organ_borrows_another_s_noise_or_a_usual_one():
    hu = np.rint(100 + grainy(15, 0.5)).astype(np.int16)
    labels = np.zeros(SHAPE, np.uint8)
    labels[12, 10:13, 10:13] = 4
    box = np.s_[12:13, 10:13, 10:13]
    assert measure_noise(hu, labels, SPACING, 4, box).source == "assumed"
    labels[ball(40)] = 1
    model = measure_noise(hu, labels, SPACING, 4, box)
    assert model.source == "other organ" and model.sd == pytest.approx(15, rel=0.15)


@settings(max_examples=15)
@given(st.tuples(st.integers(1, 4), st.integers(1, 70), st.integers(1, 70)), st.integers(0, 2**31), st.floats(0, 0.95))
def test_any_shape_can_be_sampled_and_the_seed_decides(shape, seed, along_z):
    model = NoiseModel(10.0, np.ones((BINS, BINS), np.float32), along_z)
    first = model.sample(shape, seed)
    assert first.shape == shape and first.dtype == np.float32 and np.isfinite(first).all()
    assert np.array_equal(first, model.sample(shape, seed))


def test_a_sample_has_the_model_s_sd():
    spectrum = np.random.default_rng(0).random((BINS, BINS)).astype(np.float32)
    spectrum += np.roll(spectrum[::-1, ::-1], 1, (0, 1))
    assert NoiseModel(14.0, spectrum, 0.3).sample((30, 100, 90), 1).std() == pytest.approx(14, rel=0.03)


def test_noise_that_is_kept_is_drawn_anew_the_same_and_no_caller_spoils_it():
    model = NoiseModel(15.0, np.ones((BINS, BINS), np.float32), 0.5)
    first = model.sample((7, 40, 50), 3)
    usual = first.copy()
    first += 100
    assert np.array_equal(model.sample((7, 40, 50), 3), usual)
    assert np.array_equal(model.sample((5, 40, 50), 3), usual[:5])
    assert np.array_equal(model._drawn((7, 40, 50), 3), usual)
    assert not np.array_equal(model.sample((7, 40, 50), 4), usual)
    assert not np.array_equal(NoiseModel(15.0, model.spectrum, 0.0).sample((7, 40, 50), 3), usual)
