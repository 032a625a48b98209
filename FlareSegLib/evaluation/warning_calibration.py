"""How often the plausibility warnings tell that a result is bad, and how often they come with a good one.

``python -m FlareSegLib.evaluation.warning_calibration FILE.json …`` reads the rows of `leave_one_out` and `conditions`
and counts, organ by organ: a result is bad where its Dice lies below a bound. Thresholds are not chosen here, and
should not be chosen on the very rows that are reported.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np

from ..errors import FlareSegError
from ..results.plausibility import KINDS
from .result_rows import ResultRow, read_rows

BOUNDS = (0.7, 0.8, 0.9)
#: That an organ reaches the scan's edge is a fact of the scan, no doubt about the result.
DOUBTS = tuple(kind for kind in KINDS if kind != "cut off")
#: What is looked at: what the table calls it, and the kinds that it stands for.
SIGNALS = {"any doubt": DOUBTS, **{kind: (kind,) for kind in KINDS}}


class Count(TypedDict):
    """Of an organ and a signal: how many results are bad (a Dice below the bound) and good, how many have the warning.

    Sensitivity is bad_warned / bad, the rate of false alarms good_warned / good.
    """

    organ: str
    bound: float
    signal: str
    bad: int
    bad_warned: int
    good: int
    good_warned: int


def results(rows: Sequence[ResultRow]) -> dict[str, list[tuple[float, frozenset[str]]]]:
    """Dice and kinds of warnings of each result: by organ, and of the "whole scan" the mean Dice and all organs' kinds.

    Organs that the reference lacks are left out, so are rows without warnings (of manual livers alone).
    """
    found: dict[str, list[tuple[float, frozenset[str]]]] = {"whole scan": []}
    for row in rows:
        if "warnings" not in row or not row["dice"]:
            continue
        kinds = {organ: frozenset(row["warnings"].get(organ, ())) for organ in row["dice"]}
        for organ, dice in row["dice"].items():
            found.setdefault(organ, []).append((dice, kinds[organ]))
        found["whole scan"].append((float(np.mean(list(row["dice"].values()))), frozenset().union(*kinds.values())))
    return found


def calibration(rows: Sequence[ResultRow]) -> list[Count]:
    """Return counts for each organ, bound and signal."""
    found: list[Count] = []
    for organ, values in results(rows).items():
        for bound in BOUNDS:
            for signal, kinds in SIGNALS.items():
                warned = [(dice < bound, bool(has & set(kinds))) for dice, has in values]
                bad, good = ([has for is_bad, has in warned if is_bad is wanted] for wanted in (True, False))
                found.append({"organ": organ, "bound": bound, "signal": signal, "bad": len(bad),
                              "bad_warned": sum(bad), "good": len(good), "good_warned": sum(good)})
    return found


def format_calibration(found: list[Count], signals: tuple[str, ...] = tuple(SIGNALS)) -> str:
    """Return `calibration` as a Markdown table."""
    lines = ["| organ | bad is a Dice below | warning | bad results warned of | good results warned of |",
             "|---" * 5 + "|"]
    for each in found:
        if each["signal"] in signals:
            lines.append(f"| {each['organ']} | {each['bound']:g} | {each['signal']} | "
                         f"{_share(each['bad_warned'], each['bad'])} | {_share(each['good_warned'], each['good'])} |")
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else "none there"


def main(arguments: list[str] | None = None) -> None:
    """Run this script; without `arguments`, with those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    options = parser.parse_args(arguments)
    try:
        print(format_calibration(calibration(read_rows(options.files))))
    except FlareSegError as error:
        parser.exit(error.exit_code, f"{error}\n")


if __name__ == "__main__":
    main()
