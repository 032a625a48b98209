"""The pieces of pages (the report, the gallery, contact sheets): HTML that needs no other file and no network."""

from __future__ import annotations

import base64
from html import escape

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: #22272c; background: #fff;
  max-width: 62rem; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; }
p { max-width: 46rem; } .lead { color: #555d66; margin-top: 0; }
.notice { border-left: 4px solid #d98a1e; background: #fdf6ea; padding: .6rem 1rem; max-width: 44rem; }
.facts { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0; }
.facts div { border: 1px solid #dfe3e7; border-radius: 6px; padding: .5rem 1rem; min-width: 7.5rem; }
.facts b { display: block; font-size: 1.35rem; font-weight: 600; } .facts span { color: #555d66; font-size: .85rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0; }
th, td { padding: .28rem .8rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #e8ebee; }
th:first-child, td:first-child { text-align: left; padding-left: .2rem; }
thead th { border-bottom: 1.5px solid #22272c; vertical-align: bottom; } th:first-child, td:first-child {
  white-space: normal; } .caption { color: #555d66; font-size: .9rem; margin-top: .3rem; }
.muted { color: #767d85; } tr.ours td { background: #eaf2fa; font-weight: 600; }
figure { margin: 1.6rem 0; } figure img { max-width: 100%; height: auto; } figcaption { max-width: 46rem; }
figcaption b { font-weight: 600; } summary { cursor: pointer; }
footer { margin-top: 3rem; color: #767d85; font-size: .85rem; }
"""


def page(title: str, body: list[str], style: str = "") -> str:
    """Return a whole HTML page; `body` is HTML already, `style` CSS that goes beyond `STYLE`."""
    return (f"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            f"<title>{escape(title)}</title>\n"
            f"<style>{STYLE}{style}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n")


def heading(text: str) -> str:
    """Return a section's heading as HTML."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph; `kind` is one of the style's classes."""
    return f"<p{_of_class(kind)}>{escape(text)}</p>"


def facts(pairs: dict[str, str]) -> str:
    """Large figures with what they are."""
    boxes = "".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in pairs.items())
    return f"<div class=\"facts\">{boxes}</div>"


def table(columns: list[str], rows: list[list[str]], caption: str, muted: tuple[int, ...] = (),
          ours: int | None = None) -> str:
    """A table of text.

    Parameters
    ----------
    columns : list of str
        Headings; a line break in one is kept.
    rows : list of list of str
        Cells.
    caption : str
        Stands below.
    muted : tuple of int
        Columns that are not ours.
    ours : int or None
        Row that is.
    """
    head = "".join(f"<th{_of_class('muted' * (at in muted))}>{escape(name).replace(chr(10), '<br>')}</th>"
                   for at, name in enumerate(columns))
    lines = []
    for number, row in enumerate(rows):
        cells = "".join(f"<td{_of_class('muted' * (at in muted))}>{escape(cell)}</td>" for at, cell in enumerate(row))
        lines.append(f"<tr{_of_class('ours' * (number == ours))}>{cells}</tr>")
    return (f"<div class=\"scroll\"><table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
            + paragraph(caption, "caption"))


def figure(key: str, png: bytes, title: str, caption: str) -> str:
    """A picture inside the page, with its caption."""
    data = base64.b64encode(png).decode("ascii")
    return (f"<figure id=\"{escape(key)}\"><img alt=\"{escape(title)}\" src=\"data:image/png;base64,{data}\">"
            f"<figcaption><b>{escape(title)}</b> {escape(caption)}</figcaption></figure>")


def folded(summary: str, content: str) -> str:
    """Something that is shown on a click."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def _of_class(name: str) -> str:
    return f" class=\"{name}\"" if name else ""
