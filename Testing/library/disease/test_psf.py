"""Point spread: a blurred body of known sigma, with what makes it hard."""

import numpy as np
import pytest
from scipy import ndimage

from FlareSegLib.disease.psf import USUAL_MM, measure_psf
from FlareSegLib.volumes.orientation import to_axial
from FlareSegLib.volumes.reading import read_volume

SPACING = (0.75, 0.75, 2.5)
SHAPE = (12, 320, 320)


def body(sigma, noise=12.0, lean=0.0, spacing=SPACING):
    """An elliptic body with 2 mm of skin over fat in air, drawn four times finer in plane and blurred."""
    finer = 4
    j, i = ((np.arange(SHAPE[1] * finer) + 0.5) / finer * spacing[n] for n in (1, 0))
    middle = SHAPE[1] * spacing[1] / 2
    hu = np.empty(SHAPE, np.float32)
    for k in range(SHAPE[0]):
        depth = 85 + lean * k - np.hypot((j[:, None] - middle) / 1.0, (i - middle) / 1.2)
        fine = np.select([depth < 0, depth < 2], [-1000.0, 0.0], -100.0)
        fine = ndimage.gaussian_filter(fine, [sigma / spacing[n] * finer for n in (1, 0)])
        hu[k] = fine.reshape(SHAPE[1], finer, SHAPE[2], finer).mean(axis=(1, 3))
    hu += np.random.default_rng(0).normal(0, noise, SHAPE)
    return np.clip(np.rint(hu), -1024, 3071).astype(np.int16)


@pytest.mark.parametrize("sigma", (0.4, 0.6, 0.8, 1.1))
def test_a_known_blur_is_found(sigma):
    assert measure_psf(body(sigma), SPACING) == pytest.approx(sigma, abs=0.12)


def test_a_leaning_surface_is_not_taken_for_blur():
    assert measure_psf(body(0.6, lean=0.6), SPACING) == pytest.approx(0.6, abs=0.12)


@pytest.mark.parametrize("sigma", (0.5, 0.7, 1.0))
def test_painted_over_air_is_seen_through(sigma):
    hu = body(sigma)
    hu[hu < -500] = -1000
    assert measure_psf(hu, SPACING) == pytest.approx(sigma, abs=0.2)


def test_without_a_body_the_usual_sharpness_is_taken():
    assert measure_psf(np.full((4, 64, 64), 40, np.int16), SPACING) == USUAL_MM
    assert measure_psf(np.full((1, 3, 3), -1000, np.int16), SPACING) == USUAL_MM


def test_a_sharp_kernel_is_sharper_than_a_standard_one(real_data):
    def measured(name):
        ct = to_axial(read_volume(real_data / "ct" / name / "ct.nii.gz"))[0]
        return measure_psf(ct.array, ct.spacing)

    assert measured("cptacpda189") < measured("ircad01")
