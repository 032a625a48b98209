"""What a run did, line by line, in the panel's Log section: no patient data, no path that names the user."""

from __future__ import annotations

import time
from collections.abc import Callable

from slicer.i18n import tr as _


class StageClock:
    """Adds up the seconds of each stage."""

    def __init__(self):
        self._seconds: dict[str, float] = {}
        self._stage, self._since = "", time.monotonic()

    def enter(self, stage: str) -> None:
        """From now on the time is this stage's."""
        now = time.monotonic()
        if self._stage:
            self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = stage, now

    def sentence(self) -> str:
        """The sentence for the log; ends the current stage."""
        self.enter("")
        parts = [_("{stage} {seconds:.1f}").format(stage=_stage_name(stage), seconds=seconds)
                 for stage, seconds in self._seconds.items()]
        return _("Seconds: {parts}; {total:.1f} in all.").format(parts=", ".join(parts),
                                                                 total=sum(self._seconds.values()))


class RunLog:
    """Writes about one run after the other.

    Parameters
    ----------
    say : callable
        ``say(line)`` adds a line to the log.
    findings : callable
        Returns the lines that are known by now about input and device: both are asked for in the background, and a
        run may begin before the answer is there. Each is written once a run.
    """

    def __init__(self, say: Callable[[str], None], findings: Callable[[], list[str]]):
        self._say, self._findings = say, findings
        self._clock = StageClock()
        self._written: set[str] = set()

    def begin(self, grid: str, model: str, options) -> None:
        """A run has begun.

        Parameters
        ----------
        grid : str
            Size and spacing of the input (`volume_nodes.grid_text`).
        model : str
            Name and version.
        options : RunOptions
            What is asked for.
        """
        self._clock, self._written = StageClock(), set()
        self._clock.enter("handing over")
        self._say(_("Started at {time}.").format(time=time.strftime("%H:%M:%S")))
        self._say(_("Input: {grid}.").format(grid=grid))
        self._say(_("Model: {model}; organs: {organs}.").format(model=model, organs=", ".join(options.organs)))
        if options.exact:
            self._say(_("Exact mode (float32)."))
        self._write_findings()

    def follow(self, message: dict) -> None:
        """Note a message of the worker (`FlareSegLib.worker.protocol`)."""
        self._write_findings()
        kind = message["type"]
        if kind == "progress":
            self._clock.enter(message["stage"])
        elif kind == "hello":
            self._clock.enter("starting")
        elif kind == "log" and not any(message["message"] in line for line in self._written):  # the check's doubts
            self._say(message["message"])

    def end(self, sentence: str, report: dict | None) -> None:
        """The run has ended, with this to say; `report` where it has a result."""
        self._write_findings()
        if report:
            self._say(_("{slices} slices were run on {device} in {precision}. {reason}").format(
                slices=report["slices_run"], device=report["device"], precision=report["precision"],
                reason=report["reason"]))
        self._say(self._clock.sentence())
        self._say(sentence)

    def _write_findings(self) -> None:
        for line in self._findings():
            if line not in self._written:
                self._say(line)
                self._written.add(line)


def _stage_name(stage: str) -> str:
    return {"handing over": _("handing over"), "starting": _("starting"), "reading": _("reading and loading the model"),
            "segmenting": _("segmenting"), "measuring": _("measuring"), "writing": _("finishing")}.get(stage, stage)
