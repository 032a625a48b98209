"""A page on which many results are looked over at once: a picture a case, volumes, remarks; it needs no other file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..evaluation.page import facts, heading, page, paragraph, table
from .records import DONE, FAILED, Record
from .settings import THUMBNAILS, Settings

PAGE_FILE = "contact_sheet.html"
#: More cases go on further pages: a page of this many is about 15 MB.
MOST_CASES = 500

STYLE = """
body { max-width: 92rem; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); }
.card { border: 1px solid #dfe3e7; border-radius: 6px; overflow: hidden; background: #fff; }
.card img { width: 100%; display: block; background: #0c0d0f; aspect-ratio: 2; }
.card h3 { font-size: .95rem; margin: .6rem .8rem .3rem; overflow-wrap: anywhere; }
.card.warned { border-color: #d98a1e; } .organs { display: grid; grid-template-columns: 1fr 1fr; gap: .1rem 1.2rem;
  margin: 0 .8rem .6rem; font-size: .85rem; font-variant-numeric: tabular-nums; }
.organs span { display: flex; align-items: center; gap: .4rem; } .organs i { width: .7rem; height: .7rem;
  border-radius: 2px; flex: none; } .organs b { margin-left: auto; font-weight: 400; }
.card ul { margin: 0 .8rem .7rem; padding-left: 1rem; font-size: .8rem; color: #8a5a12; }
#warned:checked ~ .cards .card:not(.warned) { display: none; } label { font-size: .9rem; }
.card li.note { color: #767d85; } #warned { margin: 1rem .4rem 1rem 0; }
th, td { text-align: left; white-space: normal; }
"""


def write_contact_sheet(settings: Settings, records: Sequence[Record]) -> None:
    """Write contact_sheet.html, and where there are many cases contact_sheet_02.html and so on.

    Raises
    ------
    FlareSegError
        "output_unwritable".
    """
    from ..results.writing import atomic_path

    done = [record for record in records if record["status"] == DONE]
    failed = [record for record in records if record["status"] == FAILED]
    colours = {organ.name: organ.colour for organ in settings.bundle().organs}
    parts = [done[first:first + MOST_CASES] for first in range(0, len(done), MOST_CASES)] or [[]]
    for number, part in enumerate(parts):
        body = [f"<h1>{escape(settings.model)}: {len(records)} cases</h1>",
                paragraph("What the model found. For research only; look at every result.", "lead"),
                *(_overview(done, failed) if number == 0 else ()), _pages(len(parts), number)]
        if part:
            body += ["<input type=\"checkbox\" id=\"warned\"><label for=\"warned\">only cases with warnings</label>",
                     "<div class=\"cards\">", *(_card(settings.out, record, colours) for record in part), "</div>"]
        with atomic_path(settings.out / _page_file(number), overwrite=True) as partial:
            partial.write_text(page(f"{settings.model}: contact sheet", body, STYLE), encoding="utf-8")


def _overview(done: list[Record], failed: list[Record]) -> list[str]:
    warned = sum(bool(record["warnings"]) for record in done)
    parts = [facts({"done": str(len(done)), "with warnings": str(warned), "failed": str(len(failed))})]
    if failed:
        rows = [[record["case"], record["code"], record["message"]] for record in failed]
        parts += [heading("Not segmented"), table(["Case", "Code", "Why"], rows, "The same command tries these again.")]
    return parts


def _pages(count: int, current: int) -> str:
    """Links to the other pages, where there are any."""
    if count == 1:
        return ""
    links = [f"<b>{number + 1}</b>" if number == current else f"<a href=\"{_page_file(number)}\">{number + 1}</a>"
             for number in range(count)]
    return f"<p>Page {' '.join(links)}</p>"


def _page_file(number: int) -> str:
    return PAGE_FILE if number == 0 else PAGE_FILE.replace(".", f"_{number + 1:02}.")


def _card(out: Path, record: Record, colours: dict[str, tuple[int, int, int]]) -> str:
    organs = "".join(
        f"<span><i style=\"background:rgb{colours.get(organ['name'], (128, 128, 128))}\"></i>{escape(organ['name'])}"
        f"<b>{_volume(organ)}</b></span>" for organ in record["organs"])
    sentences = "".join([*(f"<li>{escape(sentence)}</li>" for sentence in record["warnings"]),
                         *(f"<li class=\"note\">{escape(sentence)}</li>" for sentence in record["notes"])])
    return (f"<div class=\"card{' warned' * bool(record['warnings'])}\">{_picture(out, record['case'])}"
            f"<h3>{escape(record['case'])}</h3><div class=\"organs\">{organs}</div>"
            f"{f'<ul>{sentences}</ul>' if sentences else ''}</div>")


def _volume(organ: dict[str, Any]) -> str:
    return f"{organ['volume_ml']:.0f} ml" if organ["voxels"] else "not found"


def _picture(out: Path, case: str) -> str:
    try:
        data = base64.b64encode((out / THUMBNAILS / f"{case}.jpg").read_bytes()).decode("ascii")
    except OSError:  # somebody has removed it
        return ""
    return f"<img loading=\"lazy\" alt=\"{escape(case)}\" src=\"data:image/jpeg;base64,{data}\">"
