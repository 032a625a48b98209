"""The processes that train together: torch's distributed engine, started by ``torchrun``; one process without it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist

from ..errors import FlareSegError

Made = TypeVar("Made")

PATIENCE = timedelta(days=1)  # the others wait while the first one checks and stores the data


@dataclass(frozen=True)
class Team:
    """This process's place among those that train together.

    Attributes
    ----------
    rank, size : int
        Number of this process, from 0, and of all.
    device : torch.device
        Where it trains.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """True in the one process that writes files and talks to the user."""
        return self.rank == 0

    def first(self, work: Callable[[], Made]) -> Made:
        """Run ``work()`` in the leading process, then in the others; what it made is there by then."""
        if self.leads:
            made = work()
            self.wait()
            return made
        self.wait()
        return work()

    def wait(self) -> None:
        """Return when all have come here."""
        if self.size > 1:
            dist.barrier()

    def any(self, flag: bool) -> bool:
        """True in all processes where it is in one."""
        return bool(self.sum(torch.tensor(float(flag), device=self.device)))

    def sum(self, value: torch.Tensor) -> torch.Tensor:
        """The sum over all processes."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def differentiable_sum(self, value: torch.Tensor) -> torch.Tensor:
        """The sum over all processes; gradients flow back to each of them."""
        if self.size == 1:
            return value
        from torch.distributed.nn.functional import all_reduce

        return all_reduce(value)


@contextmanager
def join_team(device: str = "auto") -> Iterator[Team]:
    """Join the processes that ``torchrun`` started, or be alone.

    Parameters
    ----------
    device : str
        "auto", "cuda" or "cpu"; each process takes the GPU of its own local rank.

    Raises
    ------
    FlareSegError
        "device_unavailable".
    """
    size, rank, local = (int(os.environ.get(name, default)) for name, default in
                         (("WORLD_SIZE", 1), ("RANK", 0), ("LOCAL_RANK", 0)))
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and local >= torch.cuda.device_count():
        raise FlareSegError("device_unavailable", f"Process {local} on this machine finds no GPU of its own "
                                                  f"({torch.cuda.device_count()} there); start fewer or use --device "
                                                  "cpu.")
    place = torch.device(f"cuda:{local}" if device == "cuda" else device)
    if size == 1:
        yield Team(0, 1, place)
        return
    if device == "cuda":
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Team(rank, size, place)
    finally:
        dist.destroy_process_group()
