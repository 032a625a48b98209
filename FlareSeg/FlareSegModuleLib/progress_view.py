"""Progress in words and in a bar: exact slice counts, and the time that is left."""

from __future__ import annotations

import time

from slicer.i18n import tr as _

#: Shares of the bar, in percent: where each stage begins and how much it takes.
STAGES = {"handing over": (0, 2), "reading": (2, 3), "segmenting": (5, 90), "measuring": (95, 2), "writing": (97, 3)}
SECONDS_BEFORE_GUESS = 1.0


def stage_text(stage: str, done: int, total: int, seconds: float) -> str:
    """Return the sentence for a progress message; `seconds` is the time spent on the slices so far."""
    if stage != "segmenting":
        return {"handing over": _("Handing the volume over..."), "reading": _("Reading and checking the volume..."),
                "measuring": _("Measuring the organs..."), "writing": _("Finishing..."),
                }.get(stage, _("Starting..."))
    text = _("Slice {done} of {total}").format(done=done, total=total)
    if done == 0 or seconds < SECONDS_BEFORE_GUESS:
        return text
    left = seconds / done * (total - done)
    if left < 60:
        return _("{slices}, about {seconds:.0f} s left").format(slices=text, seconds=left)
    return _("{slices}, about {minutes:.0f} min left").format(slices=text, minutes=left / 60)


class ProgressView:
    """A progress bar and a line of text that follow the worker's messages."""

    def __init__(self, bar, label):
        self._bar, self._label = bar, label
        self._slices_since: float | None = None
        bar.setRange(0, 100)
        bar.hide()

    def begin(self) -> None:
        """A run has begun."""
        self._slices_since = None
        self._bar.value = 0
        self._bar.show()
        self._label.text = _("Starting...")

    def follow(self, message: dict) -> None:
        """Show a message of the worker: how far it is, or a sentence for the user."""
        if message["type"] == "progress":
            self._follow_progress(message)
        elif message["type"] == "log" and message.get("stream") != "stderr":  # that is for the log alone
            self._label.text = message["message"]

    def _follow_progress(self, message: dict) -> None:
        stage, done, total = message["stage"], message["done"], message["total"]
        if stage == "segmenting" and self._slices_since is None:
            self._slices_since = time.monotonic()
        seconds = time.monotonic() - self._slices_since if self._slices_since is not None else 0.0
        start, share = STAGES.get(stage, (0, 0))
        self._bar.value = int(start + share * done / max(1, total))
        self._label.text = stage_text(stage, done, total, seconds)

    def end(self, sentence: str) -> None:
        """The run has ended, with this to say."""
        self._bar.hide()
        self._label.text = sentence
