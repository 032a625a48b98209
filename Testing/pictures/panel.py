"""Take a picture of the panel with a result: python Testing/pictures/panel.py [docs/pictures/panel.png].

The panel is the real one, its widgets are the stand-in's (Testing/README.md): in Slicer they look a little different.
"""

import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "Testing"), str(REPOSITORY)]

from standin.startup import start  # noqa: E402

WIDTH, MARGIN = 440, 12


def main(path: Path) -> None:
    """Segment the synthetic CT in the panel and write the picture."""
    slicer = start()
    from standin import failures
    from standin.scripted_modules import load_scripted_module
    from standin.waiting import wait_until

    load_scripted_module(str(REPOSITORY / "FlareSeg" / "FlareSeg.py"))
    with tempfile.TemporaryDirectory() as folder:
        slicer.app.temporaryPath = folder
        slicer.util.selectModule("FlareSeg")
        panel = slicer.modules.flareseg.widgetRepresentation()
        widget, ui = panel.self(), panel.self().ui
        ui.phantomButton.click()
        wait_until(lambda: ui.applyButton.enabled and "..." not in ui.inputVerdictLabel.text + ui.deviceLabel.text)
        ui.applyButton.click()
        wait_until(lambda: widget._job is None, 600)
        failures.raise_collected()
        take(panel, ui.logCollapsibleButton, path)
        slicer.modules.flareseg.close()


def take(panel, last, path: Path) -> None:
    """Write the picture of a panel down to its `last` widget."""
    import numpy as np
    import qt
    import slicer
    from PIL import Image
    from small_png import write_picture

    panel.show()
    for _ in range(3):  # labels that wrap know their height only once they have a width
        slicer.app.processEvents()
        panel.resize(WIDTH, panel.layout().minimumHeightForWidth(WIDTH))
    slicer.app.processEvents()
    bottom = last.mapTo(panel, qt.QPoint(0, 0)).y() + last.height
    panel.grab(qt.QRect(0, 0, WIDTH, bottom + MARGIN)).save(str(path))
    write_picture(path, np.asarray(Image.open(path).convert("RGB")), dither=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docs" / "pictures" / "panel.png")
