"""One picture of all diseases for the documentation, on the synthetic patient: docs/pictures/diseases.png.

    python Testing/pictures/disease_sheet.py
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from small_png import write_picture

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from FlareSegLib.disease.catalogue import DISEASES  # noqa: E402
from FlareSegLib.disease.thumbnails import thumbnail  # noqa: E402

PIXELS, COLUMNS, GAP, LINE = 150, 7, 4, 15
COLOURS = 48


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=REPOSITORY / "docs" / "pictures" / "diseases.png")
    write_picture(parser.parse_args().output, sheet(), COLOURS, dither=False)


def sheet() -> np.ndarray:
    """RGB pixels (height, width, 3), uint8: rows of thumbnails, each under its name."""
    rows = -(-len(DISEASES) // COLUMNS)
    picture = Image.new("RGB", (COLUMNS * (PIXELS + GAP) + GAP, rows * (PIXELS + LINE + GAP) + GAP), (12, 13, 15))
    words, font = ImageDraw.Draw(picture), ImageFont.load_default(10)
    for number, (name, disease) in enumerate(DISEASES.items()):
        left = GAP + number % COLUMNS * (PIXELS + GAP)
        top = GAP + number // COLUMNS * (PIXELS + LINE + GAP)
        words.text((left + 2, top), name, (235, 235, 235), font)
        picture.paste(thumbnail(disease, PIXELS, outlined=True), (left, top + LINE))
    return np.asarray(picture)


if __name__ == "__main__":
    main()
