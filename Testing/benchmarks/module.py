"""The Slicer module on the stand-in, from the click: time beyond the worker's own, cancel latency, blocked GUI.

The CT is synthetic, 512 x 512 x 150 voxels. The event loop is Qt's own and holds Python's interpreter lock, as Slicer's
does. In runs of their own a timer beats every 2 ms in it, and the longest pause between two beats is the longest time
for which the window would not have answered; each beat also gives the module's threads a turn, so that these runs are
not timed. Slicer's views are missing: drawing the result comes on top (Testing/README.md).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time

from measuring import REPOSITORY, load_average, machine, machine_lines, markdown_table, usable_cores

sys.path[:0] = [str(REPOSITORY / "Testing"), str(REPOSITORY)]
from standin.startup import start  # noqa: E402

SIZE, SPACING, SEED = (512, 512, 150), (0.8, 0.8, 2.0), 2021
BEAT_MS, LOOK_MS = 2, 20
#: When to cancel: how far the bar has come, in percent. 2 is where the worker starts, 5 its first slice.
CANCEL_AT = (0, 2, 5, 10, 50)


class Heart:
    """Beats in the event loop, from `begin` to `stop`; remembers the pauses and what the panel said."""

    def __init__(self, label):
        import qt

        self.pauses: list[tuple[float, str]] = []
        self._label, self._last = label, 0.0
        self._timer = qt.QTimer()
        self._timer.setInterval(BEAT_MS)
        self._timer.connect("timeout()", self._beat)

    def begin(self) -> None:
        """Forget what was, and beat."""
        self.pauses.clear()
        self._last = time.perf_counter()
        self._timer.start()

    def stop(self) -> None:
        """Beat no more."""
        self._timer.stop()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.pauses.append((now - self._last, self._label.text))
        self._last = now


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
    from FlareSegLib.phantom.phantom import make_phantom
    from FlareSegModuleLib.volume_nodes import node_from_volume

    slicer.util.selectModule("FlareSeg")
    panel = slicer.modules.flareseg.widgetRepresentation()
    panel.show()
    widget = panel.self()
    heart = Heart(widget.ui.progressLabel)
    ct = node_from_volume(make_phantom(SEED, SIZE, SPACING).ct, "CT")
    heart.begin()
    widget.ui.inputSelector.setCurrentNode(ct)
    run_until(lambda: widget.ui.applyButton.enabled and "..." not in (
        widget.ui.inputVerdictLabel.text + widget.ui.deviceLabel.text))
    heart.stop()
    return slicer, widget, heart


def run_until(condition, seconds: float = 600.0) -> float:
    """Let Qt's event loop run until the condition holds; return the moment."""
    from standin import event_loop, failures

    until = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > until:
            raise TimeoutError("nothing has happened")
        event_loop.run(LOOK_MS)
        failures.raise_collected()
    return time.perf_counter()


def measure_run(widget, heart: Heart, worker: WorkerClock) -> dict:
    """Segment twice: for the times, and with a beating heart."""
    clicked = time.perf_counter()
    widget.ui.applyButton.click()
    returned = time.perf_counter()
    times = {"whole": _ended(widget, "Done.") - clicked, "worker": worker.seconds, "click": returned - clicked}
    heart.begin()
    widget.ui.applyButton.click()
    ended = _ended(widget, "Done.")
    run_until(lambda: time.perf_counter() > ended + 0.2)  # what follows in the event loop counts, too
    heart.stop()
    return {**times, "pauses": sorted(heart.pauses, reverse=True)}


def _ended(widget, sentence: str) -> float:
    """Wait for the end and return its moment; the panel must say this sentence then."""
    ended = run_until(lambda: widget._job is None)
    if not widget.ui.progressLabel.text.startswith(sentence):
        raise RuntimeError(widget.ui.progressLabel.text)
    return ended


def measure_cancel(widget, heart: Heart, percent: int) -> tuple[str, float, float]:
    """Cancel there; return what the panel said, the seconds until it is free again, and the longest pause."""
    heart.begin()
    widget.ui.applyButton.click()
    run_until(lambda: widget._job is None or widget.ui.progressBar.value >= percent)
    where, pressed = widget.ui.progressLabel.text, time.perf_counter()
    widget.ui.cancelButton.click()
    ended = _ended(widget, "Stopped")
    heart.stop()
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
