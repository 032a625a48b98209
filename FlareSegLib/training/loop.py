"""A plain, resumable training loop for one process on the CPU."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from pickle import UnpicklingError  # what torch raises; nothing is unpickled here
from typing import Any

import numpy as np
import torch

from ..errors import FlareSegError
from ..inference.device import cpu_device
from ..inference.network_form import replace_norms
from ..networks.unet2d import UNet2D, UNet2DSpec
from ..preprocessing.normalisation import Normalisation
from .augmentation import augment
from .cases import TrainingCase
from .loss import segmentation_loss
from .sampling import draw_slices


@dataclass(frozen=True)
class TrainingSettings:
    """What one run does.

    Attributes
    ----------
    steps, cooldown : int
        The learning rate is constant until the last `cooldown` steps, in which it goes down to zero. A run without a
        cool-down can go on with more steps as if it had been planned so.
    warmup : int
        Steps in which the rate rises.
    begin : int
        The steps that the first weights had seen before, see `begin_with`.
    keep_every : int
        A copy of the checkpoint, with its steps in its name, is kept every so many steps; 0 for none (see `average`).
    batch, batches_per_step : int
        Slices that share a Dice; so many batches are accumulated before each optimiser step.
    averaging : float
        Each step the averaged weights keep this share of themselves (less in the first steps). They, not the last
        ones, are the result; with a constant rate they are by far the better.
    """

    steps: int = 2000
    cooldown: int = 0
    warmup: int = 30
    batch: int = 4
    batches_per_step: int = 2
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    clip_norm: float = 12.0
    averaging: float = 0.995
    seed: int = 0
    save_every: int = 50
    begin: int = 0
    keep_every: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0.

        Examples
        --------
        >>> [TrainingSettings(steps=100, cooldown=50).rate(step) for step in (14, 40, 75)]
        [0.0005, 0.001, 0.0005]
        """
        left = (self.steps - step) / self.cooldown if self.cooldown else 1.0
        return self.learning_rate * min(1.0, (step - self.begin + 1) / self.warmup, left)

    def kept(self, step: int) -> float:
        """The share of the averaged weights that a step keeps."""
        return min(self.averaging, (1 + step) / (10 + step))


def train(cases: list[TrainingCase], spec: UNet2DSpec, grid: tuple[int, int], normalisation: Normalisation,
          settings: TrainingSettings, checkpoint: Path, spacing: float = 1.0,
          log: Callable[..., None] = print) -> UNet2D:
    """Train a network, resuming from `checkpoint` where it exists, and return it with its averaged weights.

    `spacing` is that of the isotropic slices, mm: a network that sees neighbours of a slice sees them so far apart.

    Each step draws from a generator seeded with (seed, step), so that a resumed run sees the same slices as
    one that was never stopped.
    """
    torch.manual_seed(settings.seed)
    net = UNet2D(spec)
    average = copy.deepcopy(net).requires_grad_(False)
    # One slice a forward pass: its activations stay in the cache, and its instance normalisation copies nothing
    replace_norms(net.to(memory_format=_cpu_format()[1]))  # type: ignore[call-overload]  # not declared by torch
    optimiser = torch.optim.AdamW(net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    first, begin, patients = _resume(checkpoint, net, average, optimiser)
    patients |= {case.patient for case in cases}
    settings, mean_loss = replace(settings, begin=begin), None
    offsets_mm = tuple(offset * spacing for offset in spec.offsets)
    started = time.monotonic()
    for step in range(first, settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = settings.rate(step)
        loss = _train_step(net, optimiser, cases, offsets_mm, grid, normalisation, settings, step)
        _average(average, net, settings.kept(step))
        mean_loss = loss if mean_loss is None else 0.95 * mean_loss + 0.05 * loss
        if (step + 1) % settings.save_every == 0 or step + 1 == settings.steps:
            _save(checkpoint, net, average, optimiser, step + 1, settings, patients)
            if settings.keep_every and (step + 1) % settings.keep_every == 0:
                kept = checkpoint.with_stem(f"{checkpoint.stem}-{step + 1}")
                _save(kept, net, average, optimiser, step + 1, settings, patients)
            rate = (time.monotonic() - started) / (step + 1 - first)
            log(f"step {step + 1}/{settings.steps} loss {mean_loss:.4f} {rate:.2f} s/step", flush=True)
    return average


def begin_with(network: UNet2D, steps: int, settings: TrainingSettings, checkpoint: Path,
               patients: Collection[str] = ()) -> None:
    """Write a checkpoint from which `train` goes on with a network's weights, after the `steps` that they have seen.

    `patients` are those whom they have seen. The optimiser's momentum begins anew, and its rate rises again.
    """
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    _save(checkpoint, network, network, optimiser, steps, replace(settings, begin=steps), patients)


def seeing_neighbours(network: UNet2D, spec: UNet2DSpec) -> UNet2D:
    """Return a network of one slice as one of several (`spec`), which at first gives the neighbours no weight.

    Raises
    ------
    ValueError
        Where the networks differ in more than that.
    """
    if replace(spec, in_channels=1, slice_step=1) != network.spec:
        raise ValueError("only the slices that a network sees can be added")
    weights = dict(network.state_dict())
    first = weights["encoder.0.0.conv.weight"]
    weights["encoder.0.0.conv.weight"] = first.new_zeros((first.shape[0], spec.in_channels, *first.shape[2:]))
    weights["encoder.0.0.conv.weight"][:, [spec.in_channels // 2]] = first
    wider = UNet2D(spec)
    wider.load_state_dict(weights)
    return wider


def draw_batch(cases: list[TrainingCase], classes: int, offsets_mm: tuple[float, ...], grid: tuple[int, int],
               normalisation: Normalisation, settings: TrainingSettings, rng: np.random.Generator
               ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return normalised slices (batch, channels, rows, columns), labels and the unlabelled classes of each."""
    images, labels, unlabelled = [], [], torch.zeros(settings.batch, classes, dtype=torch.bool)
    for i in range(settings.batch):
        hu, values, case = draw_slices(cases, tuple(range(1, classes)), rng, offsets_mm)
        image, target = augment(hu, values, grid, rng)
        images.append(torch.from_numpy(normalisation.apply(image.numpy())))
        labels.append(target)
        unlabelled[i, list(case.unlabelled)] = True
    return torch.stack(images), torch.stack(labels), unlabelled


def _cpu_format() -> tuple[torch.dtype, torch.memory_format]:
    """How this processor trains fastest.

    Emulated bfloat16 takes eight times as long as float32 (AVX2 alone), and float32 channels-last a fifth longer.
    """
    precision = cpu_device().dtype
    return precision, torch.channels_last if precision == torch.bfloat16 else torch.contiguous_format


def _train_step(net: UNet2D, optimiser: torch.optim.Optimizer, cases: list[TrainingCase], offsets_mm: tuple[float, ...],
                grid: tuple[int, int], normalisation: Normalisation, settings: TrainingSettings, step: int) -> float:
    rng = np.random.default_rng((settings.seed, step))
    precision, memory_format = _cpu_format()
    total = 0.0
    for _ in range(settings.batches_per_step):
        images, labels, unlabelled = draw_batch(cases, net.spec.classes, offsets_mm, grid, normalisation,
                                                settings, rng)
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            slices = [net.forward_levels(image[None].to(memory_format=memory_format)) for image in images]
        levels = [torch.cat(level) for level in zip(*slices)]
        loss = segmentation_loss(levels, labels, unlabelled) / settings.batches_per_step
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(net.parameters(), settings.clip_norm)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return total


def _average(average: UNet2D, net: UNet2D, kept: float) -> None:
    for mean, value in zip(average.parameters(), net.parameters()):
        mean.lerp_(value.detach(), 1 - kept)


def _resume(checkpoint: Path, net: UNet2D, average: UNet2D, optimiser: torch.optim.Optimizer
            ) -> tuple[int, int, set[str]]:
    """The steps that were done, how many of them before, and the patients that were seen; nothing for no checkpoint."""
    if not checkpoint.exists():
        return 0, 0, set()
    state = read_state(checkpoint)
    try:
        net.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise FlareSegError("bad_training_data", f"{checkpoint} is of another network than the one to be trained; "
                                                 "choose another name.") from error
    return state["step"], state["settings"].get("begin", 0), set(state.get("patients", ()))


def _save(checkpoint: Path, net: UNet2D, average: UNet2D, optimiser: torch.optim.Optimizer, step: int,
          settings: TrainingSettings, patients: Collection[str]) -> None:
    write_checkpoint(checkpoint, {"network": net.state_dict(), "average": average.state_dict(),
                                  "optimiser": optimiser.state_dict(), "step": step, "settings": asdict(settings),
                                  "patients": sorted(patients)})


def write_checkpoint(checkpoint: Path, state: dict[str, Any]) -> None:
    """Write beside and rename, so that a kill leaves the last whole checkpoint."""
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    partial = checkpoint.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, checkpoint)


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Read what `train` has written.

    Raises
    ------
    FlareSegError
        "not_found"; "bad_training_data" for a file that is no checkpoint, or a damaged one.
    """
    if not checkpoint.is_file():
        raise FlareSegError("not_found", f"There is no checkpoint {checkpoint}.")
    try:
        state: dict[str, Any] = torch.load(checkpoint, weights_only=True)
        state["average"], state["step"]
    except (OSError, RuntimeError, EOFError, UnpicklingError, KeyError, TypeError) as error:
        raise FlareSegError("bad_training_data", f"{checkpoint} is no checkpoint, or a damaged one.") from error
    return state
