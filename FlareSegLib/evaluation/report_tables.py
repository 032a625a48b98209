"""The report's tables, in the layout of the paper's Tables 4 and 5, as HTML."""

from __future__ import annotations

from .page import table
from .published import BASELINE_TEAM, PAPER_COSTS, PAPER_TABLE_4, PAPER_TABLE_5, PAPER_TEAM, PUBLISHED_TEAMS
from .ranking import flare21_ranking, ranked_criteria
from .rows import METRICS, Evaluation
from .rules import FLARE21
from .statistics import PairedDifference, Spread, paired_difference, spread
from .table import percent

DSC_NSD = {"DSC": "dice", "NSD": "nsd"}
COSTS = {"Running Time (s)": "seconds", "GPU Memory (MB)": "gpu_mb"}
FEW_CASES = 10
CRITERIA_NAMES = {"dice": "Dice", "nsd": "NSD", "seconds": "running time", "gpu_mb": "GPU memory"}


def table_4(evaluation: Evaluation) -> str:
    """Dice, sensitivity and precision of each organ, with the paper's own beside them."""
    rows = []
    for organ in evaluation.organs:
        paper = PAPER_TABLE_4.get(organ, (None,) * 3)
        rows.append([organ.capitalize(),
                     *(percent(spread(evaluation.values(metric, organ).values()), 2) for metric in METRICS[:3]),
                     *("–" if value is None else f"{value[0]:.2f} ± {value[1]:.1f}" for value in paper)])
    columns = ["Organ", "Dice (%)", "Sensitivity (%)", "Precision (%)",
               "paper:\nDice (%)", "paper:\nSensitivity (%)", "paper:\nPrecision (%)"]
    return table(columns, rows, "Mean ± sample standard deviation over cases, in percent. The paper's columns are its "
                 "Table 4: the 361 training cases of FLARE21, so not the same cases; it prints the deviations as "
                 "fractions.", muted=(4, 5, 6))


def table_5(evaluation: Evaluation, baseline: Evaluation | None) -> str:
    """DSC and NSD of each organ and the costs: baseline, ours, their difference, then the paper's two columns."""
    compared = ["Baseline\n(Avg ± std)"] if baseline else []
    differences = ["Difference\n[95 % interval]", "p"] if baseline else []
    rows = [_metric_row(evaluation, baseline, organ, short) for organ in evaluation.organs for short in DSC_NSD]
    rows += [_mean_row(evaluation, baseline, short) for short in DSC_NSD]
    rows += [_cost_row(evaluation, baseline, label) for label in COSTS]
    columns = ["Metrics", *compared, "Ours\n(Avg ± std)", *differences, "paper:\nBaseline", "paper:\nOurs"]
    caption = ("DSC and NSD in percent. The paper's columns are its Table 5: the 50 validation cases of FLARE21, "
               "NSD at 1 mm, time and memory on the organisers' machine.")
    if evaluation.rules != FLARE21.name:
        caption += f" Ours by the rules of {evaluation.rules.upper()}: the paper's NSD cannot be compared with it."
    if baseline:
        caption += (f" Baseline: {baseline.name}. Difference: ours - baseline, mean over the cases of both, with a "
                    "percentile bootstrap interval (10,000 resamples over cases) and the p of a two-sided Wilcoxon "
                    "signed-rank test; p is not corrected for the number of rows.")
        if len(set(evaluation.cases) & set(baseline.cases)) < FEW_CASES:
            caption += " There are few cases: the intervals are too narrow, and p cannot become small."
    return table(columns, rows, caption, muted=(len(columns) - 2, len(columns) - 1))


def ranking_table(evaluation: Evaluation, baseline: Evaluation) -> str:
    """FLARE21's rank-then-average over the evaluated models."""
    models = [evaluation, baseline]
    criteria = ", ".join(CRITERIA_NAMES[name] for name in ranked_criteria(models))
    rows = [[name, f"{rank:.3f}"] for name, rank in flare21_ranking(models).items()]
    return table(["Model", "normalised\nmean rank"], rows,
                 f"FLARE21's scheme on the cases of both: each case ranks the models by {criteria or 'nothing'}; ranks "
                 "are averaged and divided by the number of models (lower is better).")


def teams_table(evaluation: Evaluation) -> str:
    """Our means among those of other teams, best mean Dice first."""
    ours = [_organ_mean(evaluation, metric) for metric in ("dice", "nsd")]
    costs = [spread(evaluation.cost_values(name).values()) for name in COSTS.values()]
    rows = [(team.mean_dice, [f"{team.team} ({team.note})" if team.note else team.team,
                              *(f"{dice:.1f} / {nsd:.1f}" for dice, nsd in zip(team.dice, team.nsd)),
                              f"{team.mean_dice:.1f} / {team.mean_nsd:.1f}", _number(team.seconds),
                              _number(team.gpu_mb, 0)]) for team in PUBLISHED_TEAMS]
    cells = [f"{_mean_percent(evaluation, 'dice', organ)} / {_mean_percent(evaluation, 'nsd', organ)}"
             for organ in PAPER_TABLE_5]
    name = f"{evaluation.name} (here)"
    rows.append((100 * ours[0], [name, *cells, " / ".join(_number(100 * value) for value in ours),
                                 *(_number(None if cost is None else cost.mean, digits)
                                   for cost, digits in zip(costs, (1, 0)))]))
    rows.sort(key=lambda row: -row[0])
    place = next(number for number, (_, row) in enumerate(rows) if row[0] == name)
    return table(["Team", *(f"{organ}\nDSC / NSD" for organ in PAPER_TABLE_5), "mean\nDSC / NSD", "s", "MB"],
                 [row for _, row in rows],
                 "Means over cases, percent. The teams' rows are from their short papers: 50 validation cases of "
                 f"FLARE21. Ours is on {evaluation.data} ({len(evaluation.cases)} cases): unless these are the same "
                 "cases, the order means little. The challenge ranks each case and then averages; that needs the other "
                 "teams' figures of single cases, which are not public.", ours=place)


def case_rows(evaluation: Evaluation) -> str:
    """Every case: Dice and NSD of each organ."""
    rows = []
    for case in evaluation.cases:
        cells = [" / ".join(_share(evaluation.values(metric, organ).get(case)) for metric in DSC_NSD.values())
                 for organ in evaluation.organs]
        rows.append([case, *cells])
    return table(["Case", *(f"{organ}\nDSC / NSD" for organ in evaluation.organs)], rows, "Percent.")


def beside_teams(evaluation: Evaluation) -> bool:
    """True where FLARE21's four organs were scored against manual references by FLARE21's rules, as the teams' were."""
    return (evaluation.rules == FLARE21.name and evaluation.reference_kind == "manual"
            and set(PAPER_TABLE_5) <= set(evaluation.organs))


def organ_means(evaluation: Evaluation) -> tuple[float, float]:
    """Mean Dice and mean NSD over FLARE's four organs, percent."""
    return 100 * _organ_mean(evaluation, "dice"), 100 * _organ_mean(evaluation, "nsd")


def _organ_mean(evaluation: Evaluation, metric: str) -> float:
    means = [spread(evaluation.values(metric, organ).values()) for organ in PAPER_TABLE_5]
    return sum(mean.mean if mean else 0.0 for mean in means) / len(means)


def _metric_row(evaluation: Evaluation, baseline: Evaluation | None, organ: str, short: str) -> list[str]:
    metric = DSC_NSD[short]
    values = [each.values(metric, organ) for each in (baseline, evaluation) if each]
    paper = PAPER_TABLE_5.get(organ, {}).get(metric, (None, None))
    return [f"{organ.capitalize()}-{short}", *(percent(spread(each.values())) for each in values),
            *(_difference(values, 100.0) if baseline else []),
            *("–" if value is None else f"{value[0]:.1f} ± {value[1]:.1f}" for value in paper)]


def _mean_row(evaluation: Evaluation, baseline: Evaluation | None, short: str) -> list[str]:
    values = [each.case_means(DSC_NSD[short]) for each in (baseline, evaluation) if each]
    teams = {team.team: team for team in PUBLISHED_TEAMS}
    means = [getattr(teams[name], f"mean_{DSC_NSD[short]}") for name in (BASELINE_TEAM, PAPER_TEAM)]
    return [f"Mean of the organs, {short}", *(percent(spread(each.values())) for each in values),
            *(_difference(values, 100.0) if baseline else []), *(f"{round(value, 3):g}" for value in means)]


def _cost_row(evaluation: Evaluation, baseline: Evaluation | None, label: str) -> list[str]:
    values = [each.cost_values(COSTS[label]) for each in (baseline, evaluation) if each]
    return [label, *(_plain(spread(each.values())) for each in values),
            *(_difference(values, 1.0) if baseline else []), *(f"{value:g}" for value in PAPER_COSTS[COSTS[label]])]


def _difference(values: list[dict[str, float]], scale: float) -> list[str]:
    found = paired_difference(values[1], values[0])
    return ["–", "–"] if found is None else [_interval(found, scale), _p(found)]


def _interval(found: PairedDifference, scale: float) -> str:
    mean, low, high = (scale * value for value in (found.mean, found.low, found.high))
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"


def _p(found: PairedDifference) -> str:
    if found.p is None:
        return "–"
    return "< 0.001" if found.p < 0.001 else f"{found.p:.3f}"


def _plain(value: Spread | None) -> str:
    return "not measured" if value is None else f"{value.mean:.1f}"


def _mean_percent(evaluation: Evaluation, metric: str, organ: str) -> str:
    value = spread(evaluation.values(metric, organ).values())
    return "–" if value is None else f"{100 * value.mean:.1f}"


def _number(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
