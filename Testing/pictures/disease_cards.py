"""Draw the pictures on the editor's disease cards: python Testing/pictures/disease_cards.py [NAME ...].

Each is what `flareseg diseases thumbnails` writes, smaller and with fewer greys.
"""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from PIL import Image  # noqa: E402

from FlareSegLib.disease.catalogue import DISEASES, find  # noqa: E402
from FlareSegLib.disease.thumbnails import thumbnail  # noqa: E402

FOLDER = REPOSITORY / "FlareSegEditor" / "Resources" / "DiseasePictures"
DRAWN, PIXELS, GREYS = 128, 96, 128


def main(names: list[str]) -> None:
    """Draw some or all."""
    FOLDER.mkdir(exist_ok=True)
    for name in names or DISEASES:
        picture = thumbnail(find(name), DRAWN).convert("RGB").resize((PIXELS, PIXELS), Image.Resampling.LANCZOS)
        picture.quantize(GREYS).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
