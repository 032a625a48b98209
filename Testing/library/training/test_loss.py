import numpy as np
import pytest
import torch

from FlareSegLib.training.loss import level_weights, segmentation_loss


def test_deep_supervision_weights_of_the_paper():
    """Section 2.3: seven heads, the lowest without weight (nnU-Net v1)."""
    expected = [0.5079, 0.2540, 0.1270, 0.0635, 0.0317, 0.0159, 0.0]
    assert level_weights(7) == pytest.approx(expected, abs=5e-5)


def levels_for(labels, confidence=20.0):
    """Perfect logits for two levels."""
    def logits(values):
        return confidence * torch.nn.functional.one_hot(values, 5).permute(0, 3, 1, 2).float()

    return [logits(labels), logits(labels[:, ::2, ::2])]


@pytest.fixture
def labels():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 5, (2, 8, 8)))


def none_left_out(labels):
    return torch.zeros(len(labels), 5, dtype=torch.bool)


def test_perfect_labels_cost_nothing(labels):
    assert segmentation_loss(levels_for(labels), labels, none_left_out(labels)).item() == pytest.approx(0, abs=1e-3)


def test_nothing_left_out_is_the_default(labels):
    levels = [torch.randn(2, 5, 8, 8), torch.randn(2, 5, 4, 4)]
    labels[0, :3] = 255
    expected = segmentation_loss(levels, labels, none_left_out(labels)).item()
    assert segmentation_loss(levels, labels).item() == pytest.approx(expected, rel=1e-6)


def test_wrong_labels_cost(labels):
    assert segmentation_loss(levels_for((labels + 1) % 5), labels, none_left_out(labels)).item() > 1.5


def test_ignored_pixels_have_no_gradient(labels):
    logits = torch.randn(2, 5, 8, 8, requires_grad=True)
    ignored = labels.clone()
    ignored[:, :4] = 255
    segmentation_loss([logits, logits[:, :, ::2, ::2].detach()], ignored, none_left_out(labels)).backward()
    assert (logits.grad[:, :, :4] == 0).all()
    assert (logits.grad[:, :, 4:] != 0).any()


def test_an_organ_that_was_not_drawn_may_be_found(labels):
    """Pancreas left out of the labels: finding it where the labels say background costs nothing."""
    drawn = torch.where(labels == 4, 0, labels)
    left_out = none_left_out(labels)
    left_out[:, 4] = True
    found = levels_for(labels)
    assert segmentation_loss(found, drawn, left_out).item() == pytest.approx(0, abs=1e-3)
    assert segmentation_loss(found, drawn, none_left_out(labels)).item() > 0.5
