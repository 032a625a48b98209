"""An evaluation in words: the table on the terminal."""

from __future__ import annotations

from .rows import METRICS, Evaluation
from .statistics import Spread, spread

HEADINGS = {"dice": "Dice %", "sensitivity": "sensitivity %", "precision": "precision %", "nsd": "NSD %"}
KINDS = {"manual": "manual", "silver": "silver (the output of another model, no ground truth)",
         "synthetic": "synthetic", "unstated": "of unstated kind (--reference-kind)"}


def evaluation_table(evaluation: Evaluation) -> str:
    """Return mean ± sd of each organ, then of the cases' means, the costs and the notes."""
    body = [[organ, *(percent(spread(evaluation.values(metric, organ).values())) for metric in METRICS)]
            for organ in evaluation.organs]
    if len(evaluation.organs) > 1:
        body.append(["mean", *(percent(spread(evaluation.case_means(metric).values())) for metric in METRICS)])
    tolerances = {score.tolerance_mm for score in evaluation.scores}
    nsd_note = f"NSD tolerance {', '.join(f'{mm:g}' for mm in sorted(tolerances))} mm ({evaluation.rules})"
    count = len(evaluation.cases)
    lines = [aligned([["organ", *HEADINGS.values()], *body]), "",
             f"{count} cases, mean ± sd; " * (count > 1) + f"reference {KINDS[evaluation.reference_kind]}; "
             f"{nsd_note}", *_cost_lines(evaluation), *(f"! {note}" for note in evaluation.notes)]
    return "\n".join(lines)


def case_table(evaluation: Evaluation) -> str:
    """Return one line a case and organ."""
    body = [[f"{score.case}  {score.organ}", *(_share(getattr(score, metric)) for metric in METRICS),
             f"{score.prediction_ml:.1f}", f"{score.reference_ml:.1f}"] for score in evaluation.scores]
    return aligned([["case and organ", *HEADINGS.values(), "ml", "reference ml"], *body])


def percent(value: Spread | None, digits: int = 1) -> str:
    """Mean ± sd of shares, in percent; the value alone where there is one, a dash where there is none."""
    if value is None:
        return "-"
    if value.count == 1:
        return f"{100 * value.mean:.{digits}f}"
    return f"{100 * value.mean:.{digits}f} ± {100 * value.sd:.{digits}f}"


def aligned(rows: list[list[str]]) -> str:
    """Rows of text as columns, the first one to the left, with a rule below the heading."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) if index == 0 else cell.rjust(width)
                       for index, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _cost_lines(evaluation: Evaluation) -> list[str]:
    lines = []
    for name, label, unit in (("seconds", "running time", "s"), ("gpu_mb", "GPU memory when stable", "MB")):
        value = spread(evaluation.cost_values(name).values())
        if value is not None:
            lines.append(f"{label} {value.mean:.1f} ± {value.sd:.1f} {unit} ({value.count} cases)")
    return lines
