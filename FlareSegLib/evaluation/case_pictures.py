"""Pictures of single cases: worst results with overlays, z-isotropification, simulated diseases, organs in 3D.

Needs matplotlib. All arrays are in axial orientation (superior, posterior, left).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from ..arrays import Mask
from ..disease.case import LABEL_OF
from ..organs import Organ
from ..preprocessing.isotropic import plan_z, slice_weights
from ..results.views import Cut, Views, body_box, draw_cut, windowed
from ..volumes.volume import Volume
from .disease_examples import DiseaseExample
from .scene3d import VIEWS, render

if TYPE_CHECKING:
    from PIL.Image import Image

PIXELS_PER_MM = 1.6
MARGIN_MM = 25.0
EMPTY_HU = -110.0

WINDOW_MM = 170.0
TINT = 0.35
#: Coronal and sagittal cuts are shown from this height on, relative to the axial one.
LEAST_HEIGHT = 0.3

#: Part of the coronal cut that shows what isotropification does: width and height, mm.
DETAIL_MM = (170.0, 120.0)

#: What the row of differences tells apart.
DIFFERENCES = {"missed": (235, 45, 45), "too much": (60, 140, 245), "another organ": (225, 75, 215)}


@dataclass(frozen=True)
class CaseImages:
    """One case with its labels 1 to n for the n organs.

    Attributes
    ----------
    case : str
        Its name.
    ct : Volume or None
        HU; None where no image was given.
    prediction, reference : Volume
        uint8, on the CT's grid.
    """

    case: str
    ct: Volume | None
    prediction: Volume
    reference: Volume

    @property
    def views(self) -> tuple[Views, Views]:
        """Cuts with the reference and with the prediction, cropped to the body and to the organs along z."""
        ct = self.ct or self.reference.with_array(np.full(self.reference.array.shape, EMPTY_HU, np.float32))
        box = self._box()
        shown = Volume(ct.array[box], ct.spacing)
        return Views(shown, self.reference.array[box]), Views(shown, self.prediction.array[box])

    def _box(self) -> tuple[slice, slice, slice]:
        anything = np.maximum(self.prediction.array, self.reference.array) > 0
        organs = [_widened(np.flatnonzero(anything.any(axis=others)), anything.shape[axis],
                           self.reference.spacing[2 - axis])
                  for axis, others in enumerate(((1, 2), (0, 2), (0, 1)))]
        return (organs[0], *(body_box(self.ct) if self.ct is not None else organs[1:]))


def worst_case_figure(images: CaseImages, organs: tuple[Organ, ...]) -> Figure:
    """Reference, prediction and their difference in the axial, coronal and sagittal plane with most of it.

    Of a thin slab only the axial plane is shown.
    """
    reference, prediction = images.views
    wrong = reference.labels != prediction.labels
    if not wrong.any():
        wrong = reference.labels > 0
    planes = {name: int(np.argmax(np.count_nonzero(wrong, axis=others)))
              for name, others in (("axial", (1, 2)), ("coronal", (0, 2)), ("sagittal", (0, 1)))}
    if reference.coronal(0).size_mm[0] < LEAST_HEIGHT * reference.axial(0).size_mm[0]:
        planes = {"axial": planes["axial"]}
    cuts = [[getattr(view, name)(plane) for name, plane in planes.items()] for view in (reference, prediction)]
    rows = [[_overlay(cut, organs) for cut in row] for row in cuts]
    rows.append([_difference(truth, found) for truth, found in zip(*cuts)])
    names = "reference", "prediction", "difference"
    if len(planes) == 1:  # one plane: side by side
        canvas = _grid([[row[0] for row in rows]], (*planes,), names)
    else:
        canvas = _grid(rows, names, (*planes,))
    colours = {**{organ.name: organ.colour for organ in organs}, **DIFFERENCES}
    _legend(canvas, colours)
    return canvas


def worst_organs_figure(cases: list[tuple[Organ, CaseImages, float]], organs: tuple[Organ, ...]) -> Figure:
    """Each organ's worst case: the axial plane with most of its difference, reference above prediction.

    Parameters
    ----------
    cases : list of tuple
        Organ, the case with its lowest Dice, and that Dice.
    organs : tuple of Organ
        All organs, for the outlines.
    """
    columns, headings = [], []
    for organ, images, dice in cases:
        views = images.views
        masks = [view.labels == organ.label for view in views]
        wrong = masks[0] != masks[1] if (masks[0] != masks[1]).any() else masks[0]
        plane = int(np.argmax(np.count_nonzero(wrong, axis=(1, 2))))
        window = _window(wrong[plane], views[0].ct.spacing)
        columns.append([_overlay(_cropped(view.axial(plane), window), organs) for view in views])
        headings.append(f"{organ.name}: Dice {100 * dice:.1f} %\n{images.case}")
    canvas = _grid([list(row) for row in zip(*columns)], ("reference", "prediction"), headings)
    _legend(canvas, {organ.name: organ.colour for organ in organs})
    return canvas


def disease_figure(examples: tuple[DiseaseExample, ...], organs: tuple[Organ, ...]) -> Figure:
    """Each disease's most telling axial plane, before above after, with the organs' outlines."""
    numbered = tuple(replace(organ, label=LABEL_OF[organ.name]) for organ in organs if organ.name in LABEL_OF)
    columns = []
    for example in examples:
        before, after, plane = example.before, example.after, example.plane
        window = _window(before.hu[plane] != after.hu[plane], before.grid.spacing)
        columns.append([draw_cut(_cropped(Views(Volume(case.hu, case.grid.spacing), case.labels).axial(plane), window),
                                 numbered, PIXELS_PER_MM) for case in (before, after)])
    canvas = _grid([list(row) for row in zip(*columns)], ("before", "after"), [example.title for example in examples])
    _legend(canvas, {organ.name: organ.colour for organ in numbered})
    return canvas


def isotropic_figure(ct: Volume) -> tuple[Figure, int, int]:
    """A coronal cut as it is stored and after z-isotropification, and the number of slices before and after.

    Parameters
    ----------
    ct : Volume
        In axial orientation.
    """
    i_mm, _, k_mm = ct.spacing
    rows, columns = body_box(ct)
    stored = ct.array[:, (rows.start + rows.stop) // 2, columns].astype(np.float32)
    plan = plan_z(ct.array.shape[0], k_mm, i_mm)
    made = np.stack([weights @ stored[indices] for indices, weights in
                     (slice_weights(plan, index) for index in range(plan.isotropic))])
    extent = stored.shape[1] * i_mm, stored.shape[0] * k_mm
    detail = [min(whole, part) for whole, part in zip(extent, DETAIL_MM)]
    canvas = Figure(figsize=(9.0, 4.5 * detail[1] / detail[0] + 0.7), layout="constrained")
    pictures = ((f"stored: {plan.stored} slices, {k_mm:.2f} mm", stored),
                (f"isotropic: {plan.isotropic} slices, {i_mm:.2f} mm", made))
    for axes, (title, cut) in zip(canvas.subplots(1, 2), pictures):
        axes.imshow(windowed(cut[::-1]), cmap="gray", interpolation="nearest", extent=(0, extent[0], 0, extent[1]))
        axes.set_xlim(extent[0] * 0.3 - detail[0] / 2, extent[0] * 0.3 + detail[0] / 2)
        axes.set_ylim((extent[1] - detail[1]) / 2, (extent[1] + detail[1]) / 2)
        axes.set_title(title, fontsize=10)
        axes.set_axis_off()
    return canvas, plan.stored, plan.isotropic


def scene_figure(images: CaseImages, organs: tuple[Organ, ...]) -> Figure | None:
    """Reference above prediction in 3D; None where VTK is missing or cannot draw."""
    picture = render(images.reference.array, images.prediction.array, images.reference.spacing, organs)
    if picture is None:
        return None
    height, width = picture.shape[0] // 2, picture.shape[1] // len(VIEWS)
    rows = [[picture[row * height:(row + 1) * height, column * width:(column + 1) * width]
             for column in range(len(VIEWS))] for row in range(2)]
    canvas = _grid(rows, ("reference", "prediction"), tuple(VIEWS))
    _legend(canvas, {organ.name: organ.colour for organ in organs})
    return canvas


def widest_gap(images: list[CaseImages]) -> Volume | None:
    """The CT whose slices are furthest apart relative to its pixels, None where there is no CT."""
    volumes = [each.ct for each in images if each.ct is not None]
    return max(volumes, key=lambda ct: ct.spacing[2] / ct.spacing[0], default=None)


def _overlay(cut: Cut, organs: tuple[Organ, ...]) -> Image:
    """The cut with its organs outlined and tinted."""
    picture = draw_cut(cut, organs, PIXELS_PER_MM)
    for organ in organs:
        _tint(picture, cut.labels == organ.label, organ.colour, TINT)
    return picture


def _difference(truth: Cut, found: Cut) -> Image:
    """The cut in grey, tinted where prediction and reference differ."""
    picture = draw_cut(truth, (), PIXELS_PER_MM)
    masks = ((truth.labels > 0) & (found.labels == 0), (truth.labels == 0) & (found.labels > 0),
             (truth.labels > 0) & (found.labels > 0) & (truth.labels != found.labels))
    for mask, colour in zip(masks, DIFFERENCES.values()):
        _tint(picture, mask, colour, 0.8)
    return picture


def _tint(picture: Image, mask: Mask, colour: tuple[int, int, int], opacity: float) -> None:
    from PIL.Image import Resampling, fromarray

    alpha = fromarray(mask.astype(np.uint8) * round(255 * opacity))
    picture.paste(colour, mask=alpha.resize(picture.size, Resampling.NEAREST))


def _window(wrong: Mask, spacing: tuple[float, float, float]) -> tuple[slice, slice]:
    """Rows and columns of a square of `WINDOW_MM` around the difference, within the picture."""
    window = []
    for axis, mm in ((0, spacing[1]), (1, spacing[0])):
        size, wanted = wrong.shape[axis], min(wrong.shape[axis], round(WINDOW_MM / mm))
        filled = np.flatnonzero(wrong.any(axis=1 - axis))
        middle = (filled[0] + filled[-1]) // 2 if filled.size else size // 2
        start = int(np.clip(middle - wanted // 2, 0, size - wanted))
        window.append(slice(start, start + wanted))
    return window[0], window[1]


def _cropped(cut: Cut, window: tuple[slice, slice]) -> Cut:
    return Cut(cut.hu[window], cut.labels[window], cut.pixel_mm)


def _grid(rows: Sequence[Sequence[Image | np.ndarray]], names: Iterable[str], headings: Iterable[str]) -> Figure:
    """Pictures in rows and columns, on one scale within a row."""
    sizes = [np.asarray(picture).shape[:2] for picture in rows[0]]
    widths = [columns for _, columns in sizes]
    heights = [max(np.asarray(picture).shape[0] for picture in row) for row in rows]
    inch = 9.6 / sum(widths)
    canvas = Figure(figsize=(9.9, sum(heights) * inch + 0.9),
                    layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.05, wspace=0.0, hspace=0.0))
    grid = canvas.subplots(len(rows), len(widths), squeeze=False,
                           gridspec_kw={"width_ratios": widths, "height_ratios": heights})
    for axes_row, row, name in zip(grid, rows, names):
        for axes, picture in zip(axes_row, row):
            axes.imshow(np.asarray(picture))
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_visible(False)
        axes_row[0].set_ylabel(name, fontsize=10)
    for axes, heading in zip(grid[0], headings):
        axes.set_title(heading, fontsize=9)
    return canvas


def _legend(canvas: Figure, colours: dict[str, tuple[int, int, int]]) -> None:
    canvas.legend(handles=[Patch(color="#" + bytes(colour).hex(), label=name)
                           for name, colour in colours.items()],
                  loc="outside lower center", ncols=len(colours), frameon=False, fontsize=9)


def _widened(filled: np.ndarray, size: int, mm: float) -> slice:
    if not filled.size:
        return slice(0, size)
    margin = round(MARGIN_MM / mm)
    return slice(max(0, int(filled[0]) - margin), min(size, int(filled[-1]) + 1 + margin))
