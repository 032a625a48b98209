"""The report's charts: box plots by organ, and our means beside other teams'. Needs matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .published import PUBLISHED_TEAMS
from .rows import Evaluation

MODEL_COLOUR = "#2f6fab"
BASELINE_COLOUR = "#b9bec4"
INK = "#22272c"
FEW_CASES = 40


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the report.

    Attributes
    ----------
    key : str
        Name of its files.
    title, caption : str
        What stands below it on the page.
    canvas : matplotlib.figure.Figure
        The drawing.
    """

    key: str
    title: str
    caption: str
    canvas: Figure


def box_plots(evaluations: list[Evaluation], metric: str, label: str) -> Figure:
    """Return box plots of one metric by organ, models side by side (the first one is ours).

    The box holds the middle half of the cases, the line is the median, whiskers reach to the last case within 1.5
    box lengths; single cases are drawn where there are few of them.
    """
    canvas = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = canvas.add_subplot()
    organs = evaluations[0].organs
    shown = list(zip(evaluations, (MODEL_COLOUR, BASELINE_COLOUR)))
    width = 0.55 / len(shown)
    for place, (evaluation, colour) in enumerate(shown):
        positions = np.arange(len(organs)) + (place - (len(shown) - 1) / 2) * width * 1.2
        values = [list(evaluation.values(metric, organ).values()) for organ in organs]
        few = max(map(len, values)) <= FEW_CASES
        axes.boxplot(values, positions=positions, widths=width, manage_ticks=False, patch_artist=True,
                     showfliers=not few, boxprops={"facecolor": colour, "alpha": 0.55, "edgecolor": INK},
                     medianprops={"color": INK, "linewidth": 1.6}, flierprops={"marker": ".", "markersize": 4})
        if few:
            random = np.random.default_rng(0)
            for x, column in zip(positions, values):
                spots = x + random.uniform(-width / 5, width / 5, len(column))
                axes.plot(spots, column, ".", color=INK, alpha=0.55, markersize=4)
    axes.set_xticks(range(len(organs)), organs)
    axes.set_xlim(-0.6, len(organs) - 0.4)
    axes.set_ylim(top=1.01)
    axes.set_ylabel(label)
    _quiet(axes)
    if len(shown) > 1:
        axes.legend(handles=[Patch(facecolor=colour, alpha=0.55, edgecolor=INK, label=evaluation.name)
                             for evaluation, colour in shown], frameon=False, loc="lower left")
    return canvas


def teams_chart(name: str, mean_dice: float, mean_nsd: float) -> Figure:
    """Return mean Dice and mean NSD (percent) of the published teams with ours among them, best Dice on top."""
    rows = sorted([(team.mean_dice, team.mean_nsd, team.team) for team in PUBLISHED_TEAMS]
                  + [(mean_dice, mean_nsd, name)])
    canvas = Figure(figsize=(7.2, 0.3 * len(rows) + 0.9), layout="constrained")
    axes = canvas.add_subplot()
    for y, (dice, nsd, team) in enumerate(rows):
        colour = MODEL_COLOUR if (dice, nsd, team) == (mean_dice, mean_nsd, name) else "#767d85"
        axes.plot([nsd, dice], [y, y], color=colour, alpha=0.35, linewidth=2, zorder=1)
        axes.plot(dice, y, "o", color=colour, zorder=2)
        axes.plot(nsd, y, "D", color=colour, markerfacecolor="white", zorder=2)
    axes.set_yticks(range(len(rows)), [team for *_, team in rows])
    for label, row in zip(axes.get_yticklabels(), rows):
        if row == (mean_dice, mean_nsd, name):
            label.set(color=MODEL_COLOUR, fontweight="bold")
    axes.plot([], [], "o", color="#767d85", label="mean Dice")
    axes.plot([], [], "D", color="#767d85", markerfacecolor="white", label="mean NSD, 1 mm")
    axes.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    axes.set_xlabel("%")
    _quiet(axes, "x")
    return canvas


def _quiet(axes: Axes, grid: Literal["x", "y"] = "y") -> None:
    axes.grid(axis=grid, color="#e3e6e9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
