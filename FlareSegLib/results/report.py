"""The result in words and numbers: a JSON report for programs, a table for the terminal."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from os import PathLike
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..volumes.volume import Volume
from .measurements import OrganMeasurement
from .writing import atomic_path, check_output

if TYPE_CHECKING:
    from ..inference.segmentation import Segmentation

#: Raised whenever a field of the report changes its meaning or goes away.
SCHEMA_VERSION = 1

REPORT_SUFFIXES = (".json",)


def report_dict(segmentation: Segmentation, measurements: tuple[OrganMeasurement, ...], warnings: tuple[str, ...],
                file_name: str | None = None) -> dict[str, Any]:
    """Return the report as plain dicts, lists and numbers. It holds no patient data.

    Parameters
    ----------
    segmentation : Segmentation
        The result.
    measurements, warnings
        From `measure` and `plausibility_warnings`.
    file_name : str or None
        Something to tell the report by; a file name may hold a patient's name, so none is put in unasked.
    """
    report = {
        "schema_version": SCHEMA_VERSION,
        "flareseg_version": __version__,
        "model": segmentation.model,
        "device": segmentation.device,
        "precision": segmentation.precision,
        "runtime": segmentation.runtime,
        "reason": segmentation.reason,
        "geometry": _geometry(segmentation.label_map),
        "organs": [asdict(measurement) for measurement in measurements],
        "warnings": list(warnings),
        "notes": list(segmentation.notes),
        "slices_run": segmentation.slices_run,
        "seconds": round(segmentation.seconds, 3),
        "peak_memory_mb": _known(segmentation.peak_memory_mb),
    }
    return report if file_name is None else {"file": file_name, **report}


def write_report(path: str | PathLike[str], report: dict[str, Any], overwrite: bool = False) -> None:
    """Write a report as JSON (UTF-8), whole or not at all.

    Raises
    ------
    FlareSegError
        "bad_option", "output_exists", "output_unwritable".
    """
    check_output(path, overwrite, REPORT_SUFFIXES)
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_path(path, overwrite) as partial:
        partial.write_text(text, encoding="utf-8")


def organ_table(segmentation: Segmentation, measurements: tuple[OrganMeasurement, ...],
                warnings: tuple[str, ...]) -> str:
    """Return an aligned table of the organs, the warnings and notes below it, then what the run took."""
    rows = [("organ", "volume ml", "mean HU"), *map(_table_row, measurements)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [f"{name:<{widths[0]}}  {volume:>{widths[1]}}  {hu:>{widths[2]}}" for name, volume, hu in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    remarks = [f"! {sentence}" for sentence in (*warnings, *segmentation.notes)]
    memory = _known(segmentation.peak_memory_mb)
    cost = (f"{segmentation.slices_run} slices run in {segmentation.seconds:.1f} s on {segmentation.device} "
            f"({segmentation.precision}), peak memory {'unknown' if memory is None else f'{memory:.0f} MB'}, "
            f"{segmentation.model}")
    why = [segmentation.reason] if segmentation.reason else []
    return "\n".join(lines + ([""] + remarks if remarks else []) + ["", cost, *why])


def _table_row(organ: OrganMeasurement) -> tuple[str, str, str]:
    if not organ.found:
        return organ.name, "not found", "-"
    return organ.name, f"{organ.volume_ml:.1f}", f"{organ.mean_hu:.0f}"


def _known(megabytes: float) -> float | None:
    """JSON knows no NaN: None where the system did not tell."""
    return None if math.isnan(megabytes) else round(megabytes, 1)


def _geometry(volume: Volume) -> dict[str, list[int] | list[float]]:
    return {
        "size": list(volume.size),
        "spacing_mm": list(map(float, volume.spacing)),
        "origin_lps_mm": list(map(float, volume.origin)),
        "direction_lps": list(map(float, volume.direction)),
    }
