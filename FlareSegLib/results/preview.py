"""One picture that shows whether a segmentation is right: axial cuts, a coronal and a sagittal one, a legend."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from ..organs import Organ
from ..volumes.orientation import to_axial
from ..volumes.volume import Volume
from .measurements import organ_boxes
from .views import WINDOW_LEVEL, WINDOW_WIDTH, Cut, Views, body_box, draw_cut, most_telling_plane
from .writing import atomic_path, check_output

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

PREVIEW_SUFFIXES = (".png",)
AXIAL_CUTS = 12
COLUMNS = 4
TILE_PIXELS = 380
STRIP_PIXELS = (260, 620)
GAP = 6
ORGAN_MARGIN_MM = 30.0

BACKGROUND = (12, 13, 15)
TEXT = (232, 232, 232)
FAINT = (150, 152, 156)
TEXT_PIXELS = 16


@dataclass(frozen=True)
class Montage:
    """Where everything goes: axial tiles in columns, below them a strip for the other cuts and the legend.

    Attributes
    ----------
    rows : int
        Rows of axial tiles.
    tile : tuple of int
        Width and height of an axial tile, pixels.
    strip_height : int
        Height of the strip, pixels.
    strip_scale : float
        Pixels per millimetre of the cuts in the strip.
    """

    rows: int
    tile: tuple[int, int]
    strip_height: int
    strip_scale: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture, pixels."""
        return GAP + COLUMNS * (self.tile[0] + GAP), self.corner(self.rows, 0)[1] + self.strip_height + GAP

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Left and top of a tile; the row after the last one is the strip."""
        return GAP + column * (self.tile[0] + GAP), GAP + row * (self.tile[1] + GAP)


def write_preview(path: str | PathLike[str], ct: Volume, label_map: Volume, organs: tuple[Organ, ...],
                  title: str = "", overwrite: bool = False) -> None:
    """Write the picture as PNG, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        Ends in .png.
    ct, label_map : Volume
        HU and uint8 labels on one grid, in any orientation.
    organs : tuple of Organ
        What to outline.
    title : str
        Heading of the legend. No patient data.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    FlareSegError
        "bad_option", "output_exists", "output_unwritable".
    """
    check_output(path, overwrite, PREVIEW_SUFFIXES)
    picture = draw_preview(ct, label_map, organs, title)
    with atomic_path(path, overwrite) as partial:
        picture.save(partial)


def draw_preview(ct: Volume, label_map: Volume, organs: tuple[Organ, ...], title: str = "") -> Picture:
    """Return the picture as a PIL image; see `write_preview`."""
    from PIL import Image

    axial_ct, labels = to_axial(ct)[0], to_axial(label_map)[0].array
    views = worth_showing(axial_ct, labels, organs)
    planes = axial_planes(*organ_range(views.labels, organs))
    pixels_per_mm = TILE_PIXELS / views.axial(0).size_mm[1]
    montage = _plan(views, len(planes), pixels_per_mm)
    picture = Image.new("RGB", montage.size, BACKGROUND)
    for index, k in enumerate(planes):
        tile = _axial_tile(views, k, organs, pixels_per_mm)
        picture.paste(tile, montage.corner(*divmod(index, COLUMNS)))
    _paste_side_views(picture, montage, views, organs, planes)
    _draw_legend(picture, montage, _organ_volumes(labels, organs, ct.voxel_ml), title)
    return picture


def organ_range(labels: np.ndarray, organs: tuple[Organ, ...]) -> tuple[int, int]:
    """First and last axial plane that hold an organ; the whole stack where there is none."""
    boxes = [box[0] for box in organ_boxes(labels, organs) if box is not None]
    if not boxes:
        return 0, labels.shape[0] - 1
    return min(box.start for box in boxes), max(box.stop for box in boxes) - 1


def axial_planes(first: int, last: int, count: int = AXIAL_CUTS) -> list[int]:
    """Planes spread evenly over first to last, the middles of equal parts, from superior to inferior."""
    middles = first + (np.arange(count) + 0.5) * (last - first + 1) / count - 0.5
    return sorted({int(k) for k in np.clip(np.round(middles), first, last)}, reverse=True)


def worth_showing(ct: Volume, labels: np.ndarray, organs: tuple[Organ, ...]) -> Views:
    """The body in plane; the organs and a margin along z."""
    rows, columns = body_box(ct)
    first, last = organ_range(labels, organs)
    margin = round(ORGAN_MARGIN_MM / ct.spacing[2])
    planes = slice(max(0, first - margin), min(labels.shape[0], last + 1 + margin))
    corner = ct.index_to_physical((columns.start, rows.start, planes.start))
    shown = Volume(ct.array[planes, rows, columns], ct.spacing, tuple(corner.tolist()), ct.direction)
    return Views(shown, labels[planes, rows, columns])


def _plan(views: Views, tiles: int, pixels_per_mm: float) -> Montage:
    """Side views as large as three columns of tiles hold them, within `STRIP_PIXELS`."""
    height_mm, width_mm = views.axial(0).size_mm
    tile = round(width_mm * pixels_per_mm), round(height_mm * pixels_per_mm)
    room = 3 * tile[0] + GAP
    strip_mm = views.coronal(0).size_mm[0]
    scale = min(room / (width_mm + height_mm), STRIP_PIXELS[1] / strip_mm)
    return Montage(-(-tiles // COLUMNS), tile, max(STRIP_PIXELS[0], round(strip_mm * scale)), scale)


def _axial_tile(views: Views, k: int, organs: tuple[Organ, ...], pixels_per_mm: float) -> Picture:
    tile = draw_cut(views.axial(k), organs, pixels_per_mm)
    rows, columns = views.labels.shape[1:]
    z_mm = views.ct.index_to_physical(((columns - 1) / 2, (rows - 1) / 2, k))[2]
    _write(tile, (8, 6), f"z {z_mm:+.1f} mm")
    _mark_sides(tile, "RL")
    return tile


def _paste_side_views(picture: Picture, montage: Montage, views: Views, organs: tuple[Organ, ...],
                      planes: list[int]) -> None:
    """One coronal and one sagittal cut; ticks on their edges mark the heights of the axial cuts."""
    coronal = views.coronal(most_telling_plane(views.labels, organs, 1))
    sagittal = views.sagittal(most_telling_plane(views.labels, organs, 2))
    left, top = montage.corner(montage.rows, 0)
    for cut, name, sides in ((coronal, "coronal", "RL"), (sagittal, "sagittal", "AP")):
        view = draw_cut(cut, organs, montage.strip_scale)
        _draw_ticks(view, cut, planes)
        _write(view, (12, 6), name)  # beside the ticks
        _mark_sides(view, sides)
        picture.paste(view, (left, top))
        left += view.width + GAP


def _draw_ticks(view: Picture, cut: Cut, planes: list[int]) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(view)
    count = cut.hu.shape[0]
    for k in planes:
        y = round((count - k - 0.5) * view.height / count)
        draw.line([(0, y), (7, y)], FAINT)


def _draw_legend(picture: Picture, montage: Montage, volumes: list[tuple[Organ, float]], title: str) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    left, y = montage.corner(montage.rows, COLUMNS - 1)
    left, right, y = left + 18, left + montage.tile[0] - 18, y + 14
    if title:
        _write(picture, (left, y), title, TEXT_PIXELS + 2)
        y += 40
    for organ, volume_ml in volumes:
        draw.rounded_rectangle([left, y + 3, left + 18, y + 19], 4, organ.colour)
        _write(picture, (left + 30, y), organ.name, TEXT_PIXELS + 2)
        amount = f"{volume_ml:.0f} ml" if volume_ml else "not found"
        _write(picture, (right, y), amount, TEXT_PIXELS + 2, TEXT if volume_ml else FAINT, "ra")
        y += 34
    for line in (f"window level {WINDOW_LEVEL:.0f}, width {WINDOW_WIDTH:.0f} HU", "research use only"):
        y += 22
        _write(picture, (left, y - 8), line, TEXT_PIXELS - 2, FAINT)


def _organ_volumes(labels: np.ndarray, organs: tuple[Organ, ...], voxel_ml: float) -> list[tuple[Organ, float]]:
    return [(organ, 0.0 if box is None else np.count_nonzero(labels[box] == organ.label) * voxel_ml)
            for organ, box in zip(organs, organ_boxes(labels, organs))]


def _mark_sides(image: Picture, sides: str) -> None:
    """Letters for what lies at the left and at the right edge."""
    _write(image, (10, image.height / 2), sides[0], anchor="lm")
    _write(image, (image.width - 10, image.height / 2), sides[1], anchor="rm")


def _write(image: Picture, position: tuple[float, float], text: str, pixels: int = TEXT_PIXELS,
           colour: tuple[int, int, int] = TEXT, anchor: str = "la") -> None:
    """Write with a dark rim, so that it is legible on bone too."""
    from PIL import ImageDraw, ImageFont

    ImageDraw.Draw(image).text(position, text, colour, ImageFont.load_default(pixels), anchor,
                               stroke_width=1, stroke_fill=BACKGROUND)
