"""``flareseg simulate``: a data set with simulated diseases from labelled CTs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ..errors import FlareSegError
from .parsers import Commands
from .progress_bar import ProgressBar
from .diseases_command import catalogue_text

EPILOG = """examples:
  flareseg simulate --list
  flareseg simulate nnUNet_raw/Dataset021_FLARE21 -o nnUNet_raw/Dataset521_Simulated --variants 4 --seed 0 --jobs 8
  flareseg simulate ct.nii.gz labels.nii.gz -o simulated --mix mix.json
  flareseg simulate FLARE21 -o simulated --recipe recipe.json --variants 10 --format flare

CASES is one data set's folder (nnU-Net v1 or v2, FLARE21's own), or files in pairs: CT LABELS CT LABELS …. Labels are
FLARE21's: 1 liver, 2 kidney, 3 spleen, 4 pancreas. Variants are drawn from a weighted mix of diseases (a sensible one
by default), or are like the case of a recipe: numbers within 20 %, other places as deep in the same organs. The same
seed gives the same files, whatever the number of jobs. A run that was stopped goes on with the same command."""


def add_parser(commands: Commands) -> None:
    """Add the command to the subparsers."""
    parser = commands.add_parser(
        "simulate", help="simulate diseases in labelled CTs", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Make variants of labelled CTs with simulated diseases, image and labels together, as a data set.")
    parser.add_argument("cases", metavar="CASES", nargs="*", help="data set, or CTs and their labels in pairs")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, help="folder of the new data set")
    parser.add_argument("--list", action="store_true", help="list the diseases and end")
    parser.add_argument("--write-mix", metavar="FILE", type=Path,
                        help="write the default mix to a file, to be edited for --mix, and end")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--recipe", metavar="FILE", type=Path, help="make variants like this recipe's case")
    source.add_argument("--mix", metavar="FILE", type=Path, help="draw diseases from this mix")
    parser.add_argument("--exact", action="store_true",
                        help="with --recipe and the very case that it was made from: that variant again, voxel by "
                             "voxel")
    parser.add_argument("--variants", type=int, default=4, metavar="N", help="for each case (default: 4)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    parser.add_argument("--format", choices=("v2", "v1", "flare"), default="v2",
                        help="nnU-Net v2 (default), nnU-Net v1 and Medical Segmentation Decathlon, FLARE21")
    parser.add_argument("--without-originals", action="store_true",
                        help="leave the cases themselves out of the data set")
    parser.add_argument("--patients", metavar="FILE", type=Path,
                        help="JSON object, case to patient: a patient's cases stay in one fold")
    parser.add_argument("--hardness", metavar="MODEL",
                        help="tell how much of each lesion this model (default: \"default\") still calls its organ, in "
                             "OUT/hardness; segments every variant on the CPU", nargs="?", const="default")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar and no summary")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """List the diseases, or simulate."""
    if options.list:
        print(catalogue_text())
    elif options.write_mix is not None:
        _write_default_mix(options.write_mix)
    elif options.exact:
        _replay(options)
    else:
        _simulate(options)


def _write_default_mix(path: Path) -> None:
    from ..disease.catalogue import DISEASES
    from ..disease.mix import default_mix, mix_text
    from ..results.writing import atomic_path

    if path.exists():
        raise FlareSegError("output_exists", f"{path} exists; choose another name.")
    with atomic_path(path) as partial:
        partial.write_text(mix_text(default_mix(DISEASES)), encoding="utf-8")
    print(f"Wrote {path}.")


def _simulate(options: argparse.Namespace) -> None:
    from ..disease.batch import MOST_VARIANTS, Plan, run_batch
    from ..disease.catalogue import DISEASES, find
    from ..disease.datasets import LAYOUTS
    from ..disease.mix import Mix, default_mix, read_mix
    from ..disease.recipe import Recipe, read_recipe
    from ..disease.sources import find_sources

    _check(options)
    if not 1 <= options.variants <= MOST_VARIANTS or not 0 <= options.seed < 2**63 or options.jobs < 1:
        raise FlareSegError("bad_option", f"Choose 1 to {MOST_VARIANTS} variants, a seed of 0 or more and at least one "
                                          "job.")
    model: Recipe | Mix
    if options.recipe is not None:
        model = read_recipe(options.recipe, find)
    else:
        model = default_mix(DISEASES) if options.mix is None else read_mix(options.mix, find)
    if options.hardness is not None:
        from ..models.store import find_bundle

        find_bundle(options.hardness)  # wrong before any work, not after
    plan = Plan(find_sources(options.cases, options.patients), options.output, LAYOUTS[options.format], model,
                options.variants, options.seed, not options.without_originals, options.hardness)
    with ProgressBar("Simulating", "cases", not options.quiet) as bar:
        outcome = run_batch(plan, find, options.jobs, bar)
    for line in outcome.doubtful:
        print(f"doubtful: {line}", file=sys.stderr)
    total = outcome.made + outcome.kept
    if total and not options.quiet:
        there = f" ({outcome.kept} there already)" if outcome.kept else ""
        print(f"{options.output} holds {total} case{'s' * (total != 1)}{there}; contact_sheet_*.png show the variants.")
    if outcome.failed:
        raise FlareSegError("bad_disease_case", "Not every case could be used:\n  " + "\n  ".join(outcome.failed))


def _replay(options: argparse.Namespace) -> None:
    """The recipe's own case again: two files."""
    from ..disease.catalogue import find
    from ..disease.datasets import write_nifti
    from ..disease.recipe import read_recipe
    from ..disease.simulation import replay
    from ..disease.sources import find_sources, load
    from ..jobs.staging import Staging

    _check(options)
    if options.recipe is None or len(options.cases) != 2:
        raise FlareSegError("bad_option", "--exact needs --recipe FILE and one pair: CT LABELS.")
    if options.output.exists():
        raise FlareSegError("output_exists", f"{options.output} exists; choose another folder.")
    recipe = read_recipe(options.recipe, find)
    loaded = load(find_sources(options.cases)[0])
    image, labels = replay(recipe, loaded.case, find).volumes(loaded.order, loaded.ct)
    try:
        options.output.mkdir(parents=True)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"{options.output} cannot be made ({error.strerror}).") from error
    with Staging() as staging:
        for name, volume in (("ct.nii.gz", image), ("labels.nii.gz", labels)):
            with staging.file(options.output / name) as staged:
                write_nifti(volume, staged, f"FlareSeg synthetic {recipe.sha256[:16]}")
        staging.commit()
    print(f"Wrote {options.output / 'ct.nii.gz'} and {options.output / 'labels.nii.gz'}.")


def _check(options: argparse.Namespace) -> None:
    if not options.cases or options.output is None:
        raise FlareSegError("bad_option", "Give labelled CTs and -o OUT, or --list.")
    parent = Path(os.path.abspath(options.output))
    inside = [case for case in options.cases if Path(case).is_dir() and parent.is_relative_to(Path(case).resolve())]
    if inside:
        raise FlareSegError("bad_option", f"{options.output} lies in {inside[0]}; write the new data set elsewhere.")
