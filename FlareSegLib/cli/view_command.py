"""``flareseg view``: a CT and its segmentation in the browser, from this machine to itself."""

from __future__ import annotations

import argparse
import threading

from .parsers import Commands

EXAMPLES = """examples:
  flareseg view ct.nii.gz organs.seg.nrrd
  flareseg view DICOM_FOLDER organs.dcm --series 2
  flareseg view ct.nii.gz organs.seg.nrrd --no-browser --port 8123    # on a server; ssh -L 8123:127.0.0.1:8123"""


def add_parser(commands: Commands) -> None:
    """Add the command to the subparsers."""
    parser = commands.add_parser(
        "view", help="look at a CT and its segmentation in the browser", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Open a page with the CT, the labels, a table of the organs, linked slices and 3D. The page comes "
                    "from this process and stays on this machine; its link opens once. Ends with Ctrl-C, or after an "
                    "hour without a request.")
    parser.add_argument("ct", metavar="CT", help="NIfTI, NRRD or MetaImage file, or DICOM folder")
    parser.add_argument("segmentation", metavar="SEG", help=".seg.nrrd, DICOM SEG or a label map, on the CT's grid")
    parser.add_argument("--series", metavar="N|KEY|UID", help="which series of a DICOM folder that holds several")
    parser.add_argument("--no-browser", action="store_true", help="print the link only")
    parser.add_argument("--once", action="store_true",
                        help="end as soon as the page has everything; the page goes on working")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port on 127.0.0.1 (default: any free one)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Serve the page until it is done with."""
    from ..viewer.case import read_case
    from ..viewer.content import page_resources
    from ..viewer.server import PageServer

    with PageServer(page_resources(read_case(options.ct, options.segmentation, options.series)),
                    options.port) as server:
        print(f"The page (the link opens once): {server.link}", flush=True)
        print("Ctrl-C ends it.", flush=True)
        if not options.no_browser:
            threading.Thread(target=_open, args=(server.link,), daemon=True).start()
        try:
            server.serve(options.once)
        except KeyboardInterrupt:
            pass
    print("The page is no longer served.")


def _open(link: str) -> None:
    """In a thread of its own: some browsers keep their caller until they are closed."""
    import webbrowser

    webbrowser.open(link)
