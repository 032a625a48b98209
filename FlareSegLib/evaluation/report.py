"""The report of an evaluation: one HTML page, and each figure as PNG and PDF. Needs matplotlib; 3D needs VTK."""

from __future__ import annotations

import io
import statistics
from html import escape
from pathlib import Path

from .. import __version__
from ..errors import FlareSegError
from ..jobs.staging import Staging
from ..organs import Organ
from ..results.writing import check_output
from . import page
from .case_files import CaseFiles, load_case, report_organs
from .case_pictures import (
    CaseImages, disease_figure, isotropic_figure, scene_figure, widest_gap, worst_case_figure, worst_organs_figure)
from .charts import ReportFigure, box_plots, teams_chart
from .disease_examples import disease_examples
from .report_tables import (
    beside_teams, case_rows, organ_means, ranking_table, table_4, table_5, teams_table)
from .rows import Evaluation
from .statistics import spread

PAGE_NAME = "report.html"
FIGURES = "figures"
DPI = 150

REFERENCE_SENTENCES = {
    "manual": "The references were drawn by people.",
    "silver": "The references are silver: the output of another model, no ground truth. Agreement with them is not "
              "accuracy.",
    "synthetic": "The cases are synthetic. They show that everything works, not how good a model is on patients.",
    "unstated": "Nobody said what the references are (--reference-kind); do not quote these figures as accuracy.",
}
#: What is left out, and why.
NO_TEAMS = ("Our means are set beside those of other teams only where FLARE21's four organs were scored against manual "
            "references by FLARE21's rules.")


def write_report(folder: str | Path, evaluation: Evaluation, baseline: Evaluation | None = None,
                 files: CaseFiles | None = None, overwrite: bool = False) -> tuple[str, ...]:
    """Write the page and the figures, all of them or none.

    Parameters
    ----------
    folder : str or Path
        Made if it does not exist; gets report.html and figures/*.png, *.pdf.
    evaluation, baseline : Evaluation
        The model, and another one on the same cases to compare it with.
    files : CaseFiles or None
        Label maps and CTs of the cases; without them there are no pictures of cases.
    overwrite : bool
        Replace a report that is there.

    Returns
    -------
    tuple of str
        Why which figure is missing, one sentence each.

    Raises
    ------
    FlareSegError
        "bad_evaluation_data" where the two evaluations cannot be compared, "output_exists", "output_unwritable"; as
        `load_case`.
    """
    folder = Path(folder)
    _refuse_unlike(evaluation, baseline)
    _check_folder(folder, overwrite)
    case_figures, missing = _case_figures(evaluation, files)
    charts = _charts(evaluation, baseline)
    for figure in (*charts, *case_figures):
        _sign(figure, evaluation)
    pictures = {figure.key: _rendered(figure, "png") for figure in (*charts, *case_figures)}
    text = page.page(f"{evaluation.name} on {evaluation.data}",
                     _body(evaluation, baseline, charts, case_figures, pictures, missing))
    _make_folder(folder / FIGURES)
    with Staging() as staging:
        for figure in (*charts, *case_figures):
            _stage(staging, folder / FIGURES / f"{figure.key}.png", pictures[figure.key])
            _stage(staging, folder / FIGURES / f"{figure.key}.pdf", _rendered(figure, "pdf"))
        _stage(staging, folder / PAGE_NAME, text.encode("utf-8"))
        staging.commit(overwrite)
    return missing


def shown_cases(evaluation: Evaluation) -> tuple[str, str, dict[str, str]]:
    """Return the case with the lowest mean Dice, the one in the middle, and each organ's worst case."""
    means = evaluation.case_means("dice")
    middle = statistics.median_low(means.values())
    worst = {organ: min(values, key=values.__getitem__) for organ in evaluation.organs
             if (values := evaluation.values("dice", organ))}
    return min(means, key=means.__getitem__), next(case for case in means if means[case] == middle), worst


def _refuse_unlike(evaluation: Evaluation, baseline: Evaluation | None) -> None:
    if not evaluation.scores:
        raise FlareSegError("bad_evaluation_data", "The evaluation holds no case; evaluate again.")
    if baseline is None:
        return
    for name, what in (("rules", "rules"), ("reference_kind", "kinds of reference"), ("organs", "organs")):
        if getattr(evaluation, name) != getattr(baseline, name):
            raise FlareSegError("bad_evaluation_data", f"Model and baseline were evaluated with different {what}; "
                                                       "evaluate both in the same way.")
    if not set(evaluation.cases) & set(baseline.cases):
        raise FlareSegError("bad_evaluation_data", "Model and baseline have no case in common.")


def _check_folder(folder: Path, overwrite: bool) -> None:
    if folder.is_file():
        raise FlareSegError("output_unwritable", f"{folder} is a file; give the name of a folder.")
    if folder.is_dir():
        check_output(folder / PAGE_NAME, overwrite)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"Cannot make {folder}; choose another place.") from error


def _charts(evaluation: Evaluation, baseline: Evaluation | None) -> list[ReportFigure]:
    models = [evaluation, *([baseline] if baseline else [])]
    charts = [ReportFigure(f"figure_{number}_{metric}", f"Figure {number}. {metric.capitalize()} by organ.",
                           f"{len(evaluation.cases)} cases of {evaluation.data}. Box: middle half of the cases; line: "
                           "median; whiskers: to the last case within 1.5 box lengths.",
                           box_plots(models, metric, metric.capitalize()))
              for number, metric in ((3, "dice"), (4, "sensitivity"), (5, "precision"))]
    if beside_teams(evaluation):
        charts.append(ReportFigure("figure_teams", "Ours among the teams of FLARE21.",
                                   "Means over the organs. The teams: 50 validation cases of FLARE21, from their short "
                                   f"papers. Ours: {evaluation.data}.",
                                   teams_chart(evaluation.name, *organ_means(evaluation))))
    return charts


def _case_figures(evaluation: Evaluation, files: CaseFiles | None) -> tuple[list[ReportFigure], tuple[str, ...]]:
    if files is None:
        return [], ("Figures 1, 2, 6, 7 and 8 need the label maps and CTs of the cases (--predictions, --references, "
                    "--images).",)
    organs = report_organs(evaluation)
    worst, middle, by_organ = shown_cases(evaluation)
    loaded = {case: load_case(case, files, organs) for case in dict.fromkeys((worst, middle, *by_organ.values()))}
    figures = []
    missing = [f"{case}: its files were not found, so it is not shown." for case, images in loaded.items()
                if images is None]
    available = {case: images for case, images in loaded.items() if images is not None}
    if any(images.ct is None for images in available.values()):
        missing.append("Some cases are shown without their CT (--images).")
    figures += _isotropic(list(available.values()), missing)
    figures += _diseases(available.get(middle) or next(iter(available.values()), None), organs, missing)
    if worst in available:
        figures.append(_worst_case(evaluation, available[worst], organs))
    figures += _worst_organs(evaluation, by_organ, available, organs)
    if middle in available:
        figures += _scene(available[middle], organs, missing)
    return figures, tuple(missing)


def _isotropic(images: list[CaseImages], missing: list[str]) -> list[ReportFigure]:
    ct = widest_gap(images)
    if ct is None:
        missing.append("Figure 1 (z-isotropification) needs a CT (--images).")
        return []
    canvas, before, after = isotropic_figure(ct)
    return [ReportFigure("figure_1_isotropification", "Figure 1. Z-isotropification.",
                         "Part of a coronal cut as stored and interpolated along z to the in-plane spacing: "
                         f"{before} slices become {after} (in the paper's example 93 become 269).", canvas)]


def _diseases(images: CaseImages | None, organs: tuple[Organ, ...], missing: list[str]) -> list[ReportFigure]:
    if images is None or images.ct is None:
        missing.append("Figure 2 (simulated diseases) needs a CT (--images).")
        return []
    examples = disease_examples(images.ct, images.reference, organs)
    if not examples:
        missing.append(f"Figure 2 (simulated diseases) is missing: {images.case} has no organ with room for one.")
        return []
    return [ReportFigure("figure_2_diseases", "Figure 2. Simulated diseases.",
                         f"Diseases put into {images.case}, one at a time, with the reference's outlines: image and "
                         "labels are edited together. No patient has them.", disease_figure(examples, organs))]


def _worst_case(evaluation: Evaluation, images: CaseImages, organs: tuple[Organ, ...]) -> ReportFigure:
    scores = ", ".join(f"{score.organ} {100 * score.dice:.2f}" for score in evaluation.scores
                       if score.case == images.case)
    return ReportFigure("figure_6_worst_case", "Figure 6. The worst case.",
                        f"{images.case} has the lowest mean Dice ({scores} %). Planes with most differences.",
                        worst_case_figure(images, organs))


def _worst_organs(evaluation: Evaluation, by_organ: dict[str, str], available: dict[str, CaseImages],
                  organs: tuple[Organ, ...]) -> list[ReportFigure]:
    shown = [(organ, available[by_organ[organ.name]], evaluation.values("dice", organ.name)[by_organ[organ.name]])
             for organ in organs if by_organ.get(organ.name) in available]
    if not shown:
        return []
    return [ReportFigure("figure_7_worst_organs", "Figure 7. The worst case of each organ.",
                         "Axial plane with most differences of that organ.", worst_organs_figure(shown, organs))]


def _scene(images: CaseImages, organs: tuple[Organ, ...], missing: list[str]) -> list[ReportFigure]:
    canvas = scene_figure(images, organs)
    if canvas is None:
        missing.append("Figure 8 (3D) is missing: VTK is not installed or cannot draw on this machine.")
        return []
    return [ReportFigure("figure_8_3d", "Figure 8. Reference and prediction in 3D.",
                         f"{images.case}, the case in the middle by mean Dice. Surfaces are smoothed.", canvas)]


def _body(evaluation: Evaluation, baseline: Evaluation | None, charts: list[ReportFigure],
          case_figures: list[ReportFigure], pictures: dict[str, bytes], missing: tuple[str, ...]) -> list[str]:
    shown = {figure.key: page.figure(figure.key, pictures[figure.key], figure.title, figure.caption)
             for figure in (*charts, *case_figures)}
    teams = shown.pop("figure_teams", "")
    preprocessing = [shown.pop(key, "") for key in ("figure_1_isotropification", "figure_2_diseases")]
    body = [f"<h1>{escape(evaluation.name)}</h1>", *_summary(evaluation, baseline),
            page.heading("Dice, sensitivity, precision (the paper's Table 4)"), table_4(evaluation),
            *(shown.pop(figure.key) for figure in charts if figure.key in shown),
            page.heading("DSC, NSD and costs (the paper's Table 5)"), table_5(evaluation, baseline)]
    if baseline:
        body += [page.heading("Ranking of the two models"), ranking_table(evaluation, baseline)]
    body += [page.heading("Beside the teams of FLARE21"),
             *((teams_table(evaluation), teams) if teams else (page.paragraph(NO_TEAMS, "muted"),))]
    body += [page.heading("Cases"), *shown.values(),
             page.folded(f"All {len(evaluation.cases)} cases", case_rows(evaluation)),
             page.heading("Isotropification and simulated diseases"), *preprocessing]
    body += [page.paragraph(sentence, "muted") for sentence in missing]
    body.append(f"<footer>FlareSeg {__version__}, rules {evaluation.rules}. Research use only; not for diagnosis."
                "</footer>")
    return body


def _summary(evaluation: Evaluation, baseline: Evaluation | None) -> list[str]:
    versus = f", compared with {baseline.name}" if baseline else ""
    tolerances = sorted({score.tolerance_mm for score in evaluation.scores})
    figures = {"cases": str(len(evaluation.cases))}
    for name, metric in (("mean Dice", "dice"), ("mean NSD", "nsd")):
        value = spread(evaluation.case_means(metric).values())
        figures[name] = "–" if value is None else f"{100 * value.mean:.1f} %"
    for name, cost, unit in (("running time a case", "seconds", "s"), ("GPU memory when stable", "gpu_mb", "MB")):
        value = spread(evaluation.cost_values(cost).values())
        if value is not None:
            figures[name] = f"{value.mean:.1f} {unit}"
    rules = (f"Rules of {evaluation.rules.upper()}; NSD weighted by surface area, tolerance "
             f"{', '.join(f'{mm:g}' for mm in tolerances)} mm; an organ absent from both label maps counts 100 %, from "
             "one of them 0 %.")
    notices = [REFERENCE_SENTENCES[evaluation.reference_kind], *evaluation.notes]
    return [page.paragraph(f"Evaluated on {evaluation.data}{versus}.", "lead"),
            *(page.paragraph(sentence, "notice") for sentence in notices), page.facts(figures), page.paragraph(rules)]


def _sign(figure: ReportFigure, evaluation: Evaluation) -> None:
    """Write into the drawing what it was measured on: figures travel without their page."""
    text = f"{evaluation.name} on {evaluation.data}; reference: {evaluation.reference_kind}"
    figure.canvas.suptitle(text, x=0.99, ha="right", fontsize=7, color="#767d85")


def _rendered(figure: ReportFigure, kind: str) -> bytes:
    stream = io.BytesIO()
    figure.canvas.savefig(stream, format=kind, dpi=DPI)
    return stream.getvalue()


def _stage(staging: Staging, target: Path, content: bytes) -> None:
    with staging.file(target) as staged:
        try:
            staged.write_bytes(content)
        except OSError as error:
            raise FlareSegError("output_unwritable", f"Cannot write {target}; free some space or choose another "
                                                     "folder.") from error
