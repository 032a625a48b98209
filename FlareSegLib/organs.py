"""The four organs of FLARE21: label values, names, SNOMED CT codes and Slicer colours.

Label values are the challenge's (1 liver, 2 kidney, 3 spleen, 4 pancreas; both kidneys share one label).
Codes and colours are those of 3D Slicer's "General Anatomy" terminology.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

from .errors import FlareSegError


@dataclass(frozen=True)
class Code:
    """A coded concept (DICOM code triplet); `scheme` is "SCT" for SNOMED CT."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Organ:
    """What one label value of a label map stands for.

    Attributes
    ----------
    label : int
        Value in the label map, 1 to 255.
    name : str
        Segment name, lower case, for instance "liver".
    code : Code
        Anatomical structure.
    colour : tuple of int
        Red, green, blue, 0 to 255.
    modifier : Code or None
        Laterality, where the segment joins both sides.
    """

    label: int
    name: str
    code: Code
    colour: tuple[int, int, int]
    modifier: Code | None = None


FLARE_ORGANS = (
    Organ(1, "liver", Code("SCT", "10200004", "Liver"), (221, 130, 101)),
    Organ(2, "kidney", Code("SCT", "64033007", "Kidney"), (185, 102, 83),
          Code("SCT", "51440002", "Right and left")),
    Organ(3, "spleen", Code("SCT", "78961009", "Spleen"), (157, 108, 162)),
    Organ(4, "pancreas", Code("SCT", "15776009", "Pancreas"), (249, 180, 111)),
)


def choose_organs(organs: tuple[Organ, ...], names: list[str] | None) -> tuple[Organ, ...]:
    """Return the organs whose names are asked for (all of them for None), in the order of `organs`.

    Raises
    ------
    FlareSegError
        "bad_option" for an unknown name or an empty list.
    """
    if names is None:
        return organs
    known = {organ.name for organ in organs}
    unknown = sorted(set(names) - known)
    if unknown or not names:
        raise FlareSegError("bad_option", f"Unknown organ {', '.join(unknown) or '(none given)'}; "
                                          f"choose from {', '.join(sorted(known))}.")
    return tuple(organ for organ in organs if organ.name in names)


#: Slicer's own code for a segment that nothing is known of.
TISSUE = Code("SCT", "85756007", "Tissue")


def organs_of(labels: dict[int, str]) -> tuple[Organ, ...]:
    """Return organs for a data set's label values and names, ascending.

    FLARE's own codes and colours where the names match, the neutral code "tissue" and colours that stay apart
    elsewhere.

    Examples
    --------
    >>> [(organ.label, organ.name, organ.code.meaning) for organ in organs_of({1: "Spleen", 2: "ureter"})]
    [(1, 'spleen', 'Spleen'), (2, 'ureter', 'Tissue')]
    """
    known = {organ.name: organ for organ in FLARE_ORGANS}
    names = {label: labels[label].strip().lower() for label in sorted(labels)}
    return tuple(replace(known[name], label=label) if name in known else Organ(label, name, TISSUE, _colour(label))
                 for label, name in names.items())


def _colour(label: int) -> tuple[int, int, int]:
    """Colours that stay apart however many labels there are (hues a golden section apart)."""
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(label * 0.618034 % 1.0, 0.55, 0.9))
    return red, green, blue
