"""``flareseg batch``: many CTs to a folder of segmentations, with a table and a page to look them over."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FlareSegError
from ..jobs.job import SegmentJob
from .parsers import Commands
from .progress_bar import ProgressBar
from .segment_command import add_method_options, method_from

if TYPE_CHECKING:
    from ..batch.run import Outcome, Workers

MOST_SHOWN = 10
EPILOG = """examples:
  flareseg batch cts/ -o results
  flareseg batch 'study/**/*.nii.gz' DICOM_FOLDER list.txt -o results --format .seg.nrrd --format .nii.gz --jobs 2
  flareseg batch cts/ -o results --device cuda --scheduler tcp://head:8786 --resources GPU=1

INPUTS are files, folders (all image files and DICOM CT series in them and below), patterns in quotes, and text files
(.txt) with one of these a line. DIR gets segmentations/, thumbnails/, cases/ (a JSON file a case), cases.jsonl,
summary.csv and contact_sheet.html. A case that cannot be segmented is told with its reason and stops no other. The same
command goes on where a run was stopped, and tries again what failed; more inputs may be named then. docs/batch.md tells
of clusters."""


def add_parser(commands: Commands) -> None:
    """Add the command to the subparsers."""
    parser = commands.add_parser(
        "batch", help="segment many CTs, here or on a cluster", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Segment many CTs into one folder, with a table and a page to look them over.")
    parser.add_argument("inputs", metavar="INPUTS", nargs="+", help="files, folders, patterns, lists (.txt)")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="folder of the results")
    parser.add_argument("--format", metavar="ENDING", action="append", dest="formats",
                        help=".seg.nrrd (default), .nii.gz, .nii, .nrrd, .mha or, of DICOM CTs, .dcm (DICOM SEG); may "
                             "be repeated")
    parser.add_argument("--previews", action="store_true", help="a large picture of each case, too")
    parser.add_argument("--number", action="store_true",
                        help="call the cases case_0001, case_0002, … instead of what the files are called")
    add_method_options(parser)
    parser.add_argument("--jobs", type=int, default=1, metavar="N",
                        help="processes on this machine; NVIDIA cards are shared among them (default: 1)")
    parser.add_argument("--scheduler", metavar="ADDRESS",
                        help="a Dask scheduler, whose workers do the work instead (needs the package distributed)")
    parser.add_argument("--resources", metavar="NAME=AMOUNT", action="append", default=[],
                        help="what a case takes of its worker, for instance GPU=1; may be repeated")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Segment all cases, then print the summary; failed cases make the exit status 80."""
    from ..batch.contact_sheet import PAGE_FILE
    from ..batch.inputs import find_sources
    from ..batch.run import run_batch
    from ..batch.settings import Settings
    from ..batch.summary import summary_text

    formats = tuple(f".{ending.lower().lstrip('.')}" for ending in options.formats or [".seg.nrrd"])
    method = SegmentJob("", (), **method_from(options))
    workers = _workers(options)
    settings = Settings.of(options.output, method, formats, options.previews)
    sources, no_ct = find_sources(options.inputs, options.output)
    if no_ct and not options.quiet:
        print(f"Passed over: {no_ct} DICOM series that are no CT, or localizers.", file=sys.stderr)
    with ProgressBar("Segmenting", "cases", not options.quiet) as bar:
        outcome = run_batch(sources, settings, workers, options.number, bar)
    if not options.quiet:
        print(summary_text(outcome.records))
        if outcome.kept:
            print(f"{outcome.kept} of them were there already.")
        print(f"Look at {options.output / PAGE_FILE}.")
    if outcome.failed:
        raise FlareSegError("cases_failed", _failures(outcome))


def _workers(options: argparse.Namespace) -> Workers:
    """Processes of this machine, or a cluster."""
    from ..batch.run import local_workers

    if options.scheduler is None:
        if options.resources:
            raise FlareSegError("bad_option", "--resources goes with --scheduler.")
        return local_workers(options.jobs)
    if options.jobs != 1:
        raise FlareSegError("bad_option", "--jobs is for this machine; a cluster has its own workers.")
    from ..batch.cluster import cluster_workers

    return cluster_workers(options.scheduler, dict(map(_resource, options.resources)),
                           lambda sentence: print(f"flareseg: {sentence}", file=sys.stderr))


def _resource(text: str) -> tuple[str, float]:
    name, _, amount = text.partition("=")
    try:
        if name and float(amount) > 0:
            return name, float(amount)
    except ValueError:
        pass
    raise FlareSegError("bad_option", f"{text} is no resource; give a name and an amount, for instance GPU=1.")


def _failures(outcome: Outcome) -> str:
    lines = [f"{record['case']}: {record['message']}" for record in outcome.failed]
    more = [f"and {len(lines) - MOST_SHOWN} more, in summary.csv"] if len(lines) > MOST_SHOWN else []
    return (f"{len(lines)} of {len(outcome.records)} cases could not be segmented:\n  "
            + "\n  ".join(lines[:MOST_SHOWN] + more))
