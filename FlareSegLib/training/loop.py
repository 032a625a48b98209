"""A plain, resumable training loop for one process on the CPU."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from ..networks.unet2d import UNet2D, UNet2DSpec
from ..preprocessing.normalisation import Normalisation
from .augmentation import augment
from .cases import TrainingCase
from .loss import segmentation_loss
from .sampling import draw_slice


@dataclass(frozen=True)
class TrainingSettings:
    """What one run does; `batches_per_step` batches are accumulated before each optimiser step.

    Small batches on one thread are the fastest way to train on a CPU: their activations stay in its cache.
    """

    steps: int = 2000
    batch: int = 2
    batches_per_step: int = 4
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    poly_power: float = 0.9
    clip_norm: float = 12.0
    seed: int = 0
    save_every: int = 50


def train(cases: list[TrainingCase], spec: UNet2DSpec, grid: tuple[int, int], normalisation: Normalisation,
          settings: TrainingSettings, checkpoint: Path, log=print) -> UNet2D:
    """Train a network, resuming from `checkpoint` where it exists, and return it.

    Each step draws from a generator seeded with (seed, step), so that a resumed run sees the same slices as
    one that was never stopped.
    """
    torch.manual_seed(settings.seed)
    net = UNet2D(spec)
    optimiser = torch.optim.AdamW(net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    first, mean_loss = _resume(checkpoint, net, optimiser), None
    started = time.monotonic()
    for step in range(first, settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * (1 - step / settings.steps) ** settings.poly_power
        loss = _train_step(net, optimiser, cases, grid, normalisation, settings, step)
        mean_loss = loss if mean_loss is None else 0.95 * mean_loss + 0.05 * loss
        if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
            _save(checkpoint, net, optimiser, step + 1, settings)
            rate = (time.monotonic() - started) / (step + 1 - first)
            log(f"step {step + 1}/{settings.steps} loss {mean_loss:.4f} {rate:.2f} s/step", flush=True)
    return net


def draw_batch(cases, spec: UNet2DSpec, grid, normalisation, settings, rng):
    """Return normalised slices (batch, 1, rows, columns), labels and the unlabelled classes of each."""
    images, labels, unlabelled = [], [], torch.zeros(settings.batch, spec.classes, dtype=torch.bool)
    for i in range(settings.batch):
        hu, values, case = draw_slice(cases, tuple(range(1, spec.classes)), rng)
        image, target = augment(hu, values, grid, rng)
        images.append(torch.from_numpy(normalisation.apply(image.numpy()))[None])
        labels.append(target)
        unlabelled[i, list(case.unlabelled)] = True
    return torch.stack(images), torch.stack(labels), unlabelled


def _train_step(net, optimiser, cases, grid, normalisation, settings, step) -> float:
    rng = np.random.default_rng((settings.seed, step))
    total = 0.0
    for _ in range(settings.batches_per_step):
        images, labels, unlabelled = draw_batch(cases, net.spec, grid, normalisation, settings, rng)
        with torch.autocast("cpu", torch.bfloat16):
            levels = net.forward_levels(images)
        loss = segmentation_loss(levels, labels, unlabelled) / settings.batches_per_step
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(net.parameters(), settings.clip_norm)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return total


def _resume(checkpoint: Path, net, optimiser) -> int:
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, weights_only=True)
    net.load_state_dict(state["network"])
    optimiser.load_state_dict(state["optimiser"])
    return state["step"]


def _save(checkpoint: Path, net, optimiser, step: int, settings: TrainingSettings) -> None:
    """Write beside and rename, so that a kill leaves the last whole checkpoint."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    partial = checkpoint.with_suffix(".partial")
    torch.save({"network": net.state_dict(), "optimiser": optimiser.state_dict(), "step": step,
                "settings": asdict(settings)}, partial)
    os.replace(partial, checkpoint)
