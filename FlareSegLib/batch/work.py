"""One case, in a worker of this machine or of a cluster."""

from __future__ import annotations

import os
import sys
import traceback
from dataclasses import dataclass

from ..errors import FlareSegError
from ..jobs.job import run_job
from .inputs import Case
from .records import Record, done_record, failed_record, write_record
from .settings import Settings

#: Failures of the place, not of the case: all others would end in the same way.
OF_THE_PLACE = ("output_unwritable", "device_unavailable", "missing_package", "model_not_found", "model_invalid",
                "model_unsafe", "model_unsupported")


@dataclass(frozen=True)
class Task:
    """A case and how it is segmented; what a worker gets."""

    case: Case
    settings: Settings


def segment_case(task: Task) -> Record:
    """Segment a case and return its record; where it is done, files and record are in place.

    Nothing is written of a failure: a worker that was given up, and still is at work, must not undo another's case.

    Raises
    ------
    FlareSegError
        Only what is wrong with the place (`OF_THE_PLACE`).
    """
    case, settings = task.case, task.settings
    try:
        settings.bundle()
        record = done_record(case, run_job(settings.job(case)))
        write_record(settings.out, record)
        return record
    except FlareSegError as error:
        if error.code in OF_THE_PLACE:
            raise
        return failed_record(case, error.code, str(error))
    except Exception as error:  # noqa: BLE001 - a defect, which must not stop the other cases
        print(f"flareseg: {case.name}: unexpected error, please report it:\n{traceback.format_exc()}", file=sys.stderr)
        return failed_record(case, "defect", f"Unexpected error ({type(error).__name__}), please report it.")


def take_one_gpu(number: int) -> None:
    """Let this process, the one of that number, see only one of the NVIDIA cards, in turn."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is None:
        import torch

        given = ",".join(map(str, range(torch.cuda.device_count())))
    cards = [card for card in given.split(",") if card.strip()]
    if cards:
        os.environ["CUDA_VISIBLE_DEVICES"] = cards[number % len(cards)]
