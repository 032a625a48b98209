"""All cases of a batch as one table: a CSV file, a line a case, and a short form for the terminal."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from pathlib import Path

from .records import DONE, FAILED, Record

TABLE_FILE = "summary.csv"


def organ_names(records: Sequence[Record]) -> list[str]:
    """The organs that occur, in the order of the first record that has them."""
    return list(dict.fromkeys(organ["name"] for record in records for organ in record.get("organs", ())))


def write_table(out: Path, records: Sequence[Record]) -> None:
    """Write the CSV file, whole or not at all."""
    from ..results.writing import atomic_path

    with atomic_path(out / TABLE_FILE, overwrite=True) as partial:
        partial.write_text(table_csv(records), encoding="utf-8", newline="")


def table_csv(records: Sequence[Record]) -> str:
    """Return one line a case: state, volume (ml) and mean density (HU) of each organ, warnings, what it took."""
    organs = organ_names(records)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["case", "status", *(f"{organ}_{what}" for organ in organs for what in ("ml", "mean_hu")),
                     "remarks", "code", "message", "device", "seconds"])
    for record in records:
        found = {organ["name"]: organ for organ in record.get("organs", ())}
        figures = [_rounded(found.get(organ, {}).get(what)) for organ in organs for what in ("volume_ml", "mean_hu")]
        sentences = [*record.get("warnings", ()), *record.get("notes", ())]
        writer.writerow([record["case"], record["status"], *figures, " ".join(sentences),
                         *(record.get(name, "") for name in ("code", "message", "device", "seconds"))])
    return stream.getvalue()


def summary_text(records: Sequence[Record]) -> str:
    """Return, for each organ, in how many cases it was found and its volumes: median and range."""
    from ..evaluation.table import aligned

    done = [record for record in records if record["status"] == DONE]
    rows = [["organ", "found in", "median ml", "least", "greatest"]]
    for name in organ_names(done):
        volumes = [organ["volume_ml"] for record in done for organ in record["organs"]
                   if organ["name"] == name and organ["voxels"]]
        figures = [f"{of(volumes):.1f}" if volumes else "-" for of in (statistics.median, min, max)]
        rows.append([name, f"{len(volumes)} of {len(done)}", *figures])
    warned = sum(bool(record["warnings"]) for record in done)
    failed = sum(record["status"] == FAILED for record in records)
    count = f"{len(done)} of {len(records)} cases done, {warned} of them with warnings; {failed} failed"
    return "\n".join([aligned(rows), "", count] if done else [count])


def _rounded(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
