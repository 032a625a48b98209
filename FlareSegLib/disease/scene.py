"""What is known of a case before a disease is put into it; each thing is measured once, when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from scipy import ndimage

from ..errors import FlareSegError
from .block import Block, Change
from .case import LABEL_OF, Box, Case, Vector, extent
from .coarse import coarse_steps, thin_out
from .scan import NoiseModel, OrganMeasure, estimate_phase, measure_noise, measure_organ, measure_psf

Found = TypeVar("Found")

#: Pieces of an organ smaller than this are no organ of their own: islands of a label map.
SMALLEST_PIECE_ML = 5.0
#: Noise differs by no more than this between organs of one scan.
LOUDEST = 1.25
NODE_MM = 2.5


@dataclass(frozen=True)
class Depth:
    """How deep in an organ a point lies, on the nodes of a coarse grid.

    Attributes
    ----------
    box : tuple of slice
        k, j, i of the case.
    steps : tuple of int
        Voxels between nodes.
    mm : numpy.ndarray
        float32 (nodes along k, j, i): distance to the organ's surface, positive inside.
    """

    box: Box
    steps: tuple[int, ...]
    mm: np.ndarray


@dataclass(frozen=True)
class Piece:
    """One connected part of an organ: a kidney of the two.

    Attributes
    ----------
    box : tuple of slice
        k, j, i of the case.
    side : str
        "left" or "right" of the body's middle (the patient's own sides).
    centre : tuple of float
        LPS, mm.
    volume_ml : float
    """

    box: Box
    side: str
    centre: tuple[float, ...]
    volume_ml: float


class Scene:
    """A case with what can be measured in it: organs, contrast phase, noise and point spread.

    Parameters
    ----------
    case : Case
    known : dict
        What has been measured already, from `known_after`.

    Notes
    -----
    Everything is a function of the case and of the changes that led to it (`after`), so that the same operations
    give the same voxels whenever they are applied.
    """

    def __init__(self, case: Case, known: dict[object, Any] | None = None) -> None:
        self.case = case
        self.known: dict[object, Any] = {} if known is None else known

    def _once(self, key: object, measure: Callable[[], Found]) -> Found:
        if key not in self.known:
            self.known[key] = measure()
        found: Found = self.known[key]
        return found

    @property
    def psf_mm(self) -> float:
        """Sigma of the scan's in-plane point spread, mm."""
        return self._once("psf", lambda: measure_psf(self.case.hu, self.case.grid.spacing))

    @property
    def phase(self) -> str:
        """"native", "arterial", "portal" or "excretory"."""
        return self._once("phase", self._estimate_phase)

    def measure_what_lasts(self) -> None:
        """Measure now what changes hand on to the scenes after them (see `after`).

        Otherwise what is asked for first would decide whether blur, noise and phase are those of this case or of a
        later one, and the same operations would not always give the same voxels.
        """
        _ = self.psf_mm, self.phase, self.middle_x
        self._once("noise", self._measure_noise)

    def _estimate_phase(self) -> str:
        organs = {name: self.organ(name) for name in LABEL_OF if self.has(name)}
        kidney = organs.get("kidney")
        return estimate_phase({name: organ.median for name, organ in organs.items()},
                              (kidney.p25, kidney.p75, kidney.p95) if kidney else None)

    def has(self, organ: str) -> bool:
        """Whether the label map holds an organ."""
        return self._boxes.get(organ) is not None

    @property
    def _boxes(self) -> dict[str, Box | None]:
        return self._once("boxes", self._find_boxes)

    def _find_boxes(self) -> dict[str, Box | None]:
        found = ndimage.find_objects(self.case.labels, max_label=max(LABEL_OF.values()))
        return {name: found[label - 1] for name, label in LABEL_OF.items()}

    def organ(self, name: str) -> OrganMeasure:
        """What an organ measures.

        Raises
        ------
        FlareSegError
            "bad_disease_case" where the label map does not hold it.
        """
        if not self.has(name):
            raise FlareSegError("bad_disease_case", f"There is no {name} in this label map; choose another disease.")
        case, label = self.case, LABEL_OF[name]
        box = self._boxes[name]
        assert box is not None, "it has been found"
        return self._once(("organ", name), lambda: measure_organ(case.hu, case.labels, case.grid, label, box))

    def noise(self, name: str) -> NoiseModel:
        """The noise in an organ, at most `LOUDEST` times that of the quietest organ: the rest is its own structure.

        A kidney's cortex and medulla, say, are not to be repeated in a cyst.
        """
        models = self._once("noise", self._measure_noise)
        quietest = min(models.values(), key=lambda model: model.sd)
        loud = models[name].sd > LOUDEST * quietest.sd
        return replace(quietest, sd=LOUDEST * quietest.sd) if loud else models[name]

    def _measure_noise(self) -> dict[str, NoiseModel]:
        case, organs = self.case, [self.organ(name) for name in LABEL_OF if self.has(name)]
        return {organ.name: measure_noise(case.hu, case.labels, case.grid.spacing, organ.label, organ.box)
                for organ in organs}

    def pieces(self, name: str) -> tuple[Piece, ...]:
        """The connected parts of an organ, largest first."""
        return self._once(("pieces", name), lambda: self._find_pieces(name))

    def _find_pieces(self, name: str) -> tuple[Piece, ...]:
        organ, grid = self.organ(name), self.case.grid
        # Every second voxel in plane tells which parts hang together, in a quarter of the time.
        mask = self.case.labels[organ.box][:, ::2, ::2] == organ.label
        parts, _ = ndimage.label(mask, np.ones((3, 3, 3)))
        counts = np.bincount(parts.ravel())[1:] * 4 * grid.voxel_ml
        pieces = []
        for number, box in enumerate(ndimage.find_objects(parts)):
            if counts[number] < SMALLEST_PIECE_ML:
                continue
            whole = tuple(slice(outer.start + scale * inner.start, min(outer.start + scale * inner.stop, outer.stop))
                          for outer, inner, scale in zip(organ.box, box, (1, 2, 2)))
            middle = ndimage.center_of_mass(parts[box] == number + 1)
            centre = grid.point_of([part.start + scale * (inner.start + m) for part, inner, m, scale
                                    in zip(organ.box, box, middle, (1, 2, 2))])
            side = "left" if centre[0] > self.middle_x else "right"
            pieces.append(Piece(whole, side, tuple(centre.tolist()), float(counts[number])))
        return tuple(sorted(pieces, key=lambda piece: -piece.volume_ml))

    @property
    def middle_x(self) -> float:
        """x (LPS, mm) of the body's middle: the median of what is no air in the middle slices."""
        return self._once("middle", self._find_middle)

    def _find_middle(self) -> float:
        hu = self.case.hu
        slab = hu[hu.shape[0] // 3: 2 * hu.shape[0] // 3 + 1: 8, ::4, ::4] > -300
        columns = np.flatnonzero(slab.any(axis=(0, 1)))
        i = 4 * (columns[0] + columns[-1]) / 2 if len(columns) else hu.shape[2] / 2
        return float(self.case.grid.point_of((hu.shape[0] / 2, hu.shape[1] / 2, i))[0])

    def depth(self, name: str, margin_mm: float = 0.0) -> Depth:
        """Distance to an organ's surface, in its box grown by a margin."""
        return self._once(("depth", name, margin_mm), lambda: self._measure_depth(name, margin_mm))

    def _measure_depth(self, name: str, margin_mm: float) -> Depth:
        organ, grid = self.organ(name), self.case.grid
        box = self.grown(organ.box, margin_mm + NODE_MM)
        steps = coarse_steps(grid.spacing, NODE_MM)
        share = thin_out(self.case.labels[box] == organ.label, steps)
        node_mm = [step * mm for step, mm in zip(steps, reversed(grid.spacing))]
        inside = share > 0.5
        distance = ndimage.distance_transform_edt(np.pad(inside, 1), node_mm)[1:-1, 1:-1, 1:-1]
        outside = ndimage.distance_transform_edt(~inside, node_mm)
        # Half a node lies between the last node inside and the surface, more or less by the share that is filled.
        return Depth(box, steps, np.where(inside, distance - min(node_mm) * 0.5, min(node_mm) * 0.5 - outside)
                     .astype(np.float32))

    def grown(self, box: Box, margin_mm: float) -> Box:
        """A box with a margin, as far as the case goes."""
        pads = [int(np.ceil(margin_mm / mm)) for mm in reversed(self.case.grid.spacing)]
        return tuple(slice(max(0, part.start - pad), min(n, part.stop + pad))
                     for part, pad, n in zip(box, pads, self.case.grid.shape))

    def block(self, lower: Vector, upper: Vector, margin_mm: float = 0.0) -> Block:
        """An editable copy of the part between two corners (LPS, mm) and a margin.

        Raises
        ------
        FlareSegError
            "disease_not_placed" where that lies outside the scan.
        """
        box = self.case.grid.box(lower, upper, margin_mm)
        if box is None:
            raise FlareSegError("disease_not_placed", "The place lies outside the scan; choose one inside.")
        return self.block_of(box)

    def block_of(self, box: Box) -> Block:
        """An editable copy of a box."""
        before = self.case.hu[box]
        return Block(self.case.grid, box, before.astype(np.float32), self.case.labels[box].copy(), before, self.psf_mm)

    def label_at(self, point: Vector) -> int:
        """Label value at a point (LPS, mm); 0 outside the scan."""
        index = np.rint(self.case.grid.index_of(point)).astype(int)
        inside = (index >= 0).all() and (index < self.case.grid.shape).all()
        return int(self.case.labels[tuple(index)]) if inside else 0

    def after(self, change: Change, in_place: bool = False) -> Scene:
        """The scene once a change has been made.

        The old one stays as it was, unless it is to be edited `in_place`: whoever asks for that owns its arrays.
        """
        known = self.known_after(change)
        case = self.case if in_place else self.case.with_arrays(self.case.hu.copy(), self.case.labels.copy())
        case.hu[change.box], case.labels[change.box] = change.hu, change.labels
        return Scene(case, known)

    def known_after(self, change: Change) -> dict[object, Any]:
        """What need not be measured again: blur, noise and phase are the scan's, unless all of it was changed."""
        if change.contrast_changed:
            return {}
        lasting: dict[object, Any] = {key: value for key, value in self.known.items()
                                      if key in ("psf", "phase", "middle", "noise")}
        found = {name: extent(change.labels == label) for name, label in LABEL_OF.items()}
        lasting["boxes"] = {name: _box_after(box, found[name], change.box) for name, box in self._boxes.items()}
        touched = {name for name, box in self._boxes.items() if _meet(box, change.box)}
        touched |= {name for name in LABEL_OF if found[name] is not None}
        for (key, value) in self.known.items():
            if isinstance(key, tuple) and key[0] in ("organ", "pieces", "depth") and key[1] not in touched:
                lasting[key] = value
        return lasting


def _box_after(before: Box | None, found: Box | None, changed: Box) -> Box | None:
    """A box that holds all of an organ after a change of the box `changed`, within which it was `found`.

    It may be larger than need be.
    """
    if found is None:
        gone = before is None or all(a.start >= b.start and a.stop <= b.stop for a, b in zip(before, changed))
        return None if gone else before
    inner = tuple(slice(outer.start + part.start, outer.start + part.stop) for outer, part in zip(changed, found))
    return inner if before is None else tuple(slice(min(a.start, b.start), max(a.stop, b.stop))
                                              for a, b in zip(before, inner))


def _meet(box: Box | None, other: Box) -> bool:
    return box is not None and all(a.start < b.stop and b.start < a.stop for a, b in zip(box, other))

