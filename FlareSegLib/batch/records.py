"""What became of each case: one JSON file each, the only truth about it, and all of them as JSON lines.

A record holds the case's name, a hash of where its input lies, and either the report (`results.report`) or the failure.
No path and no header value is in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..jobs.job import JobResult
from .inputs import Case
from .settings import RECORDS, Settings

LINES_FILE = "cases.jsonl"
DONE, FAILED = "done", "failed"

Record = dict[str, Any]


def done_record(case: Case, result: JobResult) -> Record:
    """Return the record of a segmented case."""
    from ..results.report import report_dict

    report = report_dict(result.segmentation, result.measurements, result.warnings)
    return json.loads(json.dumps({"case": case.name, "input": case.source.key, "status": DONE, **report}))


def failed_record(case: Case, code: str, sentence: str) -> Record:
    """Return the record of a case that could not be segmented: one line, without its path.

    Parameters
    ----------
    code : str
        A key of `errors.EXIT_CODES`, or "defect" for an unexpected error.
    """
    folder = os.path.dirname(case.source.path)
    line = sentence.partition("\n")[0].replace(case.source.path, "the input")
    line = line.replace(folder, "its folder") if len(folder) > 1 else line
    line = line.encode("utf-8", "backslashreplace").decode("utf-8")  # a path may hold what is no text
    return {"case": case.name, "input": case.source.key, "status": FAILED, "code": code,
            "message": f"{line[:1].upper()}{line[1:]}"}


def write_record(out: Path, record: Record) -> None:
    """Write or replace a case's record, whole or not at all."""
    from ..results.writing import atomic_path

    with atomic_path(out / RECORDS / f"{record['case']}.json", overwrite=True) as partial:
        partial.write_text(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_records(out: Path) -> dict[str, Record]:
    """Return the records in a batch's folder by case; what is no record is passed over, and its case made again."""
    found = {}
    for path in sorted((out / RECORDS).glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(record, dict) and record.get("case") == path.stem and isinstance(record.get("input"), str) \
                and record.get("status") in (DONE, FAILED):
            found[path.stem] = record
    return found


def is_complete(record: Record | None, case: Case, settings: Settings) -> bool:
    """Whether a case is done and all its files are there."""
    return record is not None and record["status"] == DONE and all(map(os.path.isfile, settings.job(case).targets))


def write_lines(out: Path, records: Iterable[Record]) -> None:
    """Write one JSON line a case, whole or not at all."""
    from ..results.writing import atomic_path

    with atomic_path(out / LINES_FILE, overwrite=True) as partial:
        partial.write_text("".join(map(line_of, records)), encoding="utf-8")


def line_of(record: Record) -> str:
    """Return a record as one line."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
