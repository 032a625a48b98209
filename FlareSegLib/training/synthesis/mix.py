"""Which training cases a data set has: shares of real, transferred and synthetic ones, what befalls them; as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any

from ...disease.document import Fields, check_format, read_document

FORMAT, VERSION = "flareseg-synthesis-mix", 1
KINDS = ("real", "transferred", "synthetic")


@dataclass(frozen=True)
class SynthesisMix:
    """Shares and probabilities, 0 to 1.

    Attributes
    ----------
    real, transferred, synthetic : float
        How often training draws a slice of each kind; how many cases of the latter two are made follows them, too.
    transplanted : float
        That each of liver, pancreas and kidneys is another patient's.
    diseased : float
        That diseases of the catalogue are put into a case.
    diseases_alike : float
        That a diseased case's are drawn from all diseases alike, and not as `disease.mix.DEFAULT_MIX` weighs them: a
        disease that is rare there would be in no case of a small set.
    disease : str
        A diseased case has this one; "" for any.
    organ_shift : float
        That a transferred case's organs are shifted in HU (each of them with half a chance).
    phantom_host, icrp_host : float
        That a synthetic case's body is our own phantom's or an ICRP phantom's; else it is a real CT's.
    small_bowel : float
        That a synthetic case gets loops of small bowel in its fat.
    trunk : float
        That a scan goes from anywhere in the chest to anywhere in the pelvis, as far as the body is known, and not just
        a little beyond the organs: what lies there must be learnt to be none of them.
    """

    real: float = 0.4
    transferred: float = 0.35
    synthetic: float = 0.25
    transplanted: float = 0.4
    diseased: float = 0.3
    diseases_alike: float = 0.0
    organ_shift: float = 0.3
    phantom_host: float = 0.05
    icrp_host: float = 0.2
    small_bowel: float = 0.0
    trunk: float = 0.0
    disease: str = ""

    @property
    def transferred_share(self) -> float:
        """Of the cases that are made."""
        return self.transferred / max(self.transferred + self.synthetic, 1e-9)

    @property
    def document(self) -> dict[str, Any]:
        """As JSON data."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}


def read_synthesis_mix(path: str | Path) -> SynthesisMix:
    """Read a mix file; what it leaves out is as in `SynthesisMix`.

    Raises
    ------
    FlareSegError
        "not_found", "unreadable"; "bad_recipe" names the field.
    """
    return mix_from(read_document(path))


def mix_from(document: Any) -> SynthesisMix:
    """A mix from JSON data.

    Raises
    ------
    FlareSegError
        "bad_recipe", which names the field; as `catalogue.find` for a disease that is not known.

    Examples
    --------
    >>> mix_from({"format": "flareseg-synthesis-mix", "version": 1, "real": 0, "transferred": 1}).transferred_share
    0.8
    """
    fields = Fields(document, "synthesis mix")
    check_format(fields, FORMAT, VERSION)
    values: dict[str, Any] = {field.name: fields.number(field.name, 0, 1, field.default)
                              for field in fields_of(SynthesisMix) if field.name != "disease"}
    values["disease"] = fields.text("disease", "")
    fields.close()
    if values["disease"]:
        from ...disease.catalogue import find  # some dozens of modules, which few mixes need

        find(values["disease"])
    if values["transferred"] + values["synthetic"] <= 0:
        fields.refuse("synthetic", values["synthetic"], "more than 0 where transferred is 0")
    return SynthesisMix(**values)
