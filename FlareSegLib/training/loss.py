"""Dice + cross-entropy with deep supervision, for labels that may lack an organ.

nnU-Net's loss (Isensee et al. 2021): batch Dice without background plus mean cross-entropy, summed over
decoder levels with halving weights. Where a case's labels leave an organ out, its background means
"background or that organ": both probabilities are merged there and the organ's Dice skips the case.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

IGNORE = 255
DICE_SMOOTH = 1e-5

Sum = Callable[[torch.Tensor], torch.Tensor]


def level_weights(levels: int) -> list[float]:
    """Deep-supervision weights, finest first: halving, the coarsest level zero, sum one.

    For the paper's seven levels: 0.5079, 0.2540, 0.1270, 0.0635, 0.0317, 0.0159, 0.
    """
    raw = [0.5**level for level in range(levels - 1)] + [0.0] if levels > 1 else [1.0]
    return [weight / sum(raw) for weight in raw]


def segmentation_loss(levels: list[torch.Tensor], labels: torch.Tensor, unlabelled: torch.Tensor | None = None,
                      sum_over_processes: Sum = lambda value: value) -> torch.Tensor:
    """Return the loss of one batch.

    Parameters
    ----------
    levels : list of torch.Tensor
        Logits (slices, classes, rows, columns) of each decoder level, finest first; of a 3D network (windows, classes,
        slices, rows, columns), and all else accordingly.
    labels : torch.Tensor
        int64 (slices, rows, columns) on the finest grid; 255 is ignored.
    unlabelled : torch.Tensor, optional
        bool (slices, classes): classes that the slice's labels leave out; by default none.
    sum_over_processes : callable
        Where several processes share a batch: the differentiable sum of a tensor over all of them.
    """
    total = levels[0].new_zeros(())
    for level, weight in enumerate(level_weights(len(levels))):
        if weight:
            steps = [fine // coarse for fine, coarse in zip(labels.shape[1:], levels[level].shape[2:])]
            target = labels[(slice(None), *(slice(None, None, step) for step in steps))]
            total = total + weight * _dice_and_cross_entropy(levels[level].float(), target, unlabelled,
                                                            sum_over_processes)
    return total


def _dice_and_cross_entropy(logits: torch.Tensor, labels: torch.Tensor, unlabelled: torch.Tensor | None,
                            sum_over_processes: Sum) -> torch.Tensor:
    log_p = F.log_softmax(logits, dim=1)
    known = labels != IGNORE
    target = torch.where(known, labels, 0)
    picked = log_p.gather(1, target[:, None])[:, 0]
    if unlabelled is not None:
        background = torch.cat((log_p[:, :1], _masked(log_p[:, 1:], unlabelled[:, 1:])), dim=1).logsumexp(dim=1)
        picked = torch.where(target == 0, background, picked)
    cross_entropy = -(picked * known).sum() / known.sum().clamp(min=1)

    p = log_p[:, 1:].exp() * known[:, None]
    space = tuple(range(2, logits.ndim))
    classes = torch.arange(1, logits.shape[1], device=labels.device)
    truth = labels[:, None] == classes.reshape(-1, *(1 for _ in space))
    overlap, size = ((part if unlabelled is None else part * ~unlabelled[:, 1:]).sum(dim=0)
                     for part in ((p * truth).sum(dim=space), p.sum(dim=space) + truth.sum(dim=space)))
    overlap, size = sum_over_processes(overlap), sum_over_processes(size)
    dice = (2 * overlap + DICE_SMOOTH) / (size + DICE_SMOOTH)
    return cross_entropy + 1 - dice.mean()


def _masked(log_p: torch.Tensor, unlabelled: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of the unlabelled classes; minus infinity (a finite stand-in) for the others."""
    return torch.where(unlabelled.reshape(*unlabelled.shape, *(1,) * (log_p.ndim - 2)), log_p, log_p.new_tensor(-1e4))
