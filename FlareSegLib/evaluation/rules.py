"""What the challenges count: label values, tolerances of the surface distance, exceptions.

Sources: JunMa11/FLARE, FLARE21/Evaluation/DSC_NSD_eval.py and FLARE22/Evaluation/FLARE22_DSC_NSD_Eval.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import FlareSegError

#: The four organs of FLARE21, in its order.
FLARE21_ORGANS = ("liver", "kidney", "spleen", "pancreas")

FLARE22_ORGANS = ("liver", "right kidney", "spleen", "pancreas", "aorta", "inferior vena cava", "right adrenal gland",
                  "left adrenal gland", "gallbladder", "oesophagus", "stomach", "duodenum", "left kidney")

#: Label values of each organ; "kidney" joins both sides wherever they have a label each.
LABEL_SCHEMES: dict[str, dict[str, tuple[int, ...]]] = {
    "flare21": {name: (label,) for label, name in enumerate(FLARE21_ORGANS, 1)},
    "flare22": {**{name: (label,) for label, name in enumerate(FLARE22_ORGANS, 1)}, "kidney": (2, 13)},
}


@dataclass(frozen=True)
class Rules:
    """How a challenge scores.

    Attributes
    ----------
    name : str
        As the command line calls it.
    tolerance_mm : float
        Tolerance of the surface distance for organs that `tolerances_mm` does not name.
    tolerances_mm : dict
        Tolerance by organ, mm.
    least_dice : float
        Below this Dice the surface distance counts 0.
    labelled_slices : frozenset of str
        Organs scored only between the first and the last slice of the reference that holds them.
    """

    name: str
    tolerance_mm: float
    tolerances_mm: dict[str, float] = field(default_factory=dict)
    least_dice: float = 0.0
    labelled_slices: frozenset[str] = frozenset()

    def tolerance_of(self, organ: str) -> float:
        """Tolerance of an organ's surface distance, mm."""
        return self.tolerances_mm.get(organ, self.tolerance_mm)


FLARE21 = Rules("flare21", 1.0)

#: FLARE22 to FLARE24. Both kidneys have 3 mm, so has the organ that joins them.
FLARE22 = Rules(
    "flare22", 2.0,
    {"liver": 5.0, "kidney": 3.0, "right kidney": 3.0, "left kidney": 3.0, "spleen": 3.0, "pancreas": 5.0,
     "oesophagus": 3.0, "stomach": 5.0, "duodenum": 7.0},
    least_dice=0.2, labelled_slices=frozenset({"aorta", "inferior vena cava", "oesophagus"}))

RULES = {rules.name: rules for rules in (FLARE21, FLARE22)}


def label_scheme(text: str) -> dict[str, tuple[int, ...]]:
    """Return the label values of each organ: a name in `LABEL_SCHEMES`, or a list of the user's own.

    Raises
    ------
    FlareSegError
        "bad_option".

    Examples
    --------
    >>> label_scheme("spleen=1,kidney=2+3")
    {'spleen': (1,), 'kidney': (2, 3)}
    """
    if text in LABEL_SCHEMES:
        return LABEL_SCHEMES[text]
    scheme = {}
    for part in text.split(","):
        name, _, values = (piece.strip().lower() for piece in part.partition("="))
        labels = tuple(int(value) for value in values.split("+") if value.strip().isdecimal())
        if not name or len(labels) != len(values.split("+")) or not all(0 < label < 255 for label in labels):
            raise FlareSegError("bad_option", f"Cannot read the label values {text!r}; give {', '.join(LABEL_SCHEMES)} "
                                              "or a list such as liver=6,kidney=2+3 (values 1 to 254).")
        scheme[name] = labels
    return scheme


def chosen_organs(names: str | None, *schemes: dict[str, tuple[int, ...]]) -> tuple[str, ...]:
    """Return the organs to score: those asked for, else FLARE21's four; all schemes must have label values for them.

    Raises
    ------
    FlareSegError
        "bad_option" for an organ that a scheme does not know, or none at all.
    """
    common = [name for name in schemes[0] if all(name in scheme for scheme in schemes)]
    asked = [name.strip().lower() for name in names.split(",")] if names is not None else \
        [name for name in FLARE21_ORGANS if name in common] or common
    unknown = [name for name in asked if name not in common]
    if unknown or not asked:
        raise FlareSegError("bad_option", f"No label values are known for {', '.join(unknown) or 'any organ'}; both "
                                          f"label maps have {', '.join(common) or 'no organ in common'}.")
    return tuple(dict.fromkeys(asked))
