"""Pictures of a batch: each variant before and after, and all of them on a few sheets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import FlareSegError
from .case import Case
from .pictures import draw_strip
from .simulation import Simulation

if TYPE_CHECKING:
    from PIL.Image import Image

COLUMNS, ROWS = 2, 15
STRIP_PIXELS = 900
GAP = 6
BACKGROUND = (12, 13, 15)


def draw_variant(before: Case, simulation: Simulation, name: str) -> Image:
    """Return a PIL image of a variant at the slice with most change: before, after, difference, labels after."""
    diseases = ", ".join(dict.fromkeys(step.origin or step.operation.disease for step in simulation.steps))
    title = f"{name}: {diseases}" if simulation.verdict.passed else f"{name} (doubtful): {diseases}"
    return draw_strip(before, simulation.case, most_changed_slice(before, simulation), title[:60])


def most_changed_slice(before: Case, simulation: Simulation) -> int:
    """The axial slice (k) with the largest sum of HU that changed; what changes whole organs counts where it must."""
    lesions = [step.effect.box for step in simulation.steps if step.effect.lesion_ml]
    changed = np.zeros(before.hu.shape[0])
    for box in lesions or [step.effect.box for step in simulation.steps]:
        difference = np.abs(simulation.case.hu[box].astype(np.int32) - before.hu[box]).sum(axis=(1, 2))
        moved = np.count_nonzero(simulation.case.labels[box] != before.labels[box], axis=(1, 2))
        changed[box[0]] = np.maximum(changed[box[0]], difference + 100.0 * moved)
    return int(np.argmax(changed))


def write_contact_sheets(out: Path, pictures: list[Path]) -> list[Path]:
    """Put the variants' pictures on sheets, contact_sheet_01.png and so on, and return them.

    Raises
    ------
    FlareSegError
        "output_unwritable".
    """
    from ..results.writing import atomic_path

    sheets = []
    for number, first in enumerate(range(0, len(pictures), COLUMNS * ROWS)):
        path = out / f"contact_sheet_{number + 1:02}.png"
        with atomic_path(path, overwrite=True) as partial:
            _sheet(pictures[first:first + COLUMNS * ROWS]).save(partial)
        sheets.append(path)
    return sheets


def _sheet(paths: list[Path]) -> Image:
    from PIL import Image

    strips = [_scaled(path) for path in paths]
    rows = [strips[first:first + COLUMNS] for first in range(0, len(strips), COLUMNS)]
    heights = [max(strip.height for strip in row) for row in rows]
    width = GAP + min(COLUMNS, len(strips)) * (STRIP_PIXELS + GAP)
    sheet, top = Image.new("RGB", (width, GAP + sum(heights) + GAP * len(rows)), BACKGROUND), GAP
    for row, height in zip(rows, heights):
        for column, strip in enumerate(row):
            sheet.paste(strip, (GAP + column * (STRIP_PIXELS + GAP), top))
        top += height + GAP
    return sheet


def _scaled(path: Path) -> Image:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            height = max(1, round(picture.height * STRIP_PIXELS / picture.width))
            return picture.convert("RGB").resize((STRIP_PIXELS, height), Image.Resampling.LANCZOS)
    except OSError as error:
        raise FlareSegError("unreadable", f"{path} cannot be read; remove its recipe, and the same command makes it "
                                          "again.") from error
