import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from FlareSegLib.errors import FlareSegError
from FlareSegLib.volumes.checks import SAMPLE_VOXELS, check_ct, strided_sample
from FlareSegLib.volumes.reading import read_label_map, read_volume
from FlareSegLib.volumes.volume import Volume

COS, SIN = np.cos(np.radians(20)), np.sin(np.radians(20))


def code_of(volume: Volume) -> str:
    with pytest.raises(FlareSegError) as caught:
        check_ct(volume)
    return caught.value.code


def with_values(volume: Volume, values) -> Volume:
    return Volume(np.asarray(values), volume.spacing, volume.origin, volume.direction)


def test_an_ordinary_ct_passes_without_a_word(ct):
    assert check_ct(ct) == ()
    assert check_ct(with_values(ct, ct.array.astype(np.float32) + 0.25)) == ()


@pytest.mark.parametrize("padding", [-2000, -2048, -3024])
def test_padding_outside_the_field_of_view(ct, padding):
    _, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in ct.array.shape), indexing="ij")
    assert check_ct(with_values(ct, np.where(np.hypot(x, y) > 1, padding, ct.array).astype(np.int16))) == ()
    mostly = np.where(np.hypot(x, y) > 0.5, padding, ct.array).astype(np.int16)  # no air left: a cone of tissue
    assert any("no air" in warning for warning in check_ct(with_values(ct, mostly)))


def test_flattened_air_and_metal(ct):
    flat = np.where(ct.array < -900, -1000, ct.array).astype(np.int16)
    flat[10:12, 20:24, 20:24] = 30000
    assert check_ct(with_values(ct, flat)) == ()


def test_a_tight_crop_inside_the_body_warns(ct):
    crop = Volume(ct.array[:, 14:34, 16:40], ct.spacing)
    assert crop.array.min() > -300
    assert [w for w in check_ct(crop) if "no air" in w]


def test_clipped_values_warn(ct):
    assert [w for w in check_ct(with_values(ct, ct.array.clip(-160, 240))) if "no air" in w]


@pytest.mark.parametrize("offset", [1024, 1000])
@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.float32])
def test_shifted_hu(ct, offset, kind):
    shifted = (ct.array.astype(int) + offset).clip(0).astype(kind)
    assert code_of(with_values(ct, shifted)) == "shifted_hu"


def test_shifted_hu_with_padding(ct):
    shifted = ct.array + np.int16(1024)
    shifted[:, :4] = -2000
    assert code_of(with_values(ct, shifted.astype(np.int16))) == "shifted_hu"


def rescaled(array, low, high):
    values = array.clip(-160, 240).astype(np.float32)
    return (values + 160) / 400 * (high - low) + low


@pytest.mark.parametrize("make", [
    lambda a: (a > -500).astype(np.uint8) + (a > 0),  # label map
    lambda a: a > -500,
    lambda a: np.where(a > 0, 100, -1000).astype(np.int16),  # mask painted in HU
    lambda a: rescaled(a, 0, 255).astype(np.uint8),  # 8-bit window
    lambda a: rescaled(a, 0, 1),
    lambda a: rescaled(a, -1, 1),
    lambda a: (a.astype(np.float32) - a.mean()) / a.std(),  # z-score
    lambda a: np.random.default_rng(0).rayleigh(300, a.shape).astype(np.int16),  # MR magnitude
    lambda a: np.random.default_rng(0).uniform(0, 2000, a.shape).astype(np.int16),
    lambda a: np.random.default_rng(0).gamma(0.3, 20000, a.shape).astype(np.float32),  # PET in Bq/ml
    lambda a: a - np.int16(1024),  # air at -2024: the intercept applied twice
    lambda a: np.random.default_rng(0).normal(-1000, 10, a.shape).astype(np.int16),  # air only
    lambda a: np.full(a.shape, -2000, np.int16) + (np.arange(a.shape[2]) % 2).astype(np.int16),  # padding only
])
def test_what_is_no_ct(ct, make):
    assert code_of(with_values(ct, make(ct.array))) == "not_ct"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@given(data=st.data())
def test_one_bad_voxel_is_always_found(bad, data):
    array = np.random.default_rng(0).normal(0, 300, (20, 30, 40)).astype(np.float32)
    array[tuple(data.draw(st.integers(0, n - 1)) for n in array.shape)] = bad
    assert code_of(Volume(array, (0.8, 0.8, 2.5))) == "not_finite"


def test_constant_and_empty(ct):
    assert code_of(with_values(ct, np.zeros_like(ct.array))) == "empty"
    assert code_of(Volume(np.zeros((0, 4, 5), np.int16), (1.0, 1.0, 1.0))) == "empty"


@pytest.mark.parametrize("shape", [(1, 40, 50), (40, 2, 50), (40, 50), (2, 3, 40, 50)])
def test_too_few_slices_or_other_dimensions(shape):
    array = np.random.default_rng(0).normal(0, 300, shape).astype(np.int16)
    assert code_of(Volume(array, (1.0, 1.0, 1.0))) == "not_3d"


def test_complex_voxels(ct):
    assert code_of(with_values(ct, ct.array.astype(np.complex64))) == "unsupported_type"


@pytest.mark.parametrize(("changes", "code"), [
    ({"spacing": (0.0, 0.8, 2.5)}, "invalid_geometry"),
    ({"spacing": (-0.8, 0.8, 2.5)}, "invalid_geometry"),
    ({"spacing": (np.nan, 0.8, 2.5)}, "invalid_geometry"),
    ({"origin": (np.inf, 0.0, 0.0)}, "invalid_geometry"),
    ({"spacing": (0.0008, 0.0008, 0.0025)}, "invalid_geometry"),  # metres
    ({"spacing": (800.0, 800.0, 2500.0)}, "invalid_geometry"),  # micrometres
    ({"direction": (1, 0, 0, 0, 1, 0, 0, 0.2, 0.98)}, "sheared_geometry"),
    ({"direction": (1, 0, 0, 0, 1, 0, 0, 0, 2)}, "sheared_geometry"),
    ({"direction": (0,) * 9}, "sheared_geometry"),
    ({"direction": (np.nan, 0, 0, 0, 1, 0, 0, 0, 1)}, "invalid_geometry"),
])
def test_unusable_geometry(ct, changes, code):
    fields = {"spacing": ct.spacing, "origin": ct.origin, "direction": ct.direction} | changes
    assert code_of(Volume(ct.array, **fields)) == code


@pytest.mark.parametrize(("changes", "word"), [
    ({"direction": (1, 0, 0, 0, COS, -SIN, 0, SIN, COS)}, "oblique by 20"),
    ({"spacing": (0.8, 0.8, 10.0)}, "thick (10 mm)"),
    ({"spacing": (0.8, 0.8, 1.0)}, "only 40 mm"),
    ({"spacing": (0.8, 4.0, 2.5)}, "in-plane"),
    # stored sagittally: k runs to the left, i to superior
    ({"spacing": (1.0, 0.8, 0.8), "direction": (0, 0, 1, 0, 1, 0, 1, 0, 0)}, "only 56 mm"),
])
def test_warnings(ct, changes, word):
    fields = {"spacing": ct.spacing, "direction": ct.direction} | changes
    warnings = check_ct(Volume(ct.array, **fields))
    assert len(warnings) == 1 and word in warnings[0]


@given(st.tuples(*[st.integers(1, 400)] * 3))
def test_the_sample_is_small_and_keeps_some_of_each_axis(shape):
    sample = strided_sample(np.broadcast_to(np.int16(1), shape))
    assert min(np.prod(shape), 1000) * 0.1 <= sample.size <= 4 * SAMPLE_VOXELS


def test_real_cts_pass(real_data):
    names = sorted(path.parent.name for path in (real_data / "ct").glob("*/ct.nii.gz"))
    assert len(names) >= 10
    warnings = {name: check_ct(read_volume(real_data / "ct" / name / "ct.nii.gz")) for name in names}
    assert warnings["ircad01"] == warnings["hcctace006"] == warnings["cptacpda189"] == warnings["acrin001"] == ()
    assert "thick (10 mm)" in warnings["hcctace009_after_native10mm"][0]
    assert "only 40 mm" in warnings["ts_slab20"][0]


def test_real_ct_shifted_cropped_and_windowed(real_data):
    ct = read_volume(real_data / "ct" / "cptacpda189" / "ct.nii.gz")
    assert code_of(ct.with_array(ct.array + np.int16(1024))) == "shifted_hu"
    assert code_of(ct.with_array(rescaled(ct.array, 0, 255).astype(np.uint8))) == "not_ct"
    crop = Volume(ct.array[:, 230:330, 170:270], ct.spacing)
    assert all("-1" not in warning for warning in check_ct(crop))


def test_real_label_maps_are_no_ct(real_data):
    labels = real_data / "labels"
    some = [labels / "btcv30" / "label0001.nii.gz", labels / "amos0013" / "amos_0013.nii.gz",
            labels / "atlas1" / "liver.nii.gz", real_data / "ct" / "ircad01" / "organs4_silver.nii.gz",
            real_data / "ct" / "hcctace009_after_portal" / "organs3_silver_ignore255.nii.gz",
            *sorted((labels / "kits").glob("*.nii.gz"))[:1], *sorted((labels / "msd_liver").glob("*.nii.gz"))[:1]]
    for path in some:
        if path.exists():
            assert code_of(read_label_map(path)) == "not_ct", path.name
