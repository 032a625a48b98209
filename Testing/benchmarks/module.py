"""The Slicer module on the stand-in, from the click: time beyond the worker's own, cancel latency, blocked GUI.

The CT is synthetic, 512 x 512 x 150 voxels. The event loop is Qt's own; a timer beats every 2 ms in it, and the longest
pause between two beats is the longest time for which the window would not have answered. Slicer's views are missing:
drawing the result comes on top (Testing/README.md).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, field

from measuring import REPOSITORY, load_average, machine, machine_lines, markdown_table, usable_cores

sys.path[:0] = [str(REPOSITORY / "Testing"), str(REPOSITORY)]
from standin.startup import start  # noqa: E402

SIZE, SPACING, SEED = (512, 512, 150), (0.8, 0.8, 2.0), 2021
BEAT_MS = 2
#: When to cancel: how far the bar has come, in percent. 2 is where the worker starts, 5 its first slice.
CANCEL_AT = (0, 2, 5, 10, 50)


@dataclass
class Heart:
    """Beats in the event loop; remembers the pauses and what the panel said."""

    label: object
    pauses: list[tuple[float, str]] = field(default_factory=list)
    _last: float | None = None

    def beat(self) -> None:
        now = time.perf_counter()
        if self._last is not None:
            self.pauses.append((now - self._last, self.label.text))
        self._last = now

    def begin(self) -> None:
        self.pauses.clear()
        self._last = time.perf_counter()


class WorkerClock:
    """Seconds that the worker process has taken, from its start to its last message."""

    def __init__(self, run_class: type):
        self.seconds = 0.0
        original = run_class._run_worker

        def timed(run, *arguments):
            began = time.perf_counter()
            try:
                return original(run, *arguments)
            finally:
                self.seconds = time.perf_counter() - began

        run_class._run_worker = timed


def open_panel():
    """Return slicer, the module's widget with the CT selected, and its heart."""
    slicer = start()
    from standin.scripted_modules import load_scripted_module

    load_scripted_module(str(REPOSITORY / "FlareSeg" / "FlareSeg.py"))
    import qt
    from FlareSegLib.phantom.phantom import make_phantom
    from FlareSegModuleLib.volume_nodes import node_from_volume

    slicer.util.selectModule("FlareSeg")
    panel = slicer.modules.flareseg.widgetRepresentation()
    panel.show()
    widget = panel.self()
    heart = Heart(widget.ui.progressLabel)
    timer = qt.QTimer(panel)
    timer.setInterval(BEAT_MS)
    timer.connect("timeout()", heart.beat)
    ct = node_from_volume(make_phantom(SEED, SIZE, SPACING).ct, "CT")
    timer.start()
    heart.begin()
    widget.ui.inputSelector.setCurrentNode(ct)
    run_until(lambda: widget.ui.applyButton.enabled and "..." not in (
        widget.ui.inputVerdictLabel.text + widget.ui.deviceLabel.text))
    return slicer, widget, heart


def run_until(condition, seconds: float = 600.0) -> float:
    """Let Qt's event loop run until the condition holds; return the moment."""
    import qt
    from standin import failures

    loop, moment, until = qt.QEventLoop(), [], time.perf_counter() + seconds

    def look():
        if condition() or time.perf_counter() > until:
            moment.append(time.perf_counter())
            loop.quit()

    timer = qt.QTimer()
    timer.setInterval(1)
    timer.connect("timeout()", look)
    timer.start()
    loop.exec_()
    timer.stop()
    failures.raise_collected()
    if moment[0] > until:
        raise TimeoutError("nothing has happened")
    return moment[0]


def measure_run(widget, heart: Heart, worker: WorkerClock) -> dict:
    """Segment once."""
    heart.begin()
    clicked = time.perf_counter()
    widget.ui.applyButton.click()
    returned = time.perf_counter()
    ended = run_until(lambda: widget._job is None)
    run_until(lambda: time.perf_counter() > ended + 0.2)  # what follows in the event loop counts, too
    if widget.ui.progressLabel.text != "Done.":
        raise RuntimeError(widget.ui.progressLabel.text)
    return {"whole": ended - clicked, "worker": worker.seconds, "click": returned - clicked,
            "pauses": sorted(heart.pauses, reverse=True)}


def measure_cancel(widget, heart: Heart, percent: int) -> tuple[str, float, float]:
    """Cancel there; return what the panel said, the seconds until it is free again, and the longest pause."""
    heart.begin()
    widget.ui.applyButton.click()
    run_until(lambda: widget._job is None or widget.ui.progressBar.value >= percent)
    where, pressed = widget.ui.progressLabel.text, time.perf_counter()
    widget.ui.cancelButton.click()
    ended = run_until(lambda: widget._job is None)
    if not widget.ui.progressLabel.text.startswith("Stopped"):
        raise RuntimeError(widget.ui.progressLabel.text)
    return where, ended - pressed, max(heart.pauses)[0]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="runs (default: 3)")
    repeat, load = parser.parse_args().repeat, load_average()
    with tempfile.TemporaryDirectory(prefix="flareseg-benchmark-") as folder:
        slicer, widget, heart = open_panel()
        slicer.app.temporaryPath = folder
        checking = max(heart.pauses)[0]
        from FlareSegModuleLib.run import SegmentationRun

        worker = WorkerClock(SegmentationRun)
        runs = [measure_run(widget, heart, worker) for _ in range(repeat)]
        cancels = [measure_cancel(widget, heart, percent) for percent in CANCEL_AT]
        slicer.modules.flareseg.close()
    print(f"CT of {' x '.join(map(str, SIZE))} voxels.",
          machine_lines(machine(("torch", "slicer-core", "PySide6-Essentials")), usable_cores(), load), sep="\n\n")
    print("\n" + markdown_table(
        ["run", "click to segments s", "worker s", "beyond the worker s", "click handled ms", "longest pause ms"],
        [[str(number), f"{run['whole']:.2f}", f"{run['worker']:.2f}", f"{run['whole'] - run['worker']:.2f}",
          f"{1000 * run['click']:.0f}", f"{1000 * run['pauses'][0][0]:.0f}"] for number, run in enumerate(runs, 1)]))
    print("\n" + markdown_table(["longest pauses of the last run, ms", "the panel says"],
                                [[f"{1000 * pause:.0f}", text] for pause, text in runs[-1]["pauses"][:5]]))
    print("\n" + markdown_table(["cancelled at", "free again after s", "longest pause ms"],
                                [[where, f"{after:.2f}", f"{1000 * pause:.0f}"]
                                 for where, after, pause in cancels]))
    print(f"\nLongest pause while the CT is selected and checked: {1000 * checking:.0f} ms.")


if __name__ == "__main__":
    main()
