"""``flareseg evaluate`` and ``flareseg measure``: figures of a model against references, and what its runs took."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FlareSegError
from ..evaluation.rows import REFERENCE_KINDS
from ..jobs.staging import Staging
from .parsers import Commands
from .progress_bar import ProgressBar

if TYPE_CHECKING:
    from ..evaluation.rows import Evaluation

EXAMPLES = """examples:
  flareseg evaluate predictions/ labelsTr/ --reference-kind manual -o scores.csv -o scores.json
  flareseg evaluate organs.seg.nrrd truth.nii.gz --reference-kind silver
  flareseg evaluate predictions/ flare22_labels/ --reference-labels flare22 --rules flare22
  flareseg evaluate predictions/ btcv/ --reference-labels spleen=1,kidney=2+3,liver=5,pancreas=8"""


def add_parser(commands: Commands) -> None:
    """Add both commands to the subparsers."""
    _add_evaluate(commands)
    _add_measure(commands)


def _add_evaluate(commands: Commands) -> None:
    parser = commands.add_parser(
        "evaluate", help="compare label maps with references, as FLARE21 does", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Dice, sensitivity, precision and normalised surface distance (NSD), per case and per organ, by "
                    "FLARE21's rules.")
    parser.add_argument("prediction", metavar="PRED", help="folder of label maps or DICOM SEGs, or one file")
    parser.add_argument("reference", metavar="REF", help="folder with files of the same names, or one file")
    parser.add_argument("-o", "--output", metavar="OUT", action="append", default=[],
                        help=".csv (one line a case and organ) or .json (for flareseg report); may be repeated")
    parser.add_argument("--reference-kind", choices=REFERENCE_KINDS, default="unstated",
                        help="manual: drawn by people; silver: the output of another model; goes into every output")
    parser.add_argument("--organs", metavar="NAMES", help="which ones (default: liver,kidney,spleen,pancreas)")
    for name in ("prediction", "reference"):
        parser.add_argument(f"--{name}-labels", metavar="SCHEME", default="flare21",
                            help="flare21 (default), flare22 (its two kidneys are joined) or a list such as "
                                 "liver=6,kidney=2+3")
    parser.add_argument("--rules", choices=("flare21", "flare22"), default="flare21",
                        help="flare21: NSD at 1 mm (default); flare22: each organ's own, 0 below a Dice of 0.2")
    parser.add_argument("--times", metavar="CSV", help="table of flareseg measure, or of FLARE's own scripts")
    parser.add_argument("--name", help="what to call the model (default: the name of PRED)")
    parser.add_argument("--data", help="what to call the set of cases (default: the name of REF)")
    parser.add_argument("--per-case", action="store_true", help="print every case, too")
    parser.add_argument("--skip-unpaired", action="store_true", help="leave out files without a counterpart")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no table")
    parser.set_defaults(run=run_evaluate)


def _add_measure(commands: Commands) -> None:
    parser = commands.add_parser(
        "measure", help="run a program and note its time and GPU memory, as FLARE21 does",
        description="Run a program and add a line to a table: its wall clock, and the maximum GPU memory when stable "
                    "(sampled every 0.1 s; values that 2 % of the samples or fewer have do not count).")
    parser.add_argument("-o", "--output", metavar="CSV", required=True, help="the table; a line is added")
    parser.add_argument("--case", metavar="NAME", required=True, help="name of the case")
    parser.add_argument("--gpu", type=int, default=0, metavar="N", help="which NVIDIA card (default: 0)")
    parser.add_argument("--no-gpu", action="store_true", help="the running time alone")
    parser.add_argument("command", metavar="COMMAND", nargs="+", help="after --, for instance: -- flareseg segment …")
    parser.set_defaults(run=run_measure)


def run_evaluate(options: argparse.Namespace) -> None:
    """Score all cases, write the files, print the table."""
    from ..evaluation.rows import SUFFIXES, to_csv, to_json
    from ..evaluation.table import case_table, evaluation_table
    from ..results.writing import check_output

    for path in options.output:
        check_output(path, options.overwrite, SUFFIXES)
    if len({Path(path).resolve() for path in options.output}) < len(options.output):
        raise FlareSegError("bad_option", "Two outputs have the same path; give each its own name.")
    evaluation = _evaluate(options)
    with Staging() as staging:
        for path in options.output:
            with staging.file(path) as staged:
                text = to_csv(evaluation) if path.lower().endswith(".csv") else to_json(evaluation)
                _write(staged, text, path)
        staging.commit(options.overwrite)
    if not options.quiet:
        print(*[case_table(evaluation)] * options.per_case, evaluation_table(evaluation), sep="\n\n")


def _evaluate(options: argparse.Namespace) -> Evaluation:
    from ..evaluation.pairs import case_name, find_pairs
    from ..evaluation.resources import read_costs
    from ..evaluation.rows import Evaluation
    from ..evaluation.rules import RULES, chosen_organs, label_scheme
    from ..evaluation.scoring import score_pairs

    schemes = label_scheme(options.prediction_labels), label_scheme(options.reference_labels)
    organs = chosen_organs(options.organs, *schemes)
    costs = read_costs(options.times) if options.times else ()
    pairs, left_out = find_pairs(options.prediction, options.reference, options.skip_unpaired)
    with ProgressBar("Evaluating", "cases", not options.quiet and len(pairs) > 1) as progress:
        scores = score_pairs(pairs, organs, *schemes, RULES[options.rules], progress)
    cases = {pair.case for pair in pairs}
    costs = tuple(cost for cost in costs if cost.case in cases)
    notes = [f"Left out: {sentence}" for sentence in left_out]
    if any(score.nsd is None for score in scores):
        notes.append("NSD is left out where part of a reference is not annotated (255).")
    absent = [organ for organ in organs if not any(score.prediction_ml for score in scores if score.organ == organ)]
    if absent:
        notes.append(f"No prediction holds any {' or '.join(absent)}; where they were not asked for, leave them out "
                     "with --organs.")
    if options.times and len(costs) < len(cases):
        notes.append(f"{options.times} has figures for {len(costs)} of {len(cases)} cases.")
    name = options.name or case_name(Path(options.prediction).resolve())
    data = options.data or case_name(Path(options.reference).resolve())
    return Evaluation(name, data, options.reference_kind, options.rules, scores, costs, tuple(notes))


def run_measure(options: argparse.Namespace) -> None:
    """Run the program, then add its line."""
    from ..evaluation.resources import append_usage, gpu_memory_reader, measure
    from ..results.writing import check_output

    check_output(options.output, True, (".csv",))
    read = None if options.no_gpu else gpu_memory_reader(options.gpu)
    usage = measure(options.command, read)
    append_usage(Path(options.output), options.case, usage)
    memory = "" if usage.gpu_mb is None else f", {usage.gpu_mb:.0f} MB of GPU memory when stable"
    print(f"{options.case}: {usage.seconds:.1f} s{memory}")


def _write(staged: Path, text: str, path: str) -> None:
    try:
        staged.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise FlareSegError("output_unwritable", f"Cannot write {path}; free some space or choose another "
                                                 "folder.") from error
