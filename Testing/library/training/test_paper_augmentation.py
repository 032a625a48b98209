import numpy as np
import pytest
import torch

from FlareSegLib.training.paper_augmentation import PaperAugmentation, augment_slice, below_or_above_one, transforms

ORDER = ["SpatialTransform", "GaussianNoiseTransform", "GaussianBlurTransform", "MultiplicativeBrightnessTransform",
         "ContrastTransform", "SimulateLowResolutionTransform", "GammaTransform", "GammaTransform", "MirrorTransform",
         "RemoveLabelTransform"]


@pytest.fixture
def sample():
    labels = torch.zeros(1, 48, 64, dtype=torch.int16)
    labels[:, 10:30, 12:40] = 2
    return torch.randn(1, 48, 64, generator=torch.Generator().manual_seed(0)) + labels, labels


def run(sample, seed, steps=None):
    return augment_slice(sample[0].clone(), sample[1].clone(), steps or transforms((48, 64)), seed)


def test_the_order_is_nnunets():
    names = [type(getattr(step, "transform", step)).__name__ for step in transforms((8, 8))]
    assert [name.replace("Tansform", "Transform") for name in names] == ORDER  # the library mended a name


def test_the_same_seed_gives_the_same_slice(sample):
    for seed in (0, 1, 2**32 - 1):
        first, second = run(sample, seed), run(sample, seed)
        assert all(torch.equal(a, b) for a, b in zip(first, second))
    assert not torch.equal(run(sample, 0)[0], run(sample, 3)[0])


def test_labels_stay_labels_and_the_shape_stays(sample):
    for seed in range(40):
        image, labels = run(sample, seed)
        assert image.shape == labels.shape == (1, 48, 64) and torch.isfinite(image).all()
        assert set(labels.unique().tolist()) <= {0, 2}, "what comes in from outside is background"


def test_image_and_labels_move_together():
    """With the spatial transforms alone, an image that is its own label map stays it (but for interpolated edges)."""
    labels = torch.zeros(1, 64, 64, dtype=torch.int16)
    labels[:, 16:40, 20:50] = 1
    steps = transforms((64, 64), PaperAugmentation(rotation_probability=1, zoom_probability=1))
    for seed in range(10):
        image, moved = augment_slice(labels.float(), labels.clone(), [steps[0], steps[-2], steps[-1]], seed)
        assert ((image[0] > 0.5) == (moved[0] == 1)).float().mean() > 0.98


def test_factors_lie_below_or_above_one_equally_often():
    np.random.seed(0)
    drawn = np.array([below_or_above_one((0.7, 1.5))() for _ in range(4000)])
    assert drawn.min() >= 0.7 and drawn.max() <= 1.5
    assert np.mean(drawn < 1) == pytest.approx(0.5, abs=0.03)


def test_probabilities_are_the_settings():
    steps = transforms((8, 8))
    assert [step.apply_probability for step in steps if hasattr(step, "apply_probability")] == \
        [0.1, 0.1, 0.15, 0.15, 0.125, 0.1, 0.3]
    assert (steps[0].p_rotation, steps[0].p_scaling, steps[0].p_elastic_deform) == (0.2, 0.2, 0)
