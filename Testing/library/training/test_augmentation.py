import numpy as np
import pytest
import torch

from FlareSegLib.training.augmentation import NATIVE, AugmentationSettings, augment, change_contrast, take_contrast_away

STILL = AugmentationSettings(spatial_probability=0, shift_pixels=0, organ_shift_probability=0, damping_probability=0,
                             boost_probability=0, global_shift_hu=0, global_scale=0, noise_probability=0,
                             blur_probability=0, field_of_view_probability=0, native_probability=0)


@pytest.fixture
def slice_with_labels():
    labels = np.zeros((40, 50), np.uint8)
    labels[10:25, 5:20] = 1
    labels[12:20, 30:45] = 3
    image = np.where(labels > 0, 100, -100).astype(np.float32)
    return image[None], labels[None]


def test_switched_off_it_only_centres_the_slice(slice_with_labels):
    image, labels = slice_with_labels
    out, moved = augment(image, labels, (64, 64), np.random.default_rng(0), STILL)
    assert np.array_equal(moved[12:52, 7:57].numpy(), labels[0])
    np.testing.assert_allclose(out[:, 12:52, 7:57].numpy(), image, atol=1e-2)
    assert (out[:, :11] == -1024).all()


def test_image_and_labels_move_together(slice_with_labels):
    image, labels = slice_with_labels
    settings = AugmentationSettings(**{**vars(STILL), "spatial_probability": 1, "shift_pixels": 8})
    for seed in range(10):
        out, moved = augment(image, labels, (64, 64), np.random.default_rng(seed), settings)
        inside = (moved > 0)
        assert inside.sum() > 50
        assert (out[0][inside] > 0).float().mean() > 0.9


def test_same_seed_same_slice(slice_with_labels):
    first = augment(*slice_with_labels, (64, 64), np.random.default_rng(5))
    second = augment(*slice_with_labels, (64, 64), np.random.default_rng(5))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


def test_left_and_right_are_never_swapped(slice_with_labels):
    """The liver's blob stays left of the spleen's, whatever is drawn."""
    for seed in range(30):
        _, moved = augment(*slice_with_labels, (64, 64), np.random.default_rng(seed))
        columns = [np.nonzero(moved.numpy() == label)[1] for label in (1, 3)]
        if all(len(c) for c in columns):
            assert columns[0].mean() < columns[1].mean()


def test_damping_removes_contrast_medium_not_muscle():
    settings = AugmentationSettings(**{**vars(STILL), "damping_probability": 1, "damping": (0.1, 0.1)})
    hu = torch.tensor([-100.0, 40.0, 150.0, 1000.0])
    out = change_contrast(hu, np.random.default_rng(0), settings)
    assert out[:2].tolist() == [-100.0, 40.0]
    assert out[2] == pytest.approx(45 + 10.5)
    assert out[3] > 700


def test_neighbours_move_with_the_slice_that_is_labelled(slice_with_labels):
    """All three slices are the same before, and after it but for noise."""
    image, labels = (np.repeat(each, 3, axis=0) for each in slice_with_labels)
    without_noise = AugmentationSettings(noise_probability=0)
    for seed in range(10):
        out, moved = augment(image, labels, (64, 64), np.random.default_rng(seed), without_noise)
        assert out.shape == (3, 64, 64) and moved.shape == (64, 64)
        assert torch.equal(out[0], out[1]) and torch.equal(out[1], out[2])


def test_the_labels_are_those_of_the_middle_slice(slice_with_labels):
    image, labels = (np.repeat(each, 3, axis=0) for each in slice_with_labels)
    labels[[0, 2]] = 0
    _, moved = augment(image, labels, (64, 64), np.random.default_rng(0), STILL)
    assert np.array_equal(moved[12:52, 7:57].numpy(), labels[1])


def test_without_contrast_medium_organs_measure_what_they_do_without_and_noise_is_kept(slice_with_labels):
    _, labels = slice_with_labels
    rng = np.random.default_rng(0)
    noise = torch.from_numpy(rng.normal(0, 12, labels.shape).astype(np.float32))
    image = torch.where(torch.from_numpy(labels) > 0, 160.0, 45.0)
    image[:, 30:], image[:, :3] = 130.0, -100.0
    settings = AugmentationSettings(**{**vars(STILL), "native_left": 0.0, "native_spread_hu": 0.0})
    out = take_contrast_away(image + noise, torch.from_numpy(labels), rng, settings)
    for label, inside in ((1, np.s_[:, 12:23, 7:18]), (3, np.s_[:, 14:18, 32:43])):
        assert float(out[inside].mean()) == pytest.approx(NATIVE[label], abs=3)
        assert float(out[inside].std()) > 0.6 * float(noise[inside].std())
    assert float(out[:, 33:].mean()) == pytest.approx(45, abs=3)  # bowel and vessels
    assert torch.equal(out[:, :2], (image + noise)[:, :2])  # fat
