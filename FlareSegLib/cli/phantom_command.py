"""``flareseg phantom``: a synthetic abdominal CT to try things on."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FlareSegError
from ..jobs.staging import Staging
from .parsers import Commands

if TYPE_CHECKING:
    from ..volumes.volume import Volume

CT_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")


def add_parser(commands: Commands) -> None:
    """Add the command to the subparsers."""
    parser = commands.add_parser(
        "phantom", help="make a synthetic abdominal CT",
        description="Make a synthetic abdominal CT with plausible HU. It is for trying things out, not for measuring "
                    "how good a model is.")
    parser.add_argument("-o", "--output", metavar="CT", required=True, help=", ".join(CT_SUFFIXES))
    parser.add_argument("--labels", metavar="LABELS", help="write the true organs, too (.seg.nrrd or a label map)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which synthetic patient (default: 0)")
    parser.add_argument("--size", type=int, nargs=3, default=(512, 512, 100), metavar=("I", "J", "K"),
                        help="voxels (default: 512 512 100)")
    parser.add_argument("--spacing", type=float, nargs=3, default=(0.8, 0.8, 2.5), metavar=("I", "J", "K"),
                        help="mm (default: 0.8 0.8 2.5)")
    parser.add_argument("--phase", default="portal", choices=("native", "arterial", "portal"), help="contrast phase")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Make the phantom and write it."""
    _check(options)
    from ..organs import FLARE_ORGANS
    from ..phantom.phantom import make_phantom
    from ..results.writing import write_segmentation

    phantom = make_phantom(options.seed, tuple(options.size), tuple(options.spacing), options.phase)
    with Staging() as staging:
        with staging.file(options.output) as staged:
            _write_ct(phantom.ct, staged)
        if options.labels is not None:
            with staging.file(options.labels) as staged:
                write_segmentation(staged, phantom.label_map, FLARE_ORGANS)
        staging.commit(options.overwrite)
    print(f"Wrote {' and '.join(filter(None, (options.output, options.labels)))}.")


def _check(options: argparse.Namespace) -> None:
    """Refuse unusable options before any work."""
    from ..results.writing import SEG_NRRD, SEGMENTATION_SUFFIXES, check_output

    if options.seed < 0 or min(options.size) < 1 or not all(0 < mm < 1000 for mm in options.spacing):
        raise FlareSegError("bad_option", "The seed must be 0 or more, sizes 1 or more, spacings above 0 mm.")
    if options.output.lower().endswith(SEG_NRRD):
        raise FlareSegError("bad_option", f"{SEG_NRRD} is for segmentations; give the CT another ending.")
    check_output(options.output, options.overwrite, CT_SUFFIXES)
    if options.labels is None:
        return
    check_output(options.labels, options.overwrite, SEGMENTATION_SUFFIXES)
    if os.path.realpath(options.labels) == os.path.realpath(options.output):
        raise FlareSegError("bad_option", "The CT and its labels have the same path; give each its own name.")


def _write_ct(ct: Volume, path: Path) -> None:
    import SimpleITK as sitk

    from ..volumes.sitk_bridge import sitk_from_volume

    try:
        sitk.WriteImage(sitk_from_volume(ct), str(path), useCompression=True)
    except RuntimeError as error:
        raise FlareSegError("output_unwritable", f"Cannot write {path}; free some space or choose another "
                                                 "folder.") from error
