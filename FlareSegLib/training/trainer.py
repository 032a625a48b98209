"""The paper's training: stochastic gradient descent over slices of a store, in one process or several.

Several processes (``torchrun``) share each batch: every one takes its part of the slices, the sums of the batch Dice
run over all of them, and gradients are averaged. The result is that of one process with the whole batch, but for
rounding.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from ..networks.unet import UNet
from .loss import segmentation_loss
from .protocol import TrainingProtocol
from .run_folder import Checkpoint, RunFolder, keep_losses, load_checkpoint, save_checkpoint
from .slice_dataset import SliceDataset
from .team import Team


@dataclass(frozen=True)
class TrainerOptions:
    """What does not change the result, or only its rounding.

    Attributes
    ----------
    precision : str
        "float32", "bfloat16" or "float16" (with loss scaling); see `choose_precision`.
    workers : int
        Processes that draw and augment slices; 0 draws them between the steps.
    max_minutes : float or None
        Stop, with a checkpoint, when this time is over.
    save_minutes : float
        Time between checkpoints.
    """

    precision: str = "float32"
    workers: int = 0
    max_minutes: float | None = None
    save_minutes: float = 10.0


class _Levels(nn.Module):
    """The network with the output of every decoder level: what `DistributedDataParallel` can wrap."""

    def __init__(self, network: UNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, slices: torch.Tensor) -> list[torch.Tensor]:
        return self.network.forward_levels(slices)


class _SliceNorm(nn.InstanceNorm2d):
    """Instance normalisation as batch normalisation, a slice at a time.

    The same formula; torch's own copies channels-last features to another memory format and back.
    """

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        slices = [F.batch_norm(one, None, None, self.weight, self.bias, training=True, momentum=0.0, eps=self.eps)
                  for one in features.split(1)]
        return torch.cat(slices) if len(slices) > 1 else slices[0]


def choose_precision(device: torch.device) -> str:
    """bfloat16 where the hardware multiplies it natively, else float16 on a GPU and float32 on a CPU."""
    from ..inference.device import cpu_device

    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    return cpu_device().precision


def train(network: UNet, dataset: SliceDataset, protocol: TrainingProtocol, run: RunFolder, team: Team,
          options: TrainerOptions = TrainerOptions(),
          on_epoch: Callable[[int, float, UNet], None] = lambda epoch, loss, network: None,
          on_step: Callable[[int, float], None] = lambda step, loss: None) -> bool:
    """Train a network in place, from the run's checkpoint where there is one, and return whether it is finished.

    Parameters
    ----------
    network : nn.Module
        With ``forward_levels``; the same initial weights in every process.
    on_epoch, on_step : callable
        ``on_epoch(epochs done, mean loss, network)`` and ``on_step(steps done, loss)``, in the leading process.
    """
    state = TrainingState(network, protocol, team, options)
    losses = state.resume(run)
    started = saved = time.monotonic()
    network.train()
    first = state.step
    with open(run.losses, "a", encoding="utf-8") if team.leads else nullcontext() as file:
        for images, labels in batches(dataset, protocol, team, options, first):
            loss = state.advance(images, labels)
            losses.append(loss)
            epoch, within = divmod(state.step, protocol.iterations)
            now = time.monotonic()
            over = options.max_minutes is not None and team.any(now - started > 60 * options.max_minutes)
            if file is not None:
                file.write(json.dumps({"step": state.step, "loss": loss}) + "\n")
                on_step(state.step, loss)
                if over or state.step == protocol.steps or now - saved > 60 * options.save_minutes:
                    file.flush()
                    save_checkpoint(run, state.as_dict())
                    saved = now
                if within == 0:
                    on_epoch(epoch, sum(losses[-protocol.iterations:]) / protocol.iterations, network)
            if over:
                break
    team.wait()
    return state.step >= protocol.steps


class TrainingState:
    """Everything that a checkpoint holds, and the step that changes it."""

    def __init__(self, network: UNet, protocol: TrainingProtocol, team: Team, options: TrainerOptions) -> None:
        self.network = network.to(team.device)
        if not network.spec.window:  # torch trains channels-last 3D no faster
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not declared by torch
            if team.device.type == "cpu":
                _normalise_slices_alone(self.network)
        self._protocol, self._team = protocol, team
        self._dtype = getattr(torch, options.precision)
        levels = _Levels(self.network)
        self._levels = DistributedDataParallel(levels, find_unused_parameters=True) if team.size > 1 else levels
        self._optimiser = torch.optim.SGD(network.parameters(), lr=protocol.learning_rate, momentum=protocol.momentum,
                                          nesterov=protocol.nesterov, weight_decay=protocol.weight_decay, fused=True)
        self._scaler = torch.amp.GradScaler(team.device.type, enabled=self._dtype == torch.float16)
        self.step = 0

    def resume(self, run: RunFolder) -> list[float]:
        """Take over the run's newest checkpoint; return the losses so far."""
        saved = load_checkpoint(run)
        if saved is not None:
            self.network.load_state_dict(saved["network"])
            self._optimiser.load_state_dict(saved["optimiser"])
            self._scaler.load_state_dict(saved["scaler"])
            self.step = saved["step"]
        self._team.wait()
        return keep_losses(run, self.step) if self._team.leads else []

    def as_dict(self) -> Checkpoint:
        """Return what `resume` takes over."""
        return {"step": self.step, "network": self.network.state_dict(), "optimiser": self._optimiser.state_dict(),
                "scaler": self._scaler.state_dict()}

    def advance(self, images: torch.Tensor, labels: torch.Tensor) -> float:
        """One optimiser step; returns the loss over all processes."""
        team, protocol = self._team, self._protocol
        images, labels = (part.to(team.device, non_blocking=True) for part in (images, labels))
        for group in self._optimiser.param_groups:
            group["lr"] = protocol.rate(self.step)
        with torch.autocast(team.device.type, self._dtype, enabled=self._dtype != torch.float32):
            levels = self._levels(images)
        loss = segmentation_loss(levels, labels, sum_over_processes=team.differentiable_sum)
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self._optimiser)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), protocol.clip_norm)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return (team.sum(loss.detach()) / team.size).item()


def _normalise_slices_alone(module: nn.Module) -> None:
    """Put `_SliceNorm` with the same parameters in the place of every instance normalisation."""
    for name, child in module.named_children():
        if type(child) is nn.InstanceNorm2d:
            norm = _SliceNorm(child.num_features, child.eps, affine=child.affine)
            norm.weight, norm.bias = child.weight, child.bias
            setattr(module, name, norm)
        else:
            _normalise_slices_alone(child)


def batches(dataset: SliceDataset, protocol: TrainingProtocol, team: Team, options: TrainerOptions,
            first: int) -> DataLoader[tuple[torch.Tensor, torch.Tensor]]:
    """This process's part of every batch from step `first` on."""
    share = protocol.batch // team.size
    numbers = (step * protocol.batch + team.rank * share + i for step in range(first, protocol.steps)
               for i in range(share))
    return DataLoader(dataset, batch_size=share, sampler=_Numbers(numbers), num_workers=options.workers,
                      pin_memory=team.device.type == "cuda", worker_init_fn=_one_thread,
                      prefetch_factor=4 if options.workers else None)


class _Numbers(torch.utils.data.Sampler[int]):
    """Hand out the given numbers, once."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = numbers

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
