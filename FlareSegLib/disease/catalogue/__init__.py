"""The diseases, one file each, in the order of their use for robust segmentation."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec

from ...errors import FlareSegError
from ..operation import Disease

#: One module an entry; each has `DISEASES`, a tuple.
MODULES = ("contrast_phase", "renal_mass", "fatty_liver", "hypo_metastases", "pancreatic_mass", "renal_cyst", "hcc",
           "pancreatitis", "organomegaly", "atrophy", "pancreatic_cyst", "hydronephrosis", "resection", "cirrhosis",
           "ascites", "abscess", "haematoma", "infarct", "haemangioma", "lymphoma", "calcification", "metal",
           "biliary_portal", "acquisition")

DISEASES: dict[str, Disease] = {disease.name: disease for module in MODULES if find_spec(f"{__name__}.{module}")
                                for disease in import_module(f".{module}", __name__).DISEASES}


def find(name: str) -> Disease:
    """Return a disease by its name.

    Raises
    ------
    FlareSegError
        "bad_disease_parameter" for a name that is not in the catalogue.

    Examples
    --------
    >>> find("renal_cyst").organs
    ('kidney',)
    """
    if name not in DISEASES:
        near = get_close_matches(name, DISEASES, n=3)
        raise FlareSegError("bad_disease_parameter", f"There is no disease {name!r}; "
                            + (f"did you mean {' or '.join(near)}?" if near else f"choose {', '.join(DISEASES)}."))
    return DISEASES[name]
