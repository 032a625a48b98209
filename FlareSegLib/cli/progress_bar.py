"""The progress bar of commands that count one thing."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

WIDEST = 100


class ProgressBar:
    """What is done so far, on standard error, gone when the work is.

    Parameters
    ----------
    title, unit : str
        "Segmenting", "slices".
    shown : bool
        False for a bar that draws nothing; where standard error is no terminal none is drawn either.
    """

    def __init__(self, title: str, unit: str, shown: bool):
        self._title, self._unit = title, unit
        self._shown = shown and sys.stderr.isatty()
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, done: int, total: int) -> None:
        """Show that `done` of `total` steps are done."""
        if not self._shown:
            return
        if self._bar is None:
            from tqdm import tqdm as tqdm_bar

            columns, rows = shutil.get_terminal_size()  # tqdm by itself draws nothing where the terminal tells no size
            self._bar = tqdm_bar(total=total, initial=done, desc=self._title, unit=f" {self._unit}", leave=False,
                                 file=sys.stderr, ncols=min(columns, WIDEST), nrows=rows)
        self._bar.total = total  # it may turn out to be less
        self._bar.update(done - self._bar.n)
