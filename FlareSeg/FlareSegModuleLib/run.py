"""One segmentation beside the GUI thread: volume to a temporary file, worker process, labels back."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from FlareSegLib.errors import EXIT_CODES, FlareSegError
from FlareSegLib.jobs.job import SegmentJob
from FlareSegLib.jobs.staging import STOPPED
from FlareSegLib.volumes.volume import Volume
from FlareSegLib.worker.client import WorkerProcess

from .background import Background
from .nrrd import crop_to_labels, read_label_array, write_nrrd

#: Fields of a result message that tell of temporary files.
NOT_IN_REPORT = ("type", "outputs", "preview", "report")


@dataclass(frozen=True)
class RunOptions:
    """What to segment and how; see `FlareSegLib.jobs.job.SegmentJob`.

    Attributes
    ----------
    organs : tuple of str or None
        Names of the organs to keep; None for all.
    model, device : str
        Name of a model; "auto", "cuda", "mps" or "cpu".
    exact : bool
        float32 throughout.
    keep_largest : bool
        Remove stray islands.
    """

    organs: tuple[str, ...] | None = None
    model: str = "default"
    device: str = "auto"
    exact: bool = False
    keep_largest: bool = False


@dataclass(frozen=True)
class RunResult:
    """What comes back.

    Attributes
    ----------
    report : dict
        `FlareSegLib.results.report.report_dict`.
    labels : numpy.ndarray
        uint8, (k, j, i): the smallest part of the label map that holds all organs.
    first_voxel : tuple of int
        Where that part begins, (i, j, k).
    """

    report: dict
    labels: np.ndarray
    first_voxel: tuple[int, int, int]


class SegmentationRun(Background):
    """A run; its messages are the worker's (`FlareSegLib.worker.protocol`) but the last, its value a `RunResult`.

    Parameters
    ----------
    volume : Volume
        The CT; kept until the end.
    temporary_parent : str
        Folder for the temporary folder, which is gone at the end however the run ends.
    command, environment
        Of the Python interpreter.
    """

    def __init__(self, volume: Volume, options: RunOptions, temporary_parent: str, command: tuple[str, ...],
                 environment: dict[str, str]):
        super().__init__(self._segment)
        self.volume = volume
        self._options = options
        self._parent = temporary_parent
        self._command, self._environment = command, environment
        self._lock = threading.Lock()
        self._stopped = False
        self._worker: WorkerProcess | None = None

    def cancel(self) -> None:
        """Stop; returns at once, the end comes within a second."""
        threading.Thread(target=self._stop, daemon=True).start()

    def _stop(self) -> None:
        self._stopped = True
        with self._lock:
            worker = self._worker
        if worker is not None:
            worker.cancel()

    def _refuse_when_stopped(self) -> None:
        if self._stopped:
            raise FlareSegError("cancelled", STOPPED)

    def _segment(self, post: Callable) -> RunResult:
        with _temporary_folder(self._parent) as folder:
            ct, labels = folder / "ct.nrrd", folder / "organs.nrrd"
            post({"type": "progress", "stage": "handing over", "done": 0, "total": 1})
            write_nrrd(ct, self.volume, self._refuse_when_stopped)
            report = self._run_worker(SegmentJob(str(ct), (str(labels),), **vars(self._options)), post)
            part, first_voxel = crop_to_labels(read_label_array(labels))
            return RunResult(report, part, first_voxel)

    def _run_worker(self, job: SegmentJob, post: Callable) -> dict:
        with self._lock:
            self._refuse_when_stopped()
            worker = self._worker = WorkerProcess(job, self._command, self._environment).start()
        try:
            for message in worker.messages():
                if message["type"] not in ("result", "error"):
                    post(message)
        finally:
            worker.cancel()
        self._refuse_when_stopped()
        if message["type"] == "result":
            return {field: value for field, value in message.items() if field not in NOT_IN_REPORT}
        if message.get("code") in EXIT_CODES:
            raise FlareSegError(message["code"], message["message"])
        raise RuntimeError(message.get("traceback") or message["message"])


@contextlib.contextmanager
def _temporary_folder(parent: str) -> Iterator[Path]:
    """Give a folder that is removed in any case; a full disk and a missing permission become a sentence."""
    try:
        with tempfile.TemporaryDirectory(prefix="flareseg-", dir=parent, ignore_cleanup_errors=True) as folder:
            yield Path(folder)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"The temporary folder {parent} cannot be written to "
                                                 f"({error.strerror or type(error).__name__}); make room there or "
                                                 "choose another one in Slicer's application settings.") from error
