"""Every number of the paper's section 2 and Tables 2 and 3 that the code fixes; nnU-Net v1's where it names that."""

import numpy as np
import pytest
import torch

from FlareSegLib.cli.main import build_parser
from FlareSegLib.cli.train_command import NETWORKS, protocol_from, simulation_from
from FlareSegLib.networks.spec import PAPER_NETWORK
from FlareSegLib.preprocessing.normalisation import FLARE21_NORMALISATION
from FlareSegLib.training.fingerprint import LOWER_PERCENTILE, UPPER_PERCENTILE
from FlareSegLib.training.loss import DICE_SMOOTH, level_weights, segmentation_loss
from FlareSegLib.training.paper_augmentation import PaperAugmentation
from FlareSegLib.training.protocol import PAPER_PROTOCOL


def test_section_2_whole_slices_of_512_and_batches_of_12():
    assert PAPER_PROTOCOL.grid == (512, 512) and PAPER_PROTOCOL.batch == 12


def test_section_2_a_third_of_each_batch_is_drawn_for_an_organ():
    forced = [place for place in range(12) if PAPER_PROTOCOL.is_forced(place)]
    assert forced == [8, 9, 10, 11]
    assert len(forced) / PAPER_PROTOCOL.batch == pytest.approx(0.333, abs=1e-3)


def test_table_3_1000_epochs_of_250_steps():
    assert (PAPER_PROTOCOL.epochs, PAPER_PROTOCOL.iterations, PAPER_PROTOCOL.steps) == (1000, 250, 250_000)


def test_table_3_sgd_with_nesterov_momentum_and_poly_rate():
    assert (PAPER_PROTOCOL.learning_rate, PAPER_PROTOCOL.momentum, PAPER_PROTOCOL.nesterov) == (0.01, 0.99, True)
    assert (PAPER_PROTOCOL.weight_decay, PAPER_PROTOCOL.clip_norm, PAPER_PROTOCOL.poly_power) == (3e-5, 12.0, 0.9)
    assert PAPER_PROTOCOL.rate(249) == 0.01
    assert PAPER_PROTOCOL.rate(250) == pytest.approx(0.01 * 0.999**0.9)
    assert PAPER_PROTOCOL.rate(249_999) == pytest.approx(0.01 * 0.001**0.9)


def test_section_2_deep_supervision_on_all_but_the_two_lowest_resolutions():
    weights = level_weights(len(PAPER_NETWORK.features) - 1)  # the lowest has no head, the one above weighs nothing
    assert np.round(weights, 4).tolist() == [0.5079, 0.2540, 0.1270, 0.0635, 0.0317, 0.0159, 0.0]
    assert DICE_SMOOTH == 1e-5


def test_section_2_dice_without_background_over_the_batch_plus_cross_entropy():
    """Logits of two slices of which the second has no organ: one Dice for both, and background counts for nothing."""
    logits = torch.zeros(2, 3, 4, 4)
    labels = torch.zeros(2, 4, 4, dtype=torch.int64)
    labels[0, :2], labels[0, 2:] = 1, 2
    dice = 2 * (8 / 3) / (32 / 3 + 8)  # both organs alike: p is a third everywhere, 8 pixels of 32 are the organ
    assert segmentation_loss([logits], labels).item() == pytest.approx(np.log(3) + 1 - dice, abs=1e-5)


def test_section_2_percentiles_mean_and_sd_of_the_foreground():
    assert (LOWER_PERCENTILE, UPPER_PERCENTILE) == (0.5, 99.5)
    assert (FLARE21_NORMALISATION.lower, FLARE21_NORMALISATION.upper) == (-16, 270)
    assert FLARE21_NORMALISATION.mean == pytest.approx(116.62895, abs=1e-5)
    assert FLARE21_NORMALISATION.sd == pytest.approx(47.89974, abs=1e-5)


def test_table_2_and_3_are_what_the_command_line_does():
    options = build_parser().parse_args(["train", "data", "-o", "run"])
    assert protocol_from(options) == PAPER_PROTOCOL and NETWORKS[options.network].spec == PAPER_NETWORK
    assert options.spacing is None and NETWORKS[options.network].spacing is None, "each CT's own pixels"
    assert simulation_from(options) is None


def test_nnunet_v1_augmentation():
    a = PaperAugmentation()
    assert (a.rotation_degrees, a.rotation_probability) == ((-180, 180), 0.2)
    assert (a.zoom, a.zoom_probability) == ((0.7, 1.4), 0.2)
    assert (a.noise_sd, a.noise_probability) == ((0, 0.1), 0.1)
    assert (a.blur_sigma, a.blur_probability) == ((0.5, 1.0), 0.1)
    assert (a.brightness, a.brightness_probability) == ((0.75, 1.25), 0.15)
    assert (a.contrast, a.contrast_probability) == ((0.75, 1.25), 0.15)
    assert (a.low_resolution, a.low_resolution_probability) == ((0.5, 1.0), 0.125)
    assert (a.gamma, a.inverted_gamma_probability, a.gamma_probability) == ((0.7, 1.5), 0.1, 0.3)
    assert a.mirror_axes == (0, 1)
