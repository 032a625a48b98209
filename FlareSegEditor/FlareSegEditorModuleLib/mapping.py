"""Which segment is which organ: by its code, then by its name; what is unsure is left for the person to say."""

from __future__ import annotations

import re

from FlareSegLib.organs import FLARE_ORGANS

#: Not used: no organ of ours. None stands for "unsure".
OTHER = ""
#: SNOMED CT codes of the four organs, and those of each kidney by itself.
CODES = {**{organ.code.value: organ.name for organ in FLARE_ORGANS}, "18639004": "kidney", "9846003": "kidney"}
WORDS = {"liver": "liver", "hepar": "liver", "kidney": "kidney", "kidneys": "kidney", "spleen": "spleen",
         "pancreas": "pancreas"}
#: What may stand beside an organ's name without making it something else.
HARMLESS = {"left", "right", "l", "r", "both", "organ", "the", "lt", "rt", "total"}


def organ_of(code: str, name: str) -> str | None:
    """Return a segment's organ, `OTHER`, or None where that is unsure.

    Parameters
    ----------
    code : str
        SNOMED CT code of the segment's type; "" where it has none.
    name : str
        The segment's name.

    Examples
    --------
    >>> organ_of("10200004", "Segment_1"), organ_of("", "kidney_left"), organ_of("", "heart")
    ('liver', 'kidney', '')
    >>> organ_of("", "liver tumour") is None
    True
    """
    if code in CODES:
        return CODES[code]
    words = [word for word in re.split(r"[^a-z]+", name.lower()) if word]
    organs = {WORDS[word] for word in words if word in WORDS}
    if not organs:
        return OTHER
    others = [word for word in words if word not in WORDS and word not in HARMLESS]
    return None if len(organs) > 1 or others else organs.pop()


def map_segments(segmentation_node) -> dict[str, str | None]:
    """Return each segment's organ by its ID; organs that several segments claim are unsure, kidneys apart."""
    segmentation = segmentation_node.GetSegmentation()
    found = {}
    for segment_id in segmentation.GetSegmentIDs():
        segment = segmentation.GetSegment(segment_id)
        found[segment_id] = organ_of(_code_of(segment), segment.GetName() or "")
    claims = list(found.values())
    return {segment_id: None if organ not in (None, OTHER, "kidney") and claims.count(organ) > 1 else organ
            for segment_id, organ in found.items()}


def _code_of(segment) -> str:
    """The code of a segment's type, out of Slicer's terminology string."""
    parts = (segment.GetTerminology() or "").split("~")
    fields = parts[2].split("^") if len(parts) > 2 else []
    return fields[1] if len(fields) > 1 else ""
