"""Simulated diseases in a case of the report: the paper's Figure 2, with diseases of FlareSeg's own catalogue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..disease.case import LABEL_OF, Case, make_case
from ..disease.operation import draw, perform
from ..disease.pictures import telling_slice
from ..disease.simulation import ready_scene
from ..errors import FlareSegError
from ..organs import Organ
from ..volumes.volume import Volume

#: Disease and organ, from the plainest to the one that changes most.
EXAMPLES = (("renal_cyst", "kidney"), ("hypo_metastases", "liver"), ("abscess", "liver"))
SEED = 2


@dataclass(frozen=True)
class DiseaseExample:
    """A disease in a case.

    Attributes
    ----------
    title : str
        Disease and organ.
    before, after : Case
        Without and with it.
    plane : int
        The axial slice that shows most of it.
    """

    title: str
    before: Case
    after: Case
    plane: int


def disease_examples(ct: Volume, labels: Volume, organs: tuple[Organ, ...]) -> tuple[DiseaseExample, ...]:
    """Put diseases into a CT, one at a time, with the catalogue's default parameters.

    Parameters
    ----------
    ct, labels : Volume
        HU, and labels 1 to n of `organs`, on one axial grid.

    Returns
    -------
    tuple of DiseaseExample
        Those for which the case has the organ and room in it.
    """
    from ..disease.catalogue import find

    table = np.zeros(256, np.uint8)
    for organ in organs:
        table[organ.label] = LABEL_OF.get(organ.name, 0)
    try:
        case, _ = make_case(ct, labels.with_array(table[labels.array]))
    except FlareSegError:  # none of FLARE21's organs
        return ()
    scene, examples = ready_scene(case), []
    for name, organ_name in EXAMPLES:
        disease = find(name)
        try:
            operation = draw(disease, scene, organ_name, np.random.default_rng(SEED), disease.parameters())
            after, done = perform(find, scene, operation)
        except FlareSegError as error:
            if error.code not in ("disease_not_placed", "bad_disease_case"):
                raise
            continue
        plane = telling_slice(case, after.case, tuple(change for _, change in done))
        examples.append(DiseaseExample(f"{disease.title}, {organ_name}", case, after.case, plane))
    return tuple(examples)
