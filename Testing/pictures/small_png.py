"""Pictures for the README as small PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_picture(path: Path, pixels: np.ndarray, colours: int = 256, dither: bool = True) -> None:
    """Write RGB pixels, uint8 (height, width, 3), as a PNG of so many colours at most."""
    image = Image.fromarray(pixels)
    palette = image.quantize(colours, Image.Quantize.MAXCOVERAGE, kmeans=4)  # the median cut forgets the small organs
    image = image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG if dither else Image.Dither.NONE)
    image.save(path, optimize=True)
    print(f"{path}  {image.width} x {image.height}  {path.stat().st_size / 1000:.0f} kB")
