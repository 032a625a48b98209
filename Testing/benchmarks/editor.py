"""The disease editor on the stand-in, by a mouse: from letting a handle go to the new slice, outline, undo, memory.

    python Testing/benchmarks/editor.py [--ct CT --labels LABELS] [--repeats N]

By default on the synthetic patient, 512 x 512 x 129 voxels. The mouse's events go through slicer-core's own interactor
style and Markups; the slice view is drawn by VTK without a screen (EGL) where the machine has a driver, into 600 x 600
pixels. Qt's and Slicer's own windows are missing (Testing/README.md).
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import sys
import tempfile
import time

from measuring import REPOSITORY, load_average, machine, machine_lines, markdown_table, usable_cores

sys.path[:0] = [str(REPOSITORY / "Testing"), str(REPOSITORY)]
from standin.startup import start  # noqa: E402

SIZE, SPACING, SEED = (512, 512, 129), (0.78, 0.78, 2.0), 2021
DIAMETER = 30.0
DISEASES = (("renal_cyst", "kidney"), ("renal_mass", "kidney"), ("hypo_metastasis", "liver"), ("abscess", "liver"))
#: Milliseconds.
TARGETS = {"released": 150, "outline": 30, "undo": 100}


class Clock:
    """Times of one kind of event: wall and processor, milliseconds."""

    def __init__(self):
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def measure(self, action) -> None:
        """Do it once."""
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        self.wall.append(1000 * (time.perf_counter() - wall))
        self.cpu.append(1000 * (time.process_time() - cpu))

    def text(self) -> str:
        """Median and shortest by the clock; shortest of the processor's."""
        return f"{statistics.median(self.wall):.0f} ({min(self.wall):.0f}; {min(self.cpu):.0f})"


def load_patient(options):
    """CT and segmentation nodes."""
    from FlareSegModuleLib.result_import import import_result
    from FlareSegModuleLib.run import RunResult
    from FlareSegModuleLib.volume_nodes import node_from_volume

    from FlareSegLib.organs import FLARE_ORGANS
    from FlareSegLib.phantom.phantom import make_phantom
    from FlareSegLib.volumes.reading import read_label_map, read_volume

    if options.ct:
        ct, labels = read_volume(options.ct), read_label_map(options.labels)
    else:
        phantom = make_phantom(SEED, SIZE, SPACING)
        ct, labels = phantom.ct, phantom.label_map
    node = node_from_volume(ct, "CT")
    return node, import_result(RunResult({}, labels.array, (0, 0, 0)), FLARE_ORGANS, node)


def open_view():
    """The stand-in's mouse view with the slice's picture in it, and what draws it."""
    from standin.mouse_view import mouse_view

    view = mouse_view()
    view.show_image()
    return view, view.draw


def place(editor, view, draw, disease: str, organ: str):
    """A lesion as a click would place it, deep in its organ; returns its handle's place (RAS)."""
    import numpy as np
    from scipy import ndimage

    work = editor.panel.work
    case = work.editing.case
    label = {"liver": 1, "kidney": 2, "spleen": 3, "pancreas": 4}[organ]
    box = ndimage.find_objects((case.labels == label).astype(np.uint8))[0]
    inside = case.labels[box] == label
    depth = ndimage.distance_transform_edt(inside, case.grid.spacing[::-1])
    index = np.unravel_index(np.argmax(depth), depth.shape) + np.array([part.start for part in box])
    ras = case.grid.point_of(index) * (-1, -1, 1)
    view.look_at(tuple(ras))
    draw()
    kind = work.editing.find(disease).parameters
    key = work.attempt(editor.logic.add, work.editing, disease, tuple(ras), diameter=DIAMETER) if "diameter" in \
        kind.__dataclass_fields__ else None
    work.choose(key)
    draw()
    return key, tuple(map(float, ras))


def measure(editor, view, draw, disease: str, organ: str, repeats: int) -> list[str]:
    """Drag a lesion to and fro, undo and redo; return a row of the table."""
    work = editor.panel.work
    key, ras = place(editor, view, draw, disease, organ)
    if key is None:
        return [disease, editor.ui.messageLabel.text[:40], "", "", "", "", ""]
    clocks = {name: Clock() for name in ("drawing", "outline", "released", "undo", "redo")}
    for _ in range(repeats):
        view.look_at(tuple(view.node.GetSliceToRAS().GetElement(row, 3) for row in range(3)), 150.0)
        clocks["drawing"].measure(draw)
    before = work.editing.session.memory_bytes
    at = ras
    for number in range(repeats):
        # To and fro about the first place, never to the same one twice: that would come from memory.
        angle = 2.4 * number
        end = ras[0] + (1.5 + 0.2 * number) * math.cos(angle), ras[1] + (1.5 + 0.2 * number) * math.sin(angle)
        way = [(at[0] + share * (end[0] - at[0]), at[1] + share * (end[1] - at[1]), at[2]) for share in (0.4, 0.7, 1.0)]
        centre = work.editing.entry(key).operation.centre
        view.press(at)
        for step in way:
            clocks["outline"].measure(lambda step=step: (view.move(step), draw()))
        clocks["released"].measure(lambda end=way[-1]: (view.release(end), draw()))
        assert work.editing.entry(key).operation.centre != centre, "the mouse has missed the handle"
        at = tuple(x * m for x, m in zip(work.editing.entry(key).operation.centre, (-1, -1, 1)))
    memory = (work.editing.session.memory_bytes - before) / repeats
    for _ in range(repeats - 1):
        clocks["undo"].measure(lambda: (work.editing.undo(), draw()))
    for _ in range(repeats - 1):
        clocks["redo"].measure(lambda: (work.editing.redo(), draw()))
    work.quality.stop()
    work.editing.set_entries(())
    return [disease, *(clock.text() for clock in clocks.values()), f"{memory / 1e6:.2f}"]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ct")
    parser.add_argument("--labels")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    load = load_average()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FLARESEG_EDITS"] = folder
        slicer = start()
        from standin import failures
        from standin.scripted_modules import load_scripted_module

        for name in ("FlareSeg", "FlareSegEditor"):
            load_scripted_module(str(REPOSITORY / name / f"{name}.py"))
        ct, segmentation = load_patient(options)
        slicer.util.selectModule("FlareSegEditor")
        panel = slicer.modules.flaresegeditor.widgetRepresentation()
        panel.show()
        editor = panel.self()
        editor.ui.inputSelector.setCurrentNode(ct)
        editor.ui.segmentationSelector.setCurrentNode(segmentation)
        began = time.perf_counter()
        editor.ui.beginButton.click()
        begun = time.perf_counter() - began
        view, draw = open_view()
        draw()
        rows = [measure(editor, view, draw, disease, organ, options.repeats) for disease, organ in DISEASES]
        failures.raise_collected()
        size = " x ".join(map(str, ct.GetImageData().GetDimensions()))
        print(f"\n{size} voxels; a lesion of {DIAMETER:.0f} mm; milliseconds, median (shortest; least processor time, "
              f"all threads) of {options.repeats}; drawn by {view.window.GetClassName()}; \"Begin editing\" took "
              f"{begun:.1f} s.\n")
        print(markdown_table(["disease", "drawing alone", f"outline while dragging (target {TARGETS['outline']})",
                              f"let go to new slice (target {TARGETS['released']})",
                              f"undo (target {TARGETS['undo']})", "redo", "MB an operation"], rows))
        print("\n" + machine_lines(machine(("vtk", "slicer-core", "numpy", "scipy", "torch")), usable_cores(), load))
        slicer.modules.flaresegeditor.close()


if __name__ == "__main__":
    main()
