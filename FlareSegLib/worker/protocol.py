"""What parent and worker say to each other, version 1.

The parent starts ``python -m FlareSegLib.worker`` and writes one line: the job, a JSON object with the fields of
`FlareSegLib.jobs.job.SegmentJob` (``{"input": "ct.nii.gz", "outputs": ["organs.seg.nrrd"], "device": "cpu"}``), or
with ``"task": "simulate"`` those of `FlareSegLib.disease.simulate_job.SimulateJob`.
Alternatively the worker's one argument names a file that holds that object. Relative paths are relative to the
worker's working directory.

The worker answers with one JSON object a line on its standard output, in ASCII (other letters as \\\\u escapes),
flushed line by line. Nothing else reaches that stream; libraries that print end up on standard error.

========== ==================================================================================================
type       other fields
========== ==================================================================================================
hello      ``protocol`` (1), ``version`` of FlareSegLib, ``pid`` (a launcher's child has another than the
           launcher); always the first line
progress   ``stage`` ("reading", "segmenting", "measuring", "writing", "simulating"), ``done``, ``total``; exact
           slice counts while segmenting, complete cases while simulating
log        ``message``: a sentence for the user
temporary  ``path`` of a folder that is about to be made; a parent that had to kill the worker removes it
result     the fields of `FlareSegLib.jobs.job.JobResult` or of `FlareSegLib.disease.batch.Outcome`; last line,
           exit status 0
error      ``code`` (a key of `FlareSegLib.errors.EXIT_CODES`, or "defect" for an unexpected exception, then with
           a ``traceback``), ``exit_code``, ``message`` (one sentence); last line, same exit status
========== ==================================================================================================

Numbers that are not finite are sent as null.

**Stopping.** The worker ends at once, with nothing written (a batch keeps its complete cases), when its standard input
ends or brings the line
``{"type": "cancel"}``, on SIGTERM and on SIGINT. So the parent keeps the worker's standard input open as long as
it wants the result, and a parent that dies takes its worker along. It comes too late once the files are in
place: then the result arrives. A parent that waits in vain (a C library can hold the interpreter for seconds)
kills the process tree and removes the temporary folders it was told of; `FlareSegLib.worker.client` does so.
"""

from __future__ import annotations

import json
import math
from typing import Any

PROTOCOL = 1

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    r"""Return a message as one line of ASCII JSON.

    Examples
    --------
    >>> encode({"type": "log", "message": "spleen 脾臓", "hu": float("nan")})
    b'{"type": "log", "message": "spleen \\u813e\\u81d3", "hu": null}\n'
    """
    return json.dumps(_plain(message), allow_nan=False).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """Return the message of one line; a line that is none becomes a log message, so that no text is lost.

    Examples
    --------
    >>> decode(b"Segmentation fault")
    {'type': 'log', 'message': 'Segmentation fault'}
    """
    text = line.decode("utf-8", errors="replace").strip()
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        message = None
    if isinstance(message, dict) and isinstance(message.get("type"), str):
        return message
    return {"type": "log", "message": text}


def error_message(code: str, exit_code: int, message: str, **more: Any) -> Message:
    """Return an error message; code and exit_code as in the table above, message one sentence."""
    return {"type": "error", "code": code, "exit_code": exit_code, "message": message, **more}


def _plain(value: Any) -> Any:
    """Return the value in JSON's own types; numpy scalars by ``item()``, other objects as text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return _plain(value.item()) if hasattr(value, "item") else str(value)
