import numpy as np

from FlareSegLib.training.cases import load_case, read_case_labels, read_case_list
from FlareSegLib.training.sampling import draw_slice
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
    drawn = [draw_slice([case], (1, 2, 3, 4), np.random.default_rng(seed)) for seed in range(20)]
    assert all(image.shape == labels.shape for image, labels, _ in drawn)
    assert np.mean([(labels > 0).any() for _, labels, _ in drawn]) > 0.6


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
