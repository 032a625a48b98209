"""Take the README's first picture, what `make demo` shows: python Testing/pictures/demo_picture.py [PNG]."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from small_png import write_picture

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from FlareSegLib.cli.main import main as flareseg  # noqa: E402

#: Enough for a web page. The CT's noise is what costs bytes; dithering would add some more.
WIDTH, COLOURS = 1100, 64


def main(path: Path) -> None:
    """Do what `make demo` does and write its picture, smaller."""
    with tempfile.TemporaryDirectory() as folder:
        ct, labels, preview = (str(Path(folder) / name) for name in ("phantom.nii.gz", "organs.seg.nrrd", "organs.png"))
        for arguments in (["phantom", "-o", ct], ["segment", ct, "-o", labels, "--preview", preview]):
            if flareseg(arguments):
                sys.exit(1)
        picture = Image.open(preview).convert("RGB")
    height = round(picture.height * WIDTH / picture.width)
    write_picture(path, np.asarray(picture.resize((WIDTH, height), Image.Resampling.LANCZOS)), COLOURS, dither=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docs" / "pictures" / "phantom.png")
