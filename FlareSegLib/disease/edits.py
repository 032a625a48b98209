"""An edit by hand as a JSON document: the list of operations, hidden ones too, and the case that it belongs to.

A recipe tells how a finished case came about, with what was measured; an edit is what a person goes on with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .document import Fields, check_format, whole_text
from .operation import Operation
from .recipe import MOST_OPERATIONS, Find, operation_fields, operation_from
from .session import Entry

FORMAT, VERSION = "flareseg-edit", 1


@dataclass(frozen=True)
class Edit:
    """What is edited.

    Attributes
    ----------
    image_sha256, labels_sha256 : str
        Of the originals (`recipe.source_of`); empty where nobody has measured them.
    entries : tuple of Entry
        In order.
    """

    image_sha256: str = ""
    labels_sha256: str = ""
    entries: tuple[Entry, ...] = ()


def edit_text(edit: Edit) -> str:
    """Return the JSON document.

    Examples
    --------
    >>> print(edit_text(Edit())[:40])
    {
     "format": "flareseg-edit",
     "version
    """
    return whole_text({"format": FORMAT, "version": VERSION, "image_sha256": edit.image_sha256,
                       "labels_sha256": edit.labels_sha256,
                       "entries": [{**operation_fields(entry.operation), "shown": entry.shown, "key": entry.key}
                                   for entry in edit.entries]})


def edit_from(document: Any, find: Find) -> Edit:
    """Read an edit that may come from anybody.

    Raises
    ------
    FlareSegError
        "bad_recipe", which names the field.
    """
    fields = Fields(document, "edit")
    check_format(fields, FORMAT, VERSION)
    image, labels = (fields.text(name, "", 64) for name in ("image_sha256", "labels_sha256"))
    entries = tuple(_entry_from(each, find) for each in fields.objects("entries", MOST_OPERATIONS))
    fields.close()
    return Edit(image, labels, entries)


def _entry_from(fields: Fields, find: Find) -> Entry:
    shown = fields.value("shown", "true or false", True)
    if not isinstance(shown, bool):
        fields.refuse("shown", shown, "true or false")
    key = fields.text("key", longest=32)
    operation: Operation = operation_from(fields, find)
    fields.close()
    return Entry(operation, shown, key)
