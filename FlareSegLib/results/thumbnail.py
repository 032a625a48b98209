"""A small picture of a result, for sheets that show many: one axial cut and one coronal, with the organs' outlines."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

from ..organs import Organ
from ..volumes.orientation import to_axial
from ..volumes.volume import Volume
from .preview import BACKGROUND, worth_showing
from .views import draw_cut, most_telling_plane
from .writing import atomic_path, check_output

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

THUMBNAIL_SUFFIXES = (".jpg",)
#: Width and height of the picture, pixels; each cut fills as much of its half as its shape allows.
SIZE = (420, 210)
GAP = 4


def write_thumbnail(path: str | PathLike[str], ct: Volume, label_map: Volume, organs: tuple[Organ, ...],
                    overwrite: bool = False) -> None:
    """Write the picture as JPEG, whole or not at all; parameters and errors as in `preview.write_preview`."""
    check_output(path, overwrite, THUMBNAIL_SUFFIXES)
    picture = draw_thumbnail(ct, label_map, organs)
    with atomic_path(path, overwrite) as partial:
        picture.save(partial, quality=85, subsampling=0)


def draw_thumbnail(ct: Volume, label_map: Volume, organs: tuple[Organ, ...]) -> Picture:
    """Return a PIL image of `SIZE`: the axial and the coronal plane that show most of all organs."""
    from PIL import Image

    views = worth_showing(to_axial(ct)[0], to_axial(label_map)[0].array, organs)
    picture = Image.new("RGB", SIZE, BACKGROUND)
    room = ((SIZE[0] - GAP) // 2, SIZE[1])
    for place, cut in enumerate((views.axial(most_telling_plane(views.labels, organs, 0)),
                                 views.coronal(most_telling_plane(views.labels, organs, 1)))):
        height_mm, width_mm = cut.size_mm
        view = draw_cut(cut, organs, min(room[0] / width_mm, room[1] / height_mm))
        left = place * (room[0] + GAP) + (room[0] - view.width) // 2
        picture.paste(view, (left, (room[1] - view.height) // 2))
    return picture
