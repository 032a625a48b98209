"""``flareseg segment``: one CT to one or more segmentation files."""

from __future__ import annotations

import argparse
import sys
from typing import TypedDict

from ..jobs.job import SegmentJob, run_job
from ..jobs.staging import Staging
from .parsers import Commands
from .progress_bar import ProgressBar

EXAMPLES = """examples:
  flareseg segment ct.nii.gz -o organs.seg.nrrd
  flareseg segment DICOM_FOLDER --series 2 -o organs.seg.nrrd -o labels.nii.gz --preview organs.png
  flareseg segment ct.nrrd -o spleen.nii.gz --organs spleen --device cpu --exact --report spleen.json"""


def add_parser(commands: Commands) -> None:
    """Add the command to the subparsers."""
    parser = commands.add_parser(
        "segment", help="segment the organs of a CT", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Segment the organs of an abdominal CT. The files appear when all of them are complete.")
    parser.add_argument("ct", metavar="CT", help="NIfTI, NRRD or MetaImage file, or DICOM folder")
    parser.add_argument("-o", "--output", metavar="OUT", action="append", required=True,
                        help=".seg.nrrd (names, colours and codes), .dcm (DICOM SEG, of a DICOM folder), .nii.gz, "
                             ".nii, .nrrd or .mha; may be repeated")
    add_method_options(parser)
    parser.add_argument("--series", metavar="N|KEY|UID",
                        help="which series of a DICOM folder that holds several (without it, they are listed)")
    parser.add_argument("--preview", metavar="PNG", help="write a picture with the organs' outlines")
    parser.add_argument("--report", metavar="JSON", help="write the measurements")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no table; warnings stay")
    parser.set_defaults(run=run)


def add_method_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how a CT is segmented, not which or where to; `method_from` reads it."""
    parser.add_argument("--model", default="default", metavar="NAME|FOLDER",
                        help="an installed model (flareseg models list) or a model's folder")
    parser.add_argument("--organs", metavar="NAMES", help="keep these only, for instance liver,spleen")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"),
                        help="where the network runs (default: the GPU, if there is one)")
    parser.add_argument("--exact", action="store_true", help="32-bit numbers throughout, the reference path; slower")
    parser.add_argument("--runtime", default="auto", choices=("auto", "torch", "openvino"),
                        help="what runs the network (default: OpenVINO on a CPU where it is installed, else PyTorch)")
    parser.add_argument("--fast", action="store_true",
                        help="look at a slice every 12 mm first and leave out those far from any organ "
                             "(not part of the paper's method)")
    parser.add_argument("--keep-largest", action="store_true",
                        help="afterwards remove stray islands: one piece an organ stays, two of the kidneys "
                             "(not part of the paper's method)")
    parser.add_argument("--threads", type=int, metavar="N", help="processor threads (default: one a core)")


def run(options: argparse.Namespace) -> None:
    """Segment, then print the table and the files' names to standard output."""
    job = job_from(options)
    with Staging() as staging, ProgressBar("Segmenting", "slices", not options.quiet) as bar:
        def progress(stage: str, done: int, total: int) -> None:
            if stage == "segmenting":
                bar(done, total)

        try:
            result = run_job(job, progress, staging=staging)
        except KeyboardInterrupt:
            if staging.committed:
                raise KeyboardInterrupt("Stopped, but the files had just been completed.") from None
            raise
    if options.quiet:
        for sentence in (*result.warnings, *result.segmentation.notes):
            print(f"flareseg: warning: {sentence}", file=sys.stderr)
        return
    from ..results.report import organ_table

    print(organ_table(result.segmentation, result.measurements, result.warnings))
    print(*(f"Wrote {path}" for path in job.targets), sep="\n")  # no full stop: paths are copied from here


def job_from(options: argparse.Namespace) -> SegmentJob:
    """Return the job that the arguments describe."""
    return SegmentJob(options.ct, tuple(options.output), series=options.series, preview=options.preview,
                      report=options.report, overwrite=options.overwrite, **method_from(options))


class Method(TypedDict):
    """The fields of a `SegmentJob` that `add_method_options` is about."""

    model: str
    organs: tuple[str, ...] | None
    device: str
    exact: bool
    runtime: str
    fast: bool
    keep_largest: bool
    threads: int | None


def method_from(options: argparse.Namespace) -> Method:
    """Return what the arguments say of them."""
    organs = None if options.organs is None else tuple(
        name.strip().lower() for name in options.organs.split(",") if name.strip())
    return {"model": options.model, "organs": organs, "device": options.device, "exact": options.exact,
            "runtime": options.runtime, "fast": options.fast, "keep_largest": options.keep_largest,
            "threads": options.threads}
