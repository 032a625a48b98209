"""Take the picture of `flareseg view` in docs/pictures: python Testing/pictures/viewer.py [PNG].

A synthetic patient in headless Chromium; without a GPU it takes a minute or two.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from small_png import write_picture

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "Testing" / "library" / "viewer")]

from chromium import Chromium  # noqa: E402

from FlareSegLib.cli.main import main as flareseg  # noqa: E402

WINDOW = (1400, 840)
VOXELS = ("--size", "240", "200", "84", "--spacing", "1.6", "1.6", "3")
COLOURS = 128
LOADED = "document.getElementById('status')?.textContent === ''"


def main(path: Path) -> None:
    """Make a phantom, look at its true organs and write what is seen."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        ct, labels = f"{folder}/ct.nii.gz", f"{folder}/organs.seg.nrrd"
        if flareseg(["phantom", "-o", ct, "--labels", labels, *VOXELS]):
            sys.exit(1)
        run = "import sys; from FlareSegLib.cli.main import main; sys.exit(main())"
        command = [sys.executable, "-c", run, "view", ct, labels, "--no-browser", "--once"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as server, \
                Chromium(f"{folder}/profile", WINDOW) as browser:
            browser.open(server.stdout.readline().split()[-1])
            browser.wait_for(LOADED, 600)
            shot = Image.open(io.BytesIO(browser.screenshot())).convert("RGB")
    write_picture(path, np.asarray(shot), COLOURS, dither=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docs" / "pictures" / "view.png")
