"""Contact sheet of a training set: ``python -m FlareSegLib.training.synthesis.sheet STORE sheet.png``.

A row a case: four axial slices, labels outlined in every second one, and a coronal slice.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import FlareSegError
from ...organs import FLARE_ORGANS
from ..slice_store import StoredCase, open_store
from .make import read_origin

if TYPE_CHECKING:
    from PIL.Image import Image

WINDOW = (-160.0, 240.0)
TILE = (256, 256)
SHARES = (0.2, 0.4, 0.6, 0.8)
CAPTION = 16


def write_sheet(store: Path, file: Path, kinds: tuple[str, ...] = (), most: int = 16) -> None:
    """Draw cases of a store, evenly chosen where there are more than `most`.

    Raises
    ------
    FlareSegError
        "not_found" where there is no store, "bad_training_data" where it holds no case; "output_unwritable",
        "output_exists".
    """
    from ...results.writing import atomic_path

    if file.exists():
        raise FlareSegError("output_exists", f"{file} exists already; choose another name.")
    cases = [case for case in open_store(store).cases if not kinds or case.record.name.split("_")[0] in kinds]
    if not cases:
        raise FlareSegError("bad_training_data", f"{store} holds no such case.")
    chosen = [cases[n] for n in np.unique(np.linspace(0, len(cases) - 1, min(most, len(cases))).astype(int))]
    rows = [_row(store, case) for case in chosen]
    with atomic_path(file) as partial:
        _stacked(rows).save(partial)


def _row(store: Path, case: StoredCase) -> Image:
    from PIL import Image, ImageDraw

    record = case.record
    tiles = []
    for number, share in enumerate(SHARES):
        hu, labels = case.slice(int(share * (record.slices - 1)))
        tiles.append(_grey(hu) if number % 2 == 0 else outlined(_grey(hu), labels))
    middle = case.slice(0)[0].shape[0] // 2
    tiles.append(_grey(np.stack([case.slice(k)[0][middle] for k in range(record.slices)])[::-1]))
    picture = np.concatenate([_tile(tile) for tile in tiles], axis=1)
    row = Image.new("RGB", (picture.shape[1], TILE[0] + CAPTION))
    row.paste(Image.fromarray(picture), (0, CAPTION))
    origin = read_origin(store, record.name)
    words = [record.name, f"{record.spacing[2]:.1f} mm", *(str(origin.get(key, "")) for key in
             ("host", "target", "phase")), " ".join(origin.get("donors", ())), " ".join(origin.get("diseases", ()))]
    ImageDraw.Draw(row).text((4, 2), "   ".join(word for word in words if word), fill=(220, 220, 220))
    return row


def _grey(hu: np.ndarray) -> np.ndarray:
    """uint8 (rows, columns, 3)."""
    level = np.clip((hu - WINDOW[0]) / (WINDOW[1] - WINDOW[0]) * 255, 0, 255).astype(np.uint8)
    return np.repeat(level[..., None], 3, axis=2)


def outlined(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A picture with the outlines of labels in the organs' colours; what is unknown is white."""
    edge = (labels != np.roll(labels, 1, 0)) | (labels != np.roll(labels, 1, 1))
    colours = np.full((256, 3), 255, np.uint8)
    colours[0] = 90
    for organ in FLARE_ORGANS:
        colours[organ.label] = organ.colour
    picture = picture.copy()
    picture[edge] = colours[labels[edge]]
    return picture


def _tile(picture: np.ndarray) -> np.ndarray:
    """Cut or filled with black to `TILE`, centred."""
    for axis, size in enumerate(TILE):
        spare = picture.shape[axis] - size
        if spare > 0:
            picture = picture.take(range(spare // 2, spare // 2 + size), axis)
        else:
            width = [(0, 0)] * 3
            width[axis] = (-spare // 2, -spare - -spare // 2)
            picture = np.pad(picture, width)
    return picture


def _stacked(rows: list[Image]) -> Image:
    from PIL import Image

    sheet = Image.new("RGB", (max(row.width for row in rows), sum(row.height for row in rows)))
    for number, row in enumerate(rows):
        sheet.paste(row, (0, number * row.height))
    return sheet


def main(arguments: list[str] | None = None) -> None:
    """Run this script; without `arguments`, with those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("file", type=Path, help="PNG; for your eyes, not to be published: it shows patients")
    parser.add_argument("--kind", nargs="*", default=[], choices=("real", "transferred", "synthetic"))
    parser.add_argument("--cases", type=int, default=16)
    options = parser.parse_args(arguments)
    try:
        write_sheet(options.store, options.file, tuple(options.kind), options.cases)
    except FlareSegError as error:
        parser.exit(error.exit_code, f"{error}\n")


if __name__ == "__main__":
    main()
