"""``flareseg diseases``: what can be simulated, in words and in pictures."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..errors import FlareSegError
from .parsers import Commands


def add_parser(commands: Commands) -> None:
    """Add the command and its actions to the subparsers."""
    parser = commands.add_parser("diseases", help="list the diseases that can be simulated, and show them",
                                 description="Tell what diseases can be simulated, and show them in pictures.")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list the diseases", description="List the diseases.")
    listing.add_argument("--markdown", action="store_true", help="as the table of docs/diseases.md")
    listing.set_defaults(run=list_diseases)
    telling = actions.add_parser("info", help="tell the parameters of a disease, for mixes and recipes",
                                 description="Tell what a disease is, where it can be, and its parameters.")
    telling.add_argument("disease", metavar="NAME")
    telling.set_defaults(run=tell_disease)
    showing = actions.add_parser(
        "gallery", help="draw every disease: a page with pictures",
        description="Draw every disease before and after, the difference and the labels, on a synthetic patient and on "
                    "a CT of yours: OUT/index.html. Takes some minutes.")
    showing.add_argument("out", metavar="OUT", type=Path, help="folder of the page")
    showing.add_argument("--ct", metavar="FILE", type=Path, help="a CT of yours, beside the synthetic patient")
    showing.add_argument("--labels", metavar="FILE", type=Path, help="its label map")
    showing.add_argument("--only", metavar="NAME", nargs="+", help="these diseases only")
    showing.add_argument("--draws", type=int, default=0, metavar="N",
                         help="pictures with drawn parameters beside the default ones (default: 0)")
    showing.set_defaults(run=show_diseases)
    small = actions.add_parser("thumbnails", help="write one small picture a disease",
                               description="Write OUT/NAME.png for each disease, drawn on a synthetic patient.")
    small.add_argument("out", metavar="OUT", type=Path, help="folder of the pictures")
    small.add_argument("--pixels", type=int, default=128, metavar="N", help="width and height (default: 128)")
    small.set_defaults(run=write_thumbnails)


def list_diseases(options: argparse.Namespace) -> None:
    """Print one line a disease."""
    print(catalogue_markdown() if options.markdown else catalogue_text())


def tell_disease(options: argparse.Namespace) -> None:
    """Print a disease with its parameters: name, default, range and meaning."""
    from ..disease.catalogue import find
    from ..disease.parameters import Choice, meanings

    disease = find(options.disease)
    print(f"{disease.title}: {disease.description}\norgans: {', '.join(disease.organs) or 'whole scan'}\n"
          f"label rules (the default first): {', '.join(disease.label_rules)}")
    rows = [("parameter", "default", "accepted", "meaning")]
    for name, meaning in meanings(disease.parameters).items():
        if isinstance(meaning, Choice):
            accepted = ", ".join(map(json.dumps, meaning.options))
        else:
            accepted = f"{meaning.low:g} to {meaning.high:g} {meaning.unit}".strip()
        default = "by the case" if meaning.default is None else json.dumps(meaning.default)
        rows.append((name, default, accepted, meaning.text))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)) + f"  {row[3]}")


def catalogue_text() -> str:
    """One line a disease: name, organs, what it is."""
    from ..disease.catalogue import DISEASES

    width = max(map(len, DISEASES))
    return "\n".join(f"{name:<{width}}  {disease.title} ({', '.join(disease.organs) or 'whole scan'}): "
                     f"{disease.description}" for name, disease in DISEASES.items())


def catalogue_markdown() -> str:
    """The same as a Markdown table, with label rules (the default first)."""
    from ..disease.catalogue import DISEASES

    rows = [f"| `{name}` | {disease.title} | {', '.join(disease.organs) or 'whole scan'} | "
            f"{', '.join(disease.label_rules)} | {disease.description} |" for name, disease in DISEASES.items()]
    return "\n".join(["| name | title | organs | label rules | what it is |", "|---|---|---|---|---|", *rows])


def show_diseases(options: argparse.Namespace) -> None:
    """Write the gallery; what could not be shown is told at the end."""
    from ..disease.catalogue import DISEASES, find
    from ..disease.gallery import gallery_cases, write_gallery

    if (options.ct is None) != (options.labels is None):
        raise FlareSegError("bad_option", "--ct and --labels go together.")
    if options.draws < 0:
        raise FlareSegError("bad_option", "--draws must be 0 or more.")
    names = [find(name).name for name in options.only or DISEASES]
    pair = None if options.ct is None else (options.ct, options.labels)
    faults = write_gallery(options.out, gallery_cases(pair), names, options.draws)
    for fault in faults:
        print(f"not shown: {fault}", file=sys.stderr)
    print(f"Wrote {options.out / 'index.html'}.")


def write_thumbnails(options: argparse.Namespace) -> None:
    """Write a PNG a disease."""
    from ..disease.catalogue import DISEASES
    from ..disease.thumbnails import thumbnail
    from ..results.writing import atomic_path

    if not 16 <= options.pixels <= 1024:
        raise FlareSegError("bad_option", "--pixels must lie between 16 and 1024.")
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlareSegError("output_unwritable", f"{options.out} cannot be made ({error.strerror}); choose another "
                                                 "folder.") from error
    for name, disease in DISEASES.items():
        with atomic_path(options.out / f"{name}.png", overwrite=True) as partial:
            thumbnail(disease, options.pixels).save(partial, "PNG")
    print(f"Wrote {len(DISEASES)} pictures to {options.out}.")
