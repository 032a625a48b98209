"""The paper's training protocol in numbers.

Witanto et al. (MICCAI FLARE21, 2021), section 2 and Tables 2 and 3, with nnU-Net v1's defaults where the paper
names only nnU-Net (Isensee et al., Nature Methods 2021; trainer nnUNetTrainerV2).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingProtocol:
    """What a training does; the defaults are the paper's.

    Attributes
    ----------
    grid : tuple of int
        Rows and columns of a training slice; the whole slice is meant to fit, nothing is cropped then.
    batch : int
        Slices a step, over all processes together.
    forced_foreground : int
        How many of them hold an organ for sure (the last ones of each batch; a third, as nnU-Net oversamples).
    epochs, iterations : int
        1000 epochs of 250 steps. An epoch is no pass over the data, as slices are drawn with replacement.
    learning_rate, poly_power : float
        ``learning_rate * (1 - epoch / epochs) ** poly_power``, constant within an epoch.
    momentum, nesterov, weight_decay, clip_norm
        Of stochastic gradient descent; gradients are clipped to this norm.
    seed : int
        Of the initial weights and, with step and place in the batch, of every slice drawn and its augmentation.
    """

    grid: tuple[int, int] = (512, 512)
    batch: int = 12
    forced_foreground: int = 4
    epochs: int = 1000
    iterations: int = 250
    learning_rate: float = 0.01
    poly_power: float = 0.9
    momentum: float = 0.99
    nesterov: bool = True
    weight_decay: float = 3e-5
    clip_norm: float = 12.0
    seed: int = 0

    @property
    def steps(self) -> int:
        """Optimiser steps from beginning to end."""
        return self.epochs * self.iterations

    def rate(self, step: int) -> float:
        """Learning rate of a step.

        Examples
        --------
        >>> PAPER_PROTOCOL.rate(0), round(PAPER_PROTOCOL.rate(125_000), 6)
        (0.01, 0.005359)
        """
        return self.learning_rate * (1 - step // self.iterations / self.epochs) ** self.poly_power

    def is_forced(self, place: int) -> bool:
        """Whether the slice at this place of the batch (from 0) is drawn for an organ."""
        return place >= self.batch - self.forced_foreground


PAPER_PROTOCOL = TrainingProtocol()
