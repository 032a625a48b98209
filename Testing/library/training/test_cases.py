import numpy as np
import pytest

from FlareSegLib.training.cases import TrainingCase, load_case, read_case_labels, read_case_list
from FlareSegLib.training.sampling import draw_slices
from FlareSegLib.volumes.reading import read_label_map


def test_a_patients_cases_are_told_apart_from_others():
    entries = read_case_list()
    assert len({entry["patient"] for entry in entries}) == 6
    assert all(entry["licence"] and entry["source"] and "silver" in entry["kind"] for entry in entries)


def test_a_real_case_is_axial_and_at_the_working_spacing(real_data):
    entry = next(entry for entry in read_case_list() if entry["name"] == "cptacpda189")
    case = load_case(entry, real_data / "ct", 1.6)
    assert case.image.shape == case.labels.shape == (35, 275, 275)
    liver_column = np.nonzero(case.labels == 1)[2].mean()
    spleen_column = np.nonzero(case.labels == 3)[2].mean()
    assert liver_column < spleen_column, "the patient's right is on the left"
    spine_rows = np.nonzero(case.image[5] > 300)[0]
    assert spine_rows.mean() > case.image.shape[1] / 2, "posterior is below"
    assert 80 < np.median(case.image[case.labels == 1]) < 140


def test_slices_are_drawn_where_organs_are(real_data):
    entry = next(entry for entry in read_case_list() if entry["name"] == "ts_slab20")
    case = load_case(entry, real_data / "ct", 3.2)
    drawn = [draw_slices([case], (1, 2, 3, 4), np.random.default_rng(seed)) for seed in range(20)]
    assert all(image.shape == labels.shape for image, labels, _ in drawn)
    assert np.mean([np.isin(labels, (1, 2, 3, 4)).any() for _, labels, _ in drawn]) > 0.6


def ramp(slice_spacing: float) -> TrainingCase:
    """Slice k is k * 10 HU all over, and labelled as liver from slice 5 on."""
    image = np.repeat(np.arange(10, dtype=np.int16) * 10, 4).reshape(10, 2, 2)
    return TrainingCase("ramp", "ramp", image, (image >= 50).astype(np.uint8), slice_spacing=slice_spacing)


@pytest.mark.parametrize("spacing", [1.6, 5.0])
def test_neighbours_lie_so_many_millimetres_away(spacing):
    for seed in range(20):
        image, labels, _ = draw_slices([ramp(spacing)], (1,), np.random.default_rng(seed), (-3.2, 0.0, 3.2))
        below, middle, above = image[:, 0, 0]
        for neighbour, apart in ((below, middle - below), (above, above - middle)):
            if 10 < neighbour < 80 and 10 < middle < 80:
                assert apart == pytest.approx(3.2 / spacing * 10, abs=10), "a slab may be averaged around it"
        assert below <= middle <= above and image.min() >= 0 and image.max() <= 90
        assert labels.shape == image.shape


def test_a_slice_and_its_neighbours_take_the_nearer_stored_slices_labels():
    image, labels, _ = draw_slices([ramp(1.6)], (1,), np.random.default_rng(4), (-16.0, 0.0, 16.0))
    assert labels[0].max() == 0 and labels[2].min() == 1, "beyond the ends the last slice is repeated"
    assert (image[0], image[2]) == (pytest.approx(np.zeros((2, 2)), abs=5), pytest.approx(np.full((2, 2), 90), abs=5))


def test_a_manual_liver_replaces_the_silver_one(real_data):
    entry = next(entry for entry in read_case_list() if "manual_liver" in entry)
    folder = real_data / "ct" / entry["name"]
    labels = read_case_labels(entry, real_data / "ct")
    manual = read_label_map(folder / entry["manual_liver"]).array > 0
    silver = read_label_map(folder / entry["labels"])
    assert labels.array.dtype == np.uint8 and labels.direction == silver.direction
    assert (labels.array[manual] == 1).all() and not (labels.array[~manual] == 1).any()
    kept = ~manual & (silver.array != 1)
    np.testing.assert_array_equal(labels.array[kept], silver.array[kept])
