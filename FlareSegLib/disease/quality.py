"""The gate that a simulated case has to pass, reported as figures with their limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ..arrays import Floats, Mask
from .block import Change
from .case import LABEL_OF, UNKNOWN, Box, Case
from .operation import BACKGROUND, Operation
from .scan import residual_sd
from .scene import Scene

CONTRAST_TOLERANCE_HU = 5.0
NOISE_RATIO = (0.8, 1.25)
#: An edge may be this much sharper than the scan's point spread; the measurement itself has about half of it.
SHARPEST_EDGE = 0.75
#: Below this a displacement is as good as folded.
SMALLEST_JACOBIAN = 0.01
#: Larger parts that an organ may fall into, beyond those it had.
MOST_NEW_PIECES = 2

CORE_COVER = 0.99
FEWEST_CORE_VOXELS = 20
FEWEST_NOISE_VOXELS = 300
FEWEST_EDGE_VOXELS = 40
#: Slices, rows and columns of noise that the scan's own is measured on.
NOISE_SAMPLE = (5, 80, 80)
#: Noise is compared where HU are those of tissue and fluid: metal, stones and gas have hardly any of their own.
TISSUE_HU = (-200.0, 300.0)


@dataclass(frozen=True)
class Finding:
    """One figure and its limits.

    Attributes
    ----------
    name : str
        What was measured.
    value : float or None
        None: it cannot be measured here (a lesion of a few voxels), which counts as passed.
    low, high : float or None
        What is accepted; None: no limit.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the value lies within its limits."""
        return self.value is None or ((self.low is None or self.value >= self.low)
                                      and (self.high is None or self.value <= self.high))


@dataclass(frozen=True)
class Verdict:
    """All findings of a simulated case.

    Attributes
    ----------
    operations : tuple of tuple of Finding
        One tuple for each operation, in order.
    case : tuple of Finding
        What holds for the case as a whole.
    """

    operations: tuple[tuple[Finding, ...], ...]
    case: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether everything is within its limits."""
        return not self.faults

    @property
    def faults(self) -> tuple[str, ...]:
        """A short line for each finding beyond its limits."""
        numbered = [(f"operation {number + 1}: ", finding) for number, findings in enumerate(self.operations)
                    for finding in findings]
        return tuple(f"{where}{finding.name} is {finding.value:g}, accepted are {_limits(finding)}"
                     for where, finding in (*numbered, *(("", finding) for finding in self.case)) if not finding.passed)


def _limits(finding: Finding) -> str:
    if finding.low is None or finding.high is None:
        return f"up to {finding.high:g}" if finding.low is None else f"{finding.low:g} and more"
    return f"{finding.low:g} to {finding.high:g}"


@dataclass(frozen=True)
class Contrast:
    """HU of a lesion's core over its organ's median before the operation: asked for, and found in the image."""

    requested: float
    achieved: float


def contrast(scene: Scene, operation: Operation, change: Change) -> Contrast | None:
    """What contrast a lesion was meant to have and has; None where it has no core of its own.

    A lesion in the tissue's place must have the HU that were wanted. One that is laid over the tissue keeps its
    unevenness (lighter and darker parts, a lesion that was there before): there it is the difference to what was there
    before that must be right. The smaller of the two errors counts. Medians: a vessel in the core does not count.

    Parameters
    ----------
    scene : Scene
        Before the operation.
    """
    core = _core(change)
    if core is None or np.count_nonzero(core) < FEWEST_CORE_VOXELS:
        return None
    assert change.wanted is not None and change.cover is not None, "there is a core"
    wanted = change.wanted[core]
    organ = scene.organ(operation.organ).median if operation.organ else 0.0
    requested = float(np.mean(wanted, dtype=float)) - organ
    before = scene.case.hu[change.box][core].astype(np.float32)
    # The hundredth that a core's voxel may hold of something else is 10 HU of a stone or of gas.
    in_place = float(np.median(change.hu[core] - wanted - (1 - change.cover[core]) * (before - wanted)))
    gained = change.hu[core].astype(np.float32) - before
    laid_over = float(np.median(gained - (wanted - np.float32(organ))))
    return Contrast(requested, requested + min(in_place, laid_over, key=abs))


def _core(change: Change) -> Mask | None:
    return None if change.cover is None else change.cover > CORE_COVER


def judge_operation(scene: Scene, operation: Operation, change: Change) -> tuple[Finding, ...]:
    """Measure what one operation did.

    Parameters
    ----------
    scene : Scene
        Before the operation.

    Returns
    -------
    tuple of Finding
        "contrast error" (HU), "noise ratio" (SD in the lesion over SD in its organ), "edge width" (sigma over that of
        the scan's point spread), "smallest jacobian".
    """
    found = contrast(scene, operation, change)
    error = None if found is None else found.achieved - found.requested
    return (Finding("contrast error", _rounded(error), -CONTRAST_TOLERANCE_HU, CONTRAST_TOLERANCE_HU),
            Finding("noise ratio", _rounded(_noise_ratio(scene, operation, change)), *NOISE_RATIO),
            Finding("edge width", _rounded(_edge_over_psf(scene, change)), SHARPEST_EDGE),
            Finding("smallest jacobian", _rounded(change.jacobian), SMALLEST_JACOBIAN))


def _noise_ratio(scene: Scene, operation: Operation, change: Change) -> float | None:
    """SD of what is left of the lesion's core without its wanted HU, over that of its organ.

    A lesion that was added to its organ keeps the structure that was there, one that takes its place has the scan's
    noise alone; 1 for all between the two.
    """
    core = _core(change)
    if core is None or not operation.organ:
        return None
    core = ndimage.binary_erosion(core, np.ones((1, 3, 3)))
    if np.count_nonzero(core) < FEWEST_NOISE_VOXELS:
        return None
    assert change.wanted is not None, "there is a core"
    if not TISSUE_HU[0] <= float(np.mean(change.wanted[core])) <= TISSUE_HU[1]:
        return None
    organ = scene.organ(operation.organ)
    case, spacing = scene.case, scene.case.grid.spacing
    own = residual_sd(case.hu[organ.box].astype(np.float32), case.labels[organ.box] == organ.label, spacing)
    sample = scene.noise(operation.organ).sample(NOISE_SAMPLE, 0)
    alone = residual_sd(sample, np.ones(NOISE_SAMPLE, bool), spacing)
    there = residual_sd(case.hu[change.box].astype(np.float32), core, spacing)
    here = residual_sd(change.hu - change.wanted, core, spacing)
    usual = float(np.clip(here, min(own, alone), max(own, alone, there)))
    return here / usual if usual > 0 else None


def _edge_over_psf(scene: Scene, change: Change) -> float | None:
    sigma = None if change.cover is None or change.contrast_changed else edge_sigma(change.cover,
                                                                                    scene.case.grid.spacing)
    return sigma / scene.psf_mm if sigma is not None and scene.psf_mm > 0 else None


def edge_sigma(cover: Floats, spacing: tuple[float, ...]) -> float | None:
    """Sigma (mm) of the Gaussian that would blur a sharp edge like that of a change, in plane.

    A step blurred by sigma s, F(x / s), has the integral s / sqrt(pi) of F (1 - F) across it and 1 of its slope; so the
    quotient of both over all of an edge tells s, sharp edges (0) included. Only walls that stand upright count: lying
    ones are as blurred as slices are thick.

    Parameters
    ----------
    cover : numpy.ndarray
        0 to 1, (k, j, i).
    spacing : tuple of float
        i, j, k, mm.

    Returns
    -------
    float or None
        None where there are too few such voxels.
    """
    if min(cover.shape) < 3:
        return None
    along_k, along_j, along_i = (np.gradient(cover, mm, axis=axis) for axis, mm in enumerate(reversed(spacing)))
    slope = np.hypot(along_i, along_j)
    upright = slope > 3 * np.abs(along_k)
    surface = float(slope[upright].sum(dtype=float))
    if surface * spacing[0] < FEWEST_EDGE_VOXELS:
        return None
    inside = cover[upright]
    return float(np.sqrt(np.pi) * (inside * (1 - inside)).sum(dtype=float) / surface)


def judge_case(before: Case, after: Case, operations: Iterable[Operation], boxes: Iterable[Box]) -> tuple[Finding, ...]:
    """Measure what holds for a case whatever was done to it.

    Parameters
    ----------
    before, after : Case
        The source and the result.
    operations : iterable of Operation
        All of them, compositions resolved.
    boxes : iterable of Box
        Where they said that they worked.
    """
    same = (before.hu == after.hu) & (before.labels == after.labels)
    for box in boxes:
        same[box] = True
    outside = int(same.size - np.count_nonzero(same))
    before_count, after_count = (np.bincount(case.labels.ravel(), minlength=256) for case in (before, after))
    strange = int(after_count.sum() - after_count[[0, UNKNOWN, *LABEL_OF.values()]].sum())
    removed = {operation.organ for operation in operations if operation.label_rule == BACKGROUND}
    lost = sum(1 for name, label in LABEL_OF.items()
               if before_count[label] and not after_count[label] and name not in removed)
    pieces = max((_pieces(after, label) - _pieces(before, label) for name, label in LABEL_OF.items()
                  if before_count[label] and after_count[label] and name not in removed), default=0)
    unknown = int(np.count_nonzero((before.labels == UNKNOWN) != (after.labels == UNKNOWN)))
    counts = {"voxels changed elsewhere": outside, "voxels of strange labels": strange,
              "voxels of unknown organ changed": unknown, "organs lost": lost}
    return (*(Finding(name, float(count), 0.0, 0.0) for name, count in counts.items()),
            Finding("new pieces of an organ", float(max(0, pieces)), 0.0, float(MOST_NEW_PIECES)))


def _pieces(case: Case, label: int) -> int:
    """Connected parts of an organ that hold a hundredth of it; on every second pixel, which is enough for those."""
    thin = case.labels[:, ::2, ::2] == label
    box = ndimage.find_objects(thin.view(np.uint8))[0] if thin.any() else None
    if box is None:
        return 0
    parts, _ = ndimage.label(thin[box], np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())[1:]
    return int(np.count_nonzero(sizes >= 0.01 * sizes.sum()))


def hardness(change: Change, predicted: np.ndarray) -> float | None:
    """Share of a lesion that a model still gives the label that is right, 0 to 1: how hard it is not.

    Parameters
    ----------
    predicted : numpy.ndarray
        Label map (k, j, i) of the whole case, by any model.

    Returns
    -------
    float or None
        None where the change is no lesion, or one that belongs to no organ.
    """
    if change.cover is None:
        return None
    lesion = (change.cover >= 0.5) & np.isin(change.labels, list(LABEL_OF.values()))
    if not lesion.any():
        return None
    return float(np.mean(predicted[change.box][lesion] == change.labels[lesion]))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)
