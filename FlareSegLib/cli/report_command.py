"""``flareseg report``: the paper's tables and figures of an evaluation, as one page."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import FlareSegError
from .parsers import Commands

if TYPE_CHECKING:
    from ..evaluation.case_files import CaseFiles
    from ..evaluation.rows import Evaluation

EXAMPLES = """examples:
  flareseg report scores.json -o report
  flareseg report scores.json --baseline nnunet.json -o report \\
      --predictions predictions/ --references labelsTr/ --images imagesTr/"""


def add_parser(commands: Commands) -> None:
    """Add the command to the subparsers."""
    parser = commands.add_parser(
        "report", help="make the paper's tables and figures from evaluations", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="One HTML page that needs no other file, and each figure as PNG and PDF.")
    parser.add_argument("evaluation", metavar="JSON", help="file of flareseg evaluate -o …json")
    parser.add_argument("-o", "--output", metavar="FOLDER", required=True, help="gets report.html and figures/")
    parser.add_argument("--baseline", metavar="JSON", help="another model on the same cases, to compare with")
    parser.add_argument("--predictions", metavar="PATH", help="label maps of the model, for pictures of cases")
    parser.add_argument("--references", metavar="PATH", help="label maps of the references")
    parser.add_argument("--images", metavar="PATH", help="the CTs (CASE.nii.gz or CASE_0000.nii.gz)")
    for name in ("prediction", "reference"):
        parser.add_argument(f"--{name}-labels", metavar="SCHEME", default="flare21", help="as for flareseg evaluate")
    parser.add_argument("--overwrite", action="store_true", help="replace a report that is there")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the report and say what is missing in it."""
    if (options.predictions is None) != (options.references is None):
        raise FlareSegError("bad_option", "Pictures of cases need both --predictions and --references.")
    if options.images is not None and options.predictions is None:
        raise FlareSegError("bad_option", "--images goes with --predictions and --references.")
    if find_spec("matplotlib") is None:
        raise FlareSegError("missing_package", "The report's figures need matplotlib; install it with: "
                                               "pip install matplotlib vtk.")
    from ..evaluation.report import PAGE_NAME, write_report
    from ..evaluation.rows import read_evaluation

    evaluation = read_evaluation(options.evaluation)
    baseline = read_evaluation(options.baseline) if options.baseline else None
    missing = write_report(options.output, evaluation, baseline, _files(options, evaluation), options.overwrite)
    print(f"Wrote {options.output}/{PAGE_NAME}.", *missing, sep="\n")


def _files(options: argparse.Namespace, evaluation: Evaluation) -> CaseFiles | None:
    from ..evaluation.case_files import CaseFiles, files_of
    from ..evaluation.rules import chosen_organs, label_scheme

    if options.predictions is None:
        return None
    schemes = label_scheme(options.prediction_labels), label_scheme(options.reference_labels)
    chosen_organs(",".join(evaluation.organs), *schemes)
    return CaseFiles(files_of(options.predictions, evaluation), files_of(options.references, evaluation),
                     files_of(options.images, evaluation) if options.images else {}, *schemes)
